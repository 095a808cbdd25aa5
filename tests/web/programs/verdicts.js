/** node verdicts.js FOLDER: kind of error of each .ltp file, or the CRC-32C of its RGBA. */

import { readdirSync, readFileSync } from "node:fs";

import { crc32c } from "../../../web/src/crc32c.js";
import { Decoder, packageModels } from "../../../web/src/node.js";

const folder = process.argv[2];
const decoder = new Decoder({ models: packageModels() });
const verdicts = {};
for (const name of readdirSync(folder).filter((file) => file.endsWith(".ltp"))) {
  try {
    const { pixels } = await decoder.decode(readFileSync(`${folder}/${name}`));
    verdicts[name] = crc32c(new Uint8Array(pixels.buffer));
  } catch (error) {
    verdicts[name] = error.kind ?? `unexpected: ${error.stack}`;
  }
}
console.log(JSON.stringify(verdicts));
