/**
 * node lossless.js FILE: [{rgba, webp, width, height}] of a JSON file, in base64 -> [{file, pixels}]:
 * the pixels as WebP, and those of the WebP as RGBA.
 */

import { readFileSync } from "node:fs";

import { decodeWebp } from "../../../web/src/webp.js";
import { encodeWebp } from "../../../web/src/webp_encoder.js";

const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
const results = cases.map(({ rgba, webp, width, height }) => {
  const file = encodeWebp(Buffer.from(rgba, "base64"), width, height);
  const decoded = decodeWebp(new Uint8Array(Buffer.from(webp, "base64")), width, height);
  const pixels = Buffer.alloc(4 * decoded.length);
  decoded.forEach((argb, i) => pixels.writeUInt32BE(((argb << 8) | (argb >>> 24)) >>> 0, 4 * i));
  return { file: Buffer.from(file).toString("base64"), pixels: pixels.toString("base64") };
});
console.log(JSON.stringify(results));
