/**
 * The quality at which a rising quantity passes a target, in few probes: secants within a bracket,
 * on the grid of qualities. The twin of src/latentpress/targets/bracket.py.
 */

export const TOP_STEP = 10_000; // the grid of qualities: 0 to TOP_STEP, hundredths
const MAX_PROBES = 14;

/**
 * @param {(step: number) => Promise<number>} gap a rising function of a step
 * @param {object} options
 * @param {number} options.start the first step to probe
 * @param {(low: number, high: number) => boolean} options.done whether the two are near enough
 * @param {Float64Array} options.axis a rising stand-in for the step on which the function is about
 *   linear, TOP_STEP + 1 of them
 * @param {number} options.slope of the function on the axis, about
 * @param {(low: number) => number} options.aim the value at which a probe is sent, for the lower
 *   end so far
 * @returns {Promise<[number, number]>} steps where the function is below 0, and not below, as near
 *   as `done` asks; -1 and TOP_STEP + 1 stand for the ends where there is none
 */
export async function bracket(gap, { start, done, axis, slope, aim }) {
  const probes = new Probes(axis, slope);
  let step = Math.min(Math.max(start, 0), TOP_STEP);
  while (!done(probes.low, probes.high) && probes.values.size < MAX_PROBES) {
    probes.add(step, await gap(step));
    if (probes.high - probes.low <= 1) break;
    step = probes.nextStep(aim(probes.low));
  }
  const { low, high, values } = probes;
  if (low < 0 && !values.has(0)) return (await gap(0)) < 0 ? [0, high] : [-1, 0];
  if (high > TOP_STEP && !values.has(TOP_STEP)) {
    return (await gap(TOP_STEP)) >= 0 ? [low, TOP_STEP] : [TOP_STEP, TOP_STEP + 1];
  }
  return [low, high];
}

class Probes {
  /**
   * @param {Float64Array} axis
   * @param {number} slope
   */
  constructor(axis, slope) {
    this.axis = axis;
    this.slope = slope;
    /** @type {Map<number, number>} */
    this.values = new Map();
    this.low = -1;
    this.high = TOP_STEP + 1;
    this.sameSide = 0; // probes in a row on one side of 0, negative for those below
  }

  /**
   * A step was probed.
   * @param {number} step
   * @param {number} value
   */
  add(step, value) {
    this.values.set(step, value);
    const side = value >= 0 ? 1 : -1;
    if (side > 0) this.high = step;
    else this.low = step;
    this.sameSide = this.sameSide * side > 0 ? this.sameSide + side : side;
  }

  /**
   * The step to probe next, strictly between low and high.
   * @param {number} aim the value wanted there
   */
  nextStep(aim) {
    const lowest = Math.max(this.low + 1, 0);
    const highest = Math.min(this.high - 1, TOP_STEP);
    return Math.min(Math.max(Math.round(this.guess(aim)), lowest), highest);
  }

  /** @param {number} aim */
  guess(aim) {
    const middle = (this.low + this.high) / 2;
    if (this.values.size === 1) {
      const [[step, value]] = this.values;
      return this.stepAt(this.axis[step] - (value - aim) / this.slope);
    }
    if (Math.abs(this.sameSide) > 2 && this.low >= 0 && this.high <= TOP_STEP) return middle;
    const [[a, valueA], [b, valueB]] = this.nearestTwo(aim);
    let rise = (valueB - valueA) / (this.axis[b] - this.axis[a]);
    // sizes of neighboring steps go up and down a little
    if (!(this.slope / 2 <= rise && rise <= this.slope * 2)) rise = this.slope;
    const [end, value] = this.nearerEnd(aim);
    return this.stepAt(this.axis[end] - (value - aim) / rise);
  }

  /**
   * The steps whose values are nearest to aim; of equal ones those of the bracket first.
   * @param {number} aim
   */
  nearestTwo(aim) {
    const isInside = (/** @type {number} */ step) => step !== this.low && step !== this.high;
    return [...this.values]
      .map(([step, value]) => ({ step, value, distance: Math.abs(value - aim) }))
      .sort((a, b) => a.distance - b.distance || +isInside(a.step) - +isInside(b.step))
      .slice(0, 2)
      .map(({ step, value }) => [step, value]);
  }

  /**
   * The probed end of the bracket whose value is nearer to aim. Secants start there: a step beyond
   * it, whose value may be nearer, leads out of the bracket.
   * @param {number} aim
   */
  nearerEnd(aim) {
    const ends = [...this.values].filter(([step]) => step === this.low || step === this.high);
    const distance = (/** @type {[number, number]} */ [, value]) => Math.abs(value - aim);
    return ends.sort((a, b) => distance(a) - distance(b) || a[0] - b[0])[0];
  }

  /**
   * Where on the axis a value stands; beyond its ends a step beyond them.
   * @param {number} place
   */
  stepAt(place) {
    if (place < this.axis[0]) return -1;
    if (place > this.axis[TOP_STEP]) return TOP_STEP + 1;
    const above = firstAtLeast(this.axis, place);
    if (above === 0) return 0;
    const below = this.axis[above - 1];
    return above - 1 + (place - below) / (this.axis[above] - below);
  }
}

/**
 * @param {Float64Array} rising
 * @param {number} value
 * @returns {number} the first index whose number is not below the value
 */
export function firstAtLeast(rising, value) {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
