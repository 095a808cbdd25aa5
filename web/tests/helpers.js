/** What the tests share: the golden files, and a reader of their PNG pictures. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { RansEncoder } from "../src/rans_encoder.js";

export const GOLDEN = fileURLToPath(new URL("../../tests/golden/v1/", import.meta.url));
export const INDEX = JSON.parse(readFileSync(`${GOLDEN}golden.json`, "utf8"));
/** Names of those that the shipped model decodes. */
export const BUILTIN = Object.keys(INDEX).filter((name) => !("latent" in INDEX[name]));

/**
 * @param {string} name
 * @returns {Uint8Array} the file
 */
export const golden = (name) => new Uint8Array(readFileSync(`${GOLDEN}${name}.ltp`));

/**
 * @param {string} path of a PNG of 8 bits, not interlaced
 * @returns {{width: number, height: number, channels: number, data: Uint8Array}}
 */
export function readPng(path) {
  const bytes = readFileSync(path);
  const parts = [];
  let [width, height, color] = [0, 0, 0];
  for (let at = 8; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (type === "IHDR") {
      [width, height, color] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9]];
    }
    if (type === "IDAT") parts.push(body);
    at += 12 + size;
  }
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[color];
  const lines = inflateSync(Buffer.concat(parts));
  const size = width * channels;
  const data = new Uint8Array(size * height);
  for (let y = 0; y < height; y++) {
    const kind = lines[y * (size + 1)];
    for (let i = 0; i < size; i++) {
      const left = i < channels ? 0 : data[y * size + i - channels];
      const up = y ? data[(y - 1) * size + i] : 0;
      const corner = y && i >= channels ? data[(y - 1) * size + i - channels] : 0;
      const p = left + up - corner;
      const [a, b, c] = [left, up, corner].map((v) => Math.abs(p - v));
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      const guess = [0, left, up, (left + up) >> 1, paeth][kind];
      data[y * size + i] = lines[y * (size + 1) + 1 + i] + guess;
    }
  }
  return { width, height, channels, data };
}

/**
 * @param {number[]} steps start and count of each symbol in turn, in the order of decoding
 * @returns {Uint8Array} the stream that a RansDecoder takes them from
 */
export function encodeSteps(steps) {
  const encoder = new RansEncoder(steps.length / 2 + 1);
  for (let i = 0; i < steps.length; i += 2) encoder.note(steps[i], steps[i + 1]);
  return encoder.finish();
}
