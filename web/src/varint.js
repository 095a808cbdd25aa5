/** LEB128: whole numbers as groups of seven bits, the lowest first. */

import { formatError } from "./errors.js";

const MAX_VALUE = 2 ** 31;
const MAX_BYTES = 5;

/**
 * @param {Uint8Array} data
 * @param {number} at
 * @returns {[number, number]} the number, and the position behind it
 */
export function readVarint(data, at) {
  let value = 0;
  for (let i = 0; i < MAX_BYTES; i++) {
    if (at + i >= data.length) throw formatError("a length is cut off");
    const byte = data[at + i];
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (value > MAX_VALUE || (i > 0 && byte === 0)) throw formatError("a length is impossible");
      return [value, at + i + 1];
    }
  }
  throw formatError("a length is impossible");
}

/**
 * @param {number} value from 0 to 2^31
 * @returns {number[]} its bytes
 */
export function writeVarint(value) {
  const out = [];
  while (value > 0x7f) {
    out.push((value & 0x7f) | 0x80);
    value = Math.floor(value / 128);
  }
  out.push(value);
  return out;
}
