/** Lossless WebP files with opacity, read here for the reason of straight_png.js. */

import { decodeWebp } from "./webp.js";

const LOSSLESS = 0x5650384c; // "VP8L"
const ANIMATION = 0x414e494d; // "ANIM"

/**
 * @param {Uint8Array} file
 * @param {(width: number, height: number) => void} check throws where the picture is too large
 * @returns {import("./picture.js").Pixels | null} null for what is no lossless WebP with opacity
 */
export function straightWebp(file, check) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const isWebp = file.length > 12 && view.getUint32(0) === 0x52494646 // "RIFF"
    && view.getUint32(8) === 0x57454250; // "WEBP"
  for (let at = 12; isWebp && at + 13 <= file.length; ) {
    const type = view.getUint32(at);
    if (type === ANIMATION) return null;
    if (type === LOSSLESS) return read(file.subarray(at - 12), view.getUint32(at + 9, true), check);
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
  return null;
}

/**
 * @param {Uint8Array} body whose image begins where it does in a file of nothing else
 * @param {number} head its size, whether it has opacity, and its version
 * @param {(width: number, height: number) => void} check
 * @returns {import("./picture.js").Pixels | null}
 */
function read(body, head, check) {
  const [width, height] = [1 + (head & 0x3fff), 1 + ((head >>> 14) & 0x3fff)];
  if (head >>> 28 !== 1) return null;
  check(width, height);
  let pixels;
  try {
    pixels = decodeWebp(body, width, height);
  } catch {
    return null;
  }
  const data = new Uint8ClampedArray(4 * pixels.length);
  for (let i = 0, p = 0; i < pixels.length; i++, p += 4) {
    const argb = pixels[i];
    data[p] = (argb >>> 16) & 0xff;
    data[p + 1] = (argb >>> 8) & 0xff;
    data[p + 2] = argb & 0xff;
    data[p + 3] = argb >>> 24;
  }
  return { width, height, data };
}
