/** node straight.js FILE: PNG files of a JSON file, as base64 -> the RGBA of each, or null. */

import { readFileSync } from "node:fs";

import { straightPng } from "../../../web/src/straight_png.js";

const files = JSON.parse(readFileSync(process.argv[2], "utf8"));
const results = [];
for (const file of files) {
  const pixels = await straightPng(new Uint8Array(Buffer.from(file, "base64")), () => {});
  results.push(pixels && Buffer.from(pixels.data).toString("base64"));
}
console.log(JSON.stringify(results));
