/**
 * A file of at most so many bytes: the quality is searched, and only quantization and coding are
 * repeated. The twin of src/latentpress/targets (bracket.py's WrittenFiles, size_model.py).
 */
import { bracket, firstAtLeast, TOP_STEP } from "./bracket.js";

const CLOSE = 0.001; // a file within this share of the limit ends the probing
// Until one lies within this share, probes aim at its middle: just below the limit half of them
// would be above.
const NEAR = 0.01;
const JUST_FITS = -1e-12; // the gap of a file of exactly the limit

// The size of a latent chunk of steps that follow the activity, about (size_model.py): a symbol of
// v steps costs log2(1 + k v^2) / 2 bits, and the bytes of a position are raised to an exponent.
const K = 7.5;
const EXPONENT = 1.1;
const LEVEL_DISTANCE = 1000; // grid steps between the qualities at which it is computed
const POSITIONS = 256; // of a strip that are looked at, at most

/**
 * @typedef {object} Found
 * @property {Uint8Array} file the best that fits, or the one at quality 0
 * @property {boolean} fits
 */

/**
 * The largest file of at most `limit` bytes among those tried.
 * @param {(step: number) => Promise<Uint8Array>} write the file at a step of the grid of qualities
 * @param {number} limit bytes
 * @param {number} fixed bytes that every file has beside its latent
 * @param {Float64Array} estimate about the logarithm of the other bytes at each step, rising
 * @returns {Promise<Found>}
 */
export async function fileWithin(write, limit, fixed, estimate) {
  /** @type {Map<number, number>} */
  const sizes = new Map();
  /** @type {{step: number, file: Uint8Array} | undefined} */
  let best;
  const room = limit - fixed;

  /** @param {number} step */
  async function sizeAt(step) {
    let size = sizes.get(step);
    if (size === undefined) {
      const file = await write(step);
      size = file.length;
      sizes.set(step, size);
      const larger = best === undefined || size > best.file.length
        || (size === best.file.length && step > best.step);
      if (size <= limit && larger) best = { step, file };
    }
    return size;
  }

  /** @param {number} step */
  async function gap(step) {
    const logarithm = Math.log(Math.max((await sizeAt(step)) - fixed, 1) / room);
    return logarithm === 0 ? JUST_FITS : logarithm;
  }

  /**
   * @param {number} step
   * @param {number} share
   */
  function isWithin(step, share) {
    return step >= 0 && /** @type {number} */ (sizes.get(step)) >= (1 - share) * limit;
  }

  if (room >= 1) {
    await bracket(gap, {
      start: firstAtLeast(estimate, Math.log(room)),
      axis: estimate,
      slope: 1,
      aim: (low) => {
        const share = isWithin(low, NEAR) ? CLOSE : NEAR;
        return Math.log1p(-Math.min(((share / 2) * limit) / room, 0.5));
      },
      done: (low, high) => high - low <= 1 || isWithin(low, CLOSE),
    });
  }
  return best ? { file: best.file, fits: true } : { file: await write(0), fits: false };
}

/**
 * @typedef {object} Level what a step of the grid of qualities says of the latent
 * @property {ArrayLike<number>} gain of the channels
 * @property {number} reference the activity of unchanged steps, log2 in 1/256
 * @property {number} strength the power of the activity that steps grow with, in 1/127
 */

/**
 * The logarithm of a latent chunk's bytes, about, at each step of the grid of qualities.
 * @param {{rows: number, columns: number, data: Float32Array}[]} strips of the latent, channels
 *   last
 * @param {(step: number) => Level} levelAt
 * @returns {Float64Array} TOP_STEP + 1, rising
 */
export function logSizes(strips, levelAt) {
  const levels = [];
  for (let step = 0; step <= TOP_STEP; step += LEVEL_DISTANCE) levels.push(levelAt(step));
  const bits = new Float64Array(levels.length);
  const channels = levels[0].gain.length;
  let positions = 0;
  for (const { rows, columns, data } of strips) {
    const every = Math.ceil(Math.sqrt((rows * columns) / POSITIONS));
    /** @type {number[]} */
    const seen = []; // where the channels of each position begin
    for (let y = 0; y < rows; y += every) {
      for (let x = 0; x < columns; x += every) seen.push((y * columns + x) * channels);
    }
    const mean = new Float64Array(channels);
    for (const at of seen) for (let c = 0; c < channels; c++) mean[c] += data[at + c] / seen.length;
    levels.forEach((level, i) => {
      let sum = 0;
      for (const at of seen) sum += bitsOfPosition(data, at, mean, level);
      bits[i] += (sum * rows * columns) / seen.length;
    });
    positions += rows * columns;
  }
  return curve(bits, positions);
}

/**
 * @param {Float32Array} data
 * @param {number} at
 * @param {Float64Array} mean
 * @param {Level} level
 */
function bitsOfPosition(data, at, mean, { gain, reference, strength }) {
  const channels = mean.length;
  let activity = 0;
  for (let c = 0; c < channels; c++) {
    const v = (data[at + c] - mean[c]) * gain[c];
    activity += Math.log2(1 + v * v);
  }
  // as masking.estimate: shifts in eighths of a scale
  const level = 256 * Math.log2(32 * activity + 3840);
  const shift = Math.min(Math.max(((reference - level) * 25 * strength) / 16384, -64), 64);
  const finer = 1.118571 ** (shift / 4); // the square of the factor of a step
  let bits = 0;
  for (let c = 0; c < channels; c++) {
    const v = (data[at + c] - mean[c]) * gain[c];
    bits += Math.log2(1 + K * finer * v * v);
  }
  return bits / 2;
}

/**
 * @param {Float64Array} bits at the levels
 * @param {number} positions
 */
function curve(bits, positions) {
  let most = 1e-6;
  const logarithms = Array.from(bits, (sum) => {
    most = Math.max(most, sum / 8 / positions);
    return Math.log(positions) + EXPONENT * Math.log(most);
  });
  return Float64Array.from({ length: TOP_STEP + 1 }, (_, step) => {
    const i = Math.min(Math.floor(step / LEVEL_DISTANCE), logarithms.length - 2);
    const share = step / LEVEL_DISTANCE - i;
    return logarithms[i] * (1 - share) + logarithms[i + 1] * share + 1e-11 * step;
  });
}
