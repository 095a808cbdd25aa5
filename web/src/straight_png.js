/**
 * PNG files with opacity, read here: the canvas of a browser multiplies colors by their opacity,
 * which rounds those that are nearly clear.
 */

import { decompressed, joined } from "./deflate.js";
import { layoutOf, linesOf } from "./png.js";
import { SIGNATURE } from "./png_chunks.js";

const SAMPLES = /** @type {Record<number, number>} */ ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 });
const PALETTE = 3;

/**
 * @typedef {object} Head
 * @property {number} width
 * @property {number} height
 * @property {number} depth bits of a sample
 * @property {number} color its type
 * @property {boolean} interlaced
 * @property {Uint8Array} palette
 * @property {Uint8Array | null} clear the body of tRNS
 * @property {Uint8Array} packed
 */

/**
 * @param {Uint8Array} file
 * @param {(width: number, height: number) => void} check throws where the picture is too large
 * @returns {Promise<import("./picture.js").Pixels | null>} null for what is no whole PNG with
 *   opacity, or one whose colors have to be converted
 */
export async function straightPng(file, check) {
  const head = readHead(file);
  if (!head) return null;
  const { width, height, depth, color, interlaced, packed } = head;
  check(width, height);
  const bits = depth * SAMPLES[color];
  const layout = layoutOf(width, height, bits, interlaced);
  const lines = await decompressed(packed, "deflate", layout.total);
  if (lines?.length !== layout.total) return null;
  const data = new Uint8ClampedArray(4 * width * height);
  const paint = painter(head);
  try {
    for (const { line, columns, to, step } of linesOf(lines, layout, width, bits)) {
      for (let k = 0; k < columns; k++) paint(line, k, data, 4 * (to + k * step));
    }
  } catch {
    return null; // an unknown filter
  }
  return { width, height, data };
}

/**
 * @param {Uint8Array} file
 * @returns {Head | null}
 */
function readHead(file) {
  if (SIGNATURE.some((byte, i) => file[i] !== byte)) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  /** @type {Record<string, Uint8Array>} */
  const found = {};
  const parts = [];
  for (let at = 8; at + 12 <= file.length; ) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const body = file.subarray(at + 8, at + 8 + size);
    if (type === "IDAT") parts.push(body);
    else found[type] = body;
    at += 12 + size;
  }
  const { IHDR, PLTE, tRNS, gAMA, cHRM, cICP, acTL, IEND } = found;
  if (IHDR?.length !== 13 || !IEND || acTL) return null;
  if (cICP || (!("iCCP" in found || "sRGB" in found) && (gAMA || cHRM))) return null;
  const header = new DataView(IHDR.buffer, IHDR.byteOffset, 13);
  const [depth, color, , filter, interlace] = IHDR.subarray(8);
  const isKnown = color in SAMPLES && [1, 2, 4, 8, 16].includes(depth) && !filter;
  const hasOpacity = tRNS || color === 4 || color === 6;
  if (!isKnown || !hasOpacity || (color === PALETTE && !PLTE)) return null;
  return {
    width: header.getUint32(0),
    height: header.getUint32(4),
    depth,
    color,
    interlaced: interlace === 1,
    palette: PLTE ?? new Uint8Array(0),
    clear: tRNS ?? null,
    packed: joined(parts),
  };
}

/**
 * @param {Head} head
 * @returns {(line: Uint8Array, k: number, out: Uint8ClampedArray, at: number) => void} writes pixel
 *   k of a line; of samples of 16 bits the upper eight, as Python takes them
 */
function painter({ depth, color, palette, clear }) {
  const count = SAMPLES[color];
  const most = (1 << depth) - 1;
  const sample = (/** @type {Uint8Array} */ line, /** @type {number} */ i) => {
    if (depth === 8) return line[i];
    if (depth === 16) return (line[2 * i] << 8) | line[2 * i + 1];
    const bit = i * depth;
    return (line[bit >> 3] >> (8 - depth - (bit & 7))) & most;
  };
  const byte = (/** @type {number} */ value) => (depth === 16 ? value >> 8 : (value * 255) / most);
  if (color === PALETTE) {
    return (line, k, out, at) => {
      const i = sample(line, k);
      for (let c = 0; c < 3; c++) out[at + c] = palette[3 * i + c] ?? 0;
      out[at + 3] = clear?.[i] ?? 255;
    };
  }
  const colors = count < 3 ? 1 : 3;
  const key = Array.from({ length: colors }, (_, c) =>
    clear ? ((clear[2 * c] << 8) | clear[2 * c + 1]) & most : -1);
  return (line, k, out, at) => {
    let isClear = clear !== null;
    for (let c = 0; c < 3; c++) {
      const value = sample(line, k * count + (c % colors));
      if (value !== key[c % colors]) isClear = false;
      out[at + c] = byte(value);
    }
    out[at + 3] = count > colors ? byte(sample(line, (k + 1) * count - 1)) : isClear ? 0 : 255;
  };
}
