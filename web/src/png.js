/** Gray planes in PNG files, as an alpha chunk holds them ("As a PNG" in docs/formats/ltp.md). */

import { joined } from "./deflate.js";
import { inflateZlib } from "./inflate.js";
import { SIGNATURE, crc32 } from "./png_chunks.js";

// first column, first row, columns and rows from sample to sample of Adam7's passes
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/**
 * Throws where the bytes are no gray PNG of this size.
 *
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array} samples from 0 to 255
 */
export function decodeGrayPng(data, width, height) {
  const { depth, interlaced, packed } = readChunks(data, width, height);
  const passes = interlaced ? ADAM7 : [[0, 0, 1, 1]];
  const sizes = passes.map(([x, y, dx, dy]) => ({
    columns: Math.max(0, Math.ceil((width - x) / dx)),
    rows: Math.max(0, Math.ceil((height - y) / dy)),
  }));
  const lineBytes = (/** @type {number} */ columns) => Math.ceil((columns * depth) / 8);
  const total = sizes.reduce(
    (sum, { columns, rows }) => sum + (columns ? rows * (1 + lineBytes(columns)) : 0),
    0,
  );
  const lines = inflateZlib(packed, total);
  const out = new Uint8Array(width * height);
  const [mask, unit] = [(1 << depth) - 1, 255 / ((1 << depth) - 1)];
  let at = 0;
  for (const [i, [x0, y0, dx, dy]] of passes.entries()) {
    const { columns, rows } = sizes[i];
    if (!columns) continue;
    const size = lineBytes(columns);
    /** @type {Uint8Array} */
    let above = new Uint8Array(size);
    for (let row = 0; row < rows; row++, at += size + 1) {
      const line = lines.subarray(at + 1, at + 1 + size);
      unfilter(lines[at], line, above);
      const to = (y0 + row * dy) * width + x0;
      for (let k = 0; k < columns; k++) {
        const bit = k * depth;
        out[to + k * dx] = ((line[bit >> 3] >> (8 - depth - (bit & 7))) & mask) * unit;
      }
      above = line;
    }
  }
  return out;
}

/**
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @returns {{depth: number, interlaced: boolean, packed: Uint8Array}} packed: the zlib stream
 */
function readChunks(data, width, height) {
  if (SIGNATURE.some((byte, i) => data[i] !== byte)) throw new Error("no PNG");
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  /** @type {{depth: number, interlaced: boolean} | null} */
  let header = null;
  const parts = [];
  for (let at = 8; at + 8 <= data.length; ) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...data.subarray(at + 4, at + 8));
    const body = data.subarray(at + 8, at + 8 + size);
    if (parts.length && type !== "IDAT") break;
    if (type === "IDAT") {
      parts.push(body); // where it is cut off, the stream says so
    } else {
      if (at + 12 + size > data.length) throw new Error("a PNG that is cut off");
      const crc = crc32(data.subarray(at + 4, at + 8 + size));
      if (crc !== view.getUint32(at + 8 + size)) throw new Error("a damaged PNG");
    }
    if (type === "IEND") break;
    if (type === "IHDR") {
      const [depth, colorType, , filter, interlace] = body.subarray(8);
      const fits = view.getUint32(at + 8) === width && view.getUint32(at + 12) === height;
      if (!fits || colorType !== 0 || ![1, 2, 4, 8].includes(depth) || filter || size < 13) {
        throw new Error("a PNG of another kind or size");
      }
      header = { depth, interlaced: interlace !== 0 };
    }
    at += 12 + size;
  }
  if (!header || !parts.length) throw new Error("a PNG without pixels");
  return { ...header, packed: joined(parts) };
}

/**
 * @param {number} kind
 * @param {Uint8Array} line changed in place; the samples are at most a byte each
 * @param {Uint8Array} above
 */
function unfilter(kind, line, above) {
  if (kind > 4) throw new Error("an unknown filter");
  if (kind === 0) return;
  let [left, corner] = [0, 0];
  for (let i = 0; i < line.length; i++) {
    const up = above[i];
    let guess = 0;
    if (kind === 1) guess = left;
    else if (kind === 2) guess = up;
    else if (kind === 3) guess = (left + up) >> 1;
    else {
      const [a, b] = [Math.abs(up - corner), Math.abs(left - corner)];
      const c = Math.abs(left + up - 2 * corner);
      guess = a <= b && a <= c ? left : b <= c ? up : corner;
    }
    left = line[i] = line[i] + guess;
    left &= 0xff;
    corner = up;
  }
}
