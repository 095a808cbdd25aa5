/**
 * Colors under an opacity of 0: nobody sees them, so the encoder puts there what costs least
 * (push-pull, Gortler et al. 1996; the twin of src/latentpress/image/hidden.py). A pyramid of means
 * weighted by opacity is built upwards, and downwards each hole is filled from the next coarser
 * level, bilinearly.
 */

const NEUTRAL = 128; // where no pixel of the picture is seen
const CELL = 16; // the picture is taken as padded to whole cells of so many pixels a side

/**
 * @typedef {object} Level
 * @property {number} width
 * @property {number} height
 * @property {Float32Array} data color times opacity, and the opacity: four a position
 */

/**
 * Fill the colors of the pixels that have an opacity of 0.
 * @param {Uint8ClampedArray | Uint8Array} rgba is changed
 * @param {number} width
 * @param {number} height
 */
export function fillHidden(rgba, width, height) {
  const levels = [firstLevel(rgba, width, height)];
  for (let level = levels[0]; level.width * level.height > 1; ) {
    level = halved(level);
    levels.push(level);
  }
  let colors = null;
  for (const level of levels.reverse()) colors = pushed(level, colors);
  const coarser = /** @type {Level} */ (colors);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      if (rgba[at + 3]) continue;
      for (let c = 0; c < 3; c++) rgba[at + c] = Math.round(between(coarser, x, y, c));
    }
  }
}

/**
 * The level of half the size: means of 2 x 2 pixels, zeros beyond the picture.
 *
 * @param {ArrayLike<number>} rgba
 * @param {number} width
 * @param {number} height
 * @returns {Level}
 */
function firstLevel(rgba, width, height) {
  const across = (CELL / 2) * Math.ceil(width / CELL);
  const down = (CELL / 2) * Math.ceil(height / CELL);
  const out = new Float32Array(4 * across * down);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x);
      const to = 4 * ((y >> 1) * across + (x >> 1));
      const weight = rgba[from + 3] / (4 * 255);
      for (let c = 0; c < 3; c++) out[to + c] += rgba[from + c] * weight;
      out[to + 3] += weight;
    }
  }
  return { width: across, height: down, data: out };
}

/**
 * The next coarser level: means of 2 x 2, zeros beyond an odd edge.
 *
 * @param {Level} level
 * @returns {Level}
 */
function halved({ width, height, data }) {
  const across = Math.ceil(width / 2);
  const out = new Float32Array(4 * across * Math.ceil(height / 2));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x);
      const to = 4 * ((y >> 1) * across + (x >> 1));
      for (let c = 0; c < 4; c++) out[to + c] += data[from + c] / 4;
    }
  }
  return { width: across, height: Math.ceil(height / 2), data: out };
}

/**
 * The colors of a level; those of the next coarser one where no pixel is seen.
 * @param {Level} level is changed into its colors, and returned
 * @param {Level | null} coarser colors
 */
function pushed(level, coarser) {
  const { width, height, data } = level;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const weight = data[at + 3];
      for (let c = 0; c < 3; c++) {
        if (weight > 0) data[at + c] /= weight;
        else data[at + c] = coarser ? between(coarser, x, y, c) : NEUTRAL;
      }
    }
  }
  return level;
}

/**
 * A color of a level of twice the size, linearly between the centers of the positions.
 * @param {Level} level colors
 * @param {number} x of the finer level
 * @param {number} y
 * @param {number} c channel
 */
function between({ width, height, data }, x, y, c) {
  const column = x >> 1;
  const row = y >> 1;
  const beside = Math.min(Math.max(column + (x & 1 ? 1 : -1), 0), width - 1);
  const below = Math.min(Math.max(row + (y & 1 ? 1 : -1), 0), height - 1);
  const at = (/** @type {number} */ r, /** @type {number} */ k) => data[4 * (r * width + k) + c];
  return 0.75 * (0.75 * at(row, column) + 0.25 * at(row, beside))
    + 0.25 * (0.75 * at(below, column) + 0.25 * at(below, beside));
}
