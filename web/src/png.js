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
  const layout = layoutOf(width, height, depth, interlaced);
  const lines = inflateZlib(packed, layout.total);
  const out = new Uint8Array(width * height);
  const [mask, unit] = [(1 << depth) - 1, 255 / ((1 << depth) - 1)];
  for (const { line, columns, to, step } of linesOf(lines, layout, width, depth)) {
    for (let k = 0; k < columns; k++) {
      const bit = k * depth;
      out[to + k * step] = ((line[bit >> 3] >> (8 - depth - (bit & 7))) & mask) * unit;
    }
  }
  return out;
}

/**
 * @typedef {object} Layout
 * @property {{pass: number[], columns: number, rows: number, size: number}[]} passes size: bytes of
 *   a line
 * @property {number} total bytes of all lines, with those that tell the filters
 *
 * @param {number} width
 * @param {number} height
 * @param {number} bits of a pixel
 * @param {boolean} interlaced
 * @returns {Layout}
 */
export function layoutOf(width, height, bits, interlaced) {
  const passes = (interlaced ? ADAM7 : [[0, 0, 1, 1]]).map((pass) => {
    const [x, y, dx, dy] = pass;
    const columns = Math.max(0, Math.ceil((width - x) / dx));
    const rows = columns && Math.max(0, Math.ceil((height - y) / dy));
    return { pass, columns, rows, size: Math.ceil((columns * bits) / 8) };
  });
  return { passes, total: passes.reduce((sum, { rows, size }) => sum + rows * (1 + size), 0) };
}

/**
 * The lines of all passes, their filters undone in place. Throws at an unknown filter.
 *
 * @param {Uint8Array} lines
 * @param {Layout} layout
 * @param {number} width
 * @param {number} bits of a pixel
 * @returns {Generator<{line: Uint8Array, columns: number, to: number, step: number}>} to: the first
 *   pixel of the line within the picture. step: from pixel to pixel there.
 */
export function* linesOf(lines, { passes }, width, bits) {
  let at = 0;
  for (const { pass, columns, rows, size } of passes) {
    const [x0, y0, step, dy] = pass;
    /** @type {Uint8Array} */
    let above = new Uint8Array(size);
    for (let row = 0; row < rows; row++, at += size + 1) {
      const line = lines.subarray(at + 1, at + 1 + size);
      unfilter(lines[at], line, above, Math.max(1, bits >> 3));
      yield { line, columns, to: (y0 + row * dy) * width + x0, step };
      above = line;
    }
  }
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
  for (let at = 8; ; ) {
    const type = String.fromCharCode(...data.subarray(at + 4, at + 8));
    if (header && parts.length && type !== "IDAT") return { ...header, packed: joined(parts) };
    if (at + 12 > data.length) throw new Error("a PNG without pixels");
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > data.length) throw new Error("a PNG that is cut off");
    const isWhole = crc32(data.subarray(at + 4, end)) === view.getUint32(end);
    if (!isWhole || type === "IEND" || (type === "IHDR") !== !header) {
      throw new Error("a damaged PNG");
    }
    const body = data.subarray(at + 8, end);
    if (!header) {
      const [depth, color, compression, filter, interlacing] = body.subarray(8);
      const fits = view.getUint32(at + 8) === width && view.getUint32(at + 12) === height;
      const isKind = color === 0 && [1, 2, 4, 8].includes(depth) && interlacing <= 1;
      if (!fits || !isKind || compression || filter || body.length !== 13) {
        throw new Error("a PNG of another kind or size");
      }
      header = { depth, interlaced: interlacing === 1 };
    } else if (type === "IDAT") {
      parts.push(body);
    }
    at = end + 4;
  }
}

/**
 * @param {number} kind
 * @param {Uint8Array} line changed in place
 * @param {Uint8Array} above
 * @param {number} unit bytes of a pixel, at least 1
 */
function unfilter(kind, line, above, unit) {
  if (kind > 4) throw new Error("an unknown filter");
  if (kind === 0) return;
  for (let i = 0; i < line.length; i++) {
    const up = above[i];
    const [left, corner] = i < unit ? [0, 0] : [line[i - unit], above[i - unit]];
    let guess = 0;
    if (kind === 1) guess = left;
    else if (kind === 2) guess = up;
    else if (kind === 3) guess = (left + up) >> 1;
    else {
      const [a, b] = [Math.abs(up - corner), Math.abs(left - corner)];
      const c = Math.abs(left + up - 2 * corner);
      guess = a <= b && a <= c ? left : b <= c ? up : corner;
    }
    line[i] += guess;
  }
}
