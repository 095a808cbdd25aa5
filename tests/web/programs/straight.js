/** node straight.js FILE: PNG and WebP files of a JSON file, as base64 -> RGBA of each, or null. */

import { readFileSync } from "node:fs";

import { straightPng } from "../../../web/src/straight_png.js";
import { straightWebp } from "../../../web/src/straight_webp.js";

const files = JSON.parse(readFileSync(process.argv[2], "utf8"));
const results = [];
for (const file of files) {
  const bytes = new Uint8Array(Buffer.from(file, "base64"));
  const pixels = (await straightPng(bytes, () => {})) ?? straightWebp(bytes, () => {});
  results.push(pixels && Buffer.from(pixels.data).toString("base64"));
}
console.log(JSON.stringify(results));
