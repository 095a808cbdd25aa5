/** The alpha chunk: the opacity of each pixel, lossless ("Alpha" in docs/formats/ltp.md). */

import { formatError } from "./errors.js";
import { decodeGrayPng } from "./png.js";
import { decodeGreenWebp, webpFits } from "./webp.js";

/**
 * @param {Uint8Array} body
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array} 0 to 255
 */
export function decodeAlpha(body, width, height) {
  if (body.length === 1) return new Uint8Array(width * height).fill(body[0]);
  const isWebp = [0x52, 0x49, 0x46, 0x46].every((byte, i) => body[i] === byte);
  if (isWebp && !webpFits(body, width, height)) {
    throw formatError("the alpha chunk does not fit the picture");
  }
  try {
    const decoder = isWebp ? decodeGreenWebp : decodeGrayPng;
    return decoder(body, width, height);
  } catch {
    throw formatError("the alpha chunk is damaged, or does not fit the picture");
  }
}
