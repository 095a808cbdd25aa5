/**
 * node streams.js FILE: [{stream: base64, groups: [[table, [symbols]]]}] of a JSON file -> whether
 * each stream gives its symbols, and the coder gives the stream back.
 */

import { readFileSync } from "node:fs";

import { Tables } from "../../../web/src/cdf_tables.js";
import { packageModels } from "../../../web/src/node_models.js";
import { readVerified } from "../../../web/src/models.js";
import { readNpz } from "../../../web/src/npz.js";
import { RansDecoder } from "../../../web/src/rans.js";
import { encodeSteps } from "../../../web/tests/helpers.js";

const tables = new Tables(readNpz(await readVerified(packageModels(), "tables.npz")));
const results = JSON.parse(readFileSync(process.argv[2], "utf8")).map(({ stream, groups }) => {
  const bytes = new Uint8Array(Buffer.from(stream, "base64"));
  const coder = new RansDecoder(bytes);
  const steps = [];
  const step = coder.step.bind(coder);
  coder.step = (start, count) => {
    steps.push(start, count);
    step(start, count);
  };
  const same = groups.every(([table, symbols]) => {
    const out = new Int32Array(symbols.length);
    tables.take(coder, table, out, Uint32Array.from(symbols, (_, i) => i), 0, symbols.length);
    return symbols.every((symbol, i) => symbol === out[i]);
  });
  coder.end();
  return same && Buffer.from(encodeSteps(steps)).toString("base64") === stream;
});
console.log(JSON.stringify(results));
