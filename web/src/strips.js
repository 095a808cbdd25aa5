/**
 * A latent in strips of rows, each with memory of its own: what has been worked on is freed before
 * the rest.
 */

import { CHANNELS } from "./hyperprior.js";

const STRIP = 16; // rows

/**
 * @param {number} rows
 * @param {number} columns
 * @returns {Float32Array[]} strips of (rows, columns, CHANNELS), zeros
 */
export function zeroStrips(rows, columns) {
  return Array.from({ length: Math.ceil(rows / STRIP) }, (_, i) => {
    const own = Math.min(STRIP, rows - i * STRIP);
    return new Float32Array(own * columns * CHANNELS);
  });
}

/**
 * @param {Float32Array[]} strips
 * @param {number} columns
 * @param {number} y
 * @returns {Float32Array} a row, (columns, CHANNELS)
 */
export function rowOf(strips, columns, y) {
  const size = columns * CHANNELS;
  const at = y % STRIP;
  return strips[Math.floor(y / STRIP)].subarray(at * size, (at + 1) * size);
}

/**
 * Free the strips above a row.
 *
 * @param {Float32Array[]} strips
 * @param {number} y
 */
export function forgetAbove(strips, y) {
  for (let i = Math.floor(y / STRIP) - 1; i >= 0 && strips[i].length; i--) {
    discard(strips[i]);
    strips[i] = new Float32Array(0);
  }
}

/**
 * Free an array at once, where the platform can, rather than when its memory is short.
 *
 * @param {{buffer: any}} array that nobody uses any more
 */
export function discard({ buffer }) {
  buffer.transfer?.(0);
}
