/** The numbers of a quality: `models/lp1/levels.npz` has a row a level (docs/formats/ltp.md). */

const TOP = 10000; // of a quality in hundredths
const STEPS = 6; // between the seven levels

/**
 * @param {ArrayLike<number>} rows seven rows, one after the other
 * @param {number} quality in hundredths
 * @returns {Int32Array} the row between those of the two levels around the quality, in integers
 */
export function integersAt(rows, quality) {
  const n = rows.length / (STEPS + 1);
  const [i, f] = between(quality);
  return Int32Array.from({ length: n }, (_, c) =>
    Math.floor((rows[i * n + c] * (TOP - f) + rows[(i + 1) * n + c] * f + TOP / 2) / TOP),
  );
}

/**
 * @param {ArrayLike<number>} rows seven rows, one after the other
 * @param {number} quality in hundredths
 * @returns {Float32Array} the same for real numbers
 */
export function realsAt(rows, quality) {
  const n = rows.length / (STEPS + 1);
  const [i, f] = between(quality);
  const { fround } = Math;
  return Float32Array.from({ length: n }, (_, c) => {
    const low = fround(rows[i * n + c] * (TOP - f));
    return fround(fround(low + fround(rows[(i + 1) * n + c] * f)) / TOP);
  });
}

/**
 * @param {number} quality
 * @returns {[number, number]} the level below, and how far above it
 */
function between(quality) {
  const position = STEPS * quality;
  const i = Math.min(Math.floor(position / TOP), STEPS - 1);
  return [i, position - TOP * i];
}
