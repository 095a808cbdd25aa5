/** node networks.js FOLDER: the largest difference from each output that index.json lists. */

import { readFileSync } from "node:fs";

import { Core, readFiles } from "../../../web/src/core.js";
import { packageModels } from "../../../web/src/node_models.js";
import { compareNetworks } from "./prior_integers.js";

const folder = process.argv[2];
const core = await Core.create(await readFiles(packageModels()));
const read = async (name) => new Uint8Array(readFileSync(`${folder}/${name}`));
console.log(JSON.stringify(await compareNetworks(core, read)));
