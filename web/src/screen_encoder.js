/**
 * Screen layers of whole pictures, as far as they are exact: a single color, and lossless WebP. A
 * browser's canvas writes WebP too, but none has to be lossless, and Safari's writes none.
 */

import { joined } from "./deflate.js";
import { writeVarint } from "./varint.js";
import { encodeWebp } from "./webp_encoder.js";

const TILE = 2048; // pixels a side

/**
 * @typedef {{width: number, height: number, rgba: Uint8Array | Uint8ClampedArray}} Opaque
 *
 * @param {Opaque} picture
 * @returns {Uint8Array | null} the body of chunk 0B; null where it has several colors
 */
export function singleColorLayer({ width, height, rgba }) {
  for (let i = 4; i < rgba.length; i += 4) {
    if (rgba[i] !== rgba[0] || rgba[i + 1] !== rgba[1] || rgba[i + 2] !== rgba[2]) return null;
  }
  return packed(tilesOf(width, height).map(() => Uint8Array.from(rgba.subarray(0, 3))));
}

/**
 * @param {Opaque} picture
 * @param {number} most bytes of the body
 * @param {() => Promise<void>} rest called between tiles
 * @returns {Promise<Uint8Array | null>} the body of chunk 0B; null where it takes more
 */
export async function losslessLayer(picture, most, rest) {
  const pieces = [];
  let left = most;
  for (const tile of tilesOf(picture.width, picture.height)) {
    const { left: x, top, right, bottom } = tile;
    const piece = encodeWebp(cut(picture, tile), right - x, bottom - top);
    await rest();
    left -= piece.length;
    if (left < 0) return null;
    pieces.push(piece);
  }
  const body = packed(pieces);
  return body.length <= most ? body : null;
}

/** @param {Uint8Array[]} pieces */
function packed(pieces) {
  const last = pieces.length - 1;
  return joined(pieces.flatMap((piece, i) =>
    (i < last ? [writeVarint(piece.length), piece] : [piece])));
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {{left: number, top: number, right: number, bottom: number}[]}
 */
function tilesOf(width, height) {
  const found = [];
  for (let top = 0; top < height; top += TILE) {
    for (let left = 0; left < width; left += TILE) {
      const [right, bottom] = [Math.min(left + TILE, width), Math.min(top + TILE, height)];
      found.push({ left, top, right, bottom });
    }
  }
  return found;
}

/**
 * @param {Opaque} picture
 * @param {{left: number, top: number, right: number, bottom: number}} tile
 * @returns {Uint8Array} RGBA
 */
function cut({ width, rgba }, { left, top, right, bottom }) {
  const out = new Uint8Array(4 * (right - left) * (bottom - top));
  for (let y = top, to = 0; y < bottom; y++, to += 4 * (right - left)) {
    out.set(rgba.subarray(4 * (y * width + left), 4 * (y * width + right)), to);
  }
  return out;
}
