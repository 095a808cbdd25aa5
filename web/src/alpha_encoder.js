/** The alpha chunk: one byte where the opacity is constant, else a gray PNG of 1 or 8 bits. */
import { compressed, joined } from "./deflate.js";
import { SIGNATURE, chunk } from "./png_chunks.js";

/**
 * @param {Uint8Array} alpha of each pixel
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Uint8Array>} the chunk's body
 */
export async function encodeAlpha(alpha, width, height) {
  const isConstant = alpha.every((value) => value === alpha[0]);
  if (isConstant) return Uint8Array.of(alpha[0]);
  const isBinary = alpha.every((value) => value === 0 || value === 255);
  const rows = isBinary ? bitRows(alpha, width, height) : null;
  const candidates = rows
    ? [unfiltered(rows, height)]
    : [unfiltered(alpha, height), filtered(alpha, width, height)];
  const streams = await Promise.all(candidates.map((raw) => compressed(raw, "deflate")));
  const data = streams.reduce((a, b) => (b.length < a.length ? b : a));
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head[8] = isBinary ? 1 : 8; // the depth; color type 0, no interlacing
  return joined([SIGNATURE, chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", [])]);
}

/**
 * @param {Uint8Array} alpha of 0 and 255 alone
 * @param {number} width
 * @param {number} height
 */
function bitRows(alpha, width, height) {
  const across = Math.ceil(width / 8);
  const out = new Uint8Array(across * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (alpha[y * width + x]) out[y * across + (x >> 3)] |= 128 >> (x & 7);
    }
  }
  return out;
}

/**
 * Rows behind their filter's number, none.
 * @param {Uint8Array} rows
 * @param {number} height
 */
function unfiltered(rows, height) {
  const across = rows.length / height;
  const out = new Uint8Array(rows.length + height);
  for (let y = 0; y < height; y++) {
    out.set(rows.subarray(y * across, (y + 1) * across), y * (across + 1) + 1);
  }
  return out;
}

/**
 * Rows of bytes, each under the filter (sub, up or Paeth) whose differences are least.
 * @param {Uint8Array} alpha
 * @param {number} width
 * @param {number} height
 */
function filtered(alpha, width, height) {
  const out = new Uint8Array((width + 1) * height);
  const trials = [1, 2, 4].map((filter) => ({ filter, row: new Uint8Array(width), sum: 0 }));
  for (let y = 0; y < height; y++) {
    for (const trial of trials) trial.sum = 0;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      const left = x ? alpha[at - 1] : 0;
      const above = y ? alpha[at - width] : 0;
      const corner = x && y ? alpha[at - width - 1] : 0;
      for (const trial of trials) {
        const guess = trial.filter === 1 ? left
          : trial.filter === 2 ? above : paeth(left, above, corner);
        const difference = (alpha[at] - guess) & 255;
        trial.row[x] = difference;
        trial.sum += difference < 128 ? difference : 256 - difference;
      }
    }
    const best = trials.reduce((a, b) => (b.sum < a.sum ? b : a));
    out[y * (width + 1)] = best.filter;
    out.set(best.row, y * (width + 1) + 1);
  }
  return out;
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 */
function paeth(left, above, corner) {
  const byLeft = Math.abs(above - corner);
  const byAbove = Math.abs(left - corner);
  const byCorner = Math.abs(left + above - 2 * corner);
  if (byLeft <= byAbove && byLeft <= byCorner) return left;
  return byAbove <= byCorner ? above : corner;
}
