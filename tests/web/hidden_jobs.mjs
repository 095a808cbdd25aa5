// Fills the hidden colors of a file of RGBA bytes: jobs {pixels, width, height, out} as a JSON list
// on standard input.
import { readFileSync, writeFileSync } from "node:fs";

import { fillHidden } from "../../web/src/hidden_colors.js";

const jobs = JSON.parse(readFileSync(0, "utf8"));
for (const { pixels, width, height, out } of jobs) {
  const rgba = new Uint8Array(readFileSync(pixels));
  fillHidden(rgba, width, height);
  writeFileSync(out, rgba);
}
process.stdout.write(JSON.stringify(jobs.map(() => ({}))));
