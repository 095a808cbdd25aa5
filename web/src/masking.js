/** Steps that follow the activity: integers that the decoder derives (docs/formats/ltp.md). */

import { scaleIndex } from "./cdf_tables.js";
import { integersAt } from "./levels.js";

export const REFERENCE = [3092, 3112, 3155, 3223, 3315, 3403, 3487]; // of the levels
const FLOOR = 3840;
export const STRENGTH = [152, 152, 152, 152, 105, 80, 75];
const REACH = 2;
const MOST = 64;

/**
 * @param {Int32Array} eighths (channels, h, w) under the quality's own steps
 * @param {number} h
 * @param {number} w
 * @param {Int32Array} activity of the tables
 * @param {number} quality in hundredths
 * @returns {Int32Array} (h, w) how much finer the steps of each place are, in eighths of a scale
 */
export function activityShift(eighths, h, w, activity, quality) {
  const n = h * w;
  const sums = new Int32Array(n).fill(FLOOR);
  for (let p = 0, i = 0; p < eighths.length; p++) {
    sums[i] += activity[scaleIndex(eighths[p])];
    if (++i === n) i = 0;
  }
  const logs = sums.map((sum) => {
    const exponent = 31 - Math.clz32(sum);
    return 256 * exponent + (sum >> (exponent - 8)) - 256;
  });
  const side = 2 * REACH + 1;
  const reference = side * side * integersAt(REFERENCE, quality)[0];
  const [strength] = integersAt(STRENGTH, quality);
  const inside = (/** @type {number} */ v, /** @type {number} */ end) =>
    v < 0 ? 0 : v >= end ? end - 1 : v;
  return sums.map((_, i) => {
    const y = Math.floor(i / w);
    const x = i % w;
    let nearby = 0;
    for (let dy = -REACH; dy <= REACH; dy++) {
      for (let dx = -REACH; dx <= REACH; dx++) {
        nearby += logs[inside(y + dy, h) * w + inside(x + dx, w)];
      }
    }
    const shift = ((reference - nearby) * strength + (1 << 13)) >> 14;
    return Math.max(-MOST, Math.min(MOST, shift));
  });
}
