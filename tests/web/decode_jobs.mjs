// Decodes .ltp files in Node: jobs {file, out} as a JSON list on standard input; `out` is a file of
// RGBA bytes.
import { readFileSync, writeFileSync } from "node:fs";

import { decode, packageModels } from "../../web/src/node.js";

const models = packageModels();
const results = [];
for (const { file, out } of JSON.parse(readFileSync(0, "utf8"))) {
  const { width, height, channels, pixels } = await decode(readFileSync(file), { models });
  writeFileSync(out, pixels);
  results.push({ width, height, channels });
}
process.stdout.write(JSON.stringify(results));
