/**
 * The encoder's side of dependent quantization (trellis.py, docs/formats/ltp.md): of all paths of a
 * lane through its eight states the one whose error and bits are least (Viterbi 1967).
 */

import { NEXT } from "./trellis.js";

export const REACH = 250; // a larger magnitude is taken to cost as many bits as this one
const STATES = 8;
const FAR = 1e30; // the cost of what cannot be
const ERROR_WEIGHT = 20; // bits that a squared error of one step^2 is worth
const SYMBOL_MAX = 32767;

// The two ways into each state: the states that they come from, and the kinds of their symbols,
// 2 * quantizer + parity.
const ORIGINS = new Uint8Array(2 * STATES);
const KINDS = new Uint8Array(2 * STATES);
for (let state = 0, ways = new Uint8Array(STATES); state < STATES; state++) {
  for (let parity = 0; parity < 2; parity++) {
    const to = NEXT[2 * state + parity];
    const way = 2 * to + ways[to]++;
    ORIGINS[way] = state;
    KINDS[way] = 2 * (state & 1) + parity;
  }
}

/**
 * Quantize the symbols of all lanes.
 * @param {Float32Array} values in steps of a lane, about their means, in the order of the lanes:
 *   symbol i belongs to lane i mod lanes
 * @param {Uint8Array} tables of each symbol under the even quantizer
 * @param {number} lanes
 * @param {(quantizer: number, table: number) => Float32Array} bitsOf bits of the magnitudes 0 to
 *   REACH under a table of a quantizer, 0 the even and 1 the odd one
 * @param {Int32Array} symbols is filled
 */
export function quantizeLanes(values, tables, lanes, bitsOf, symbols) {
  const { length } = values;
  const costs = new Float32Array(4 * length);
  const choices = new Int32Array(4 * length);
  for (let i = 0; i < length; i++) {
    const v = Math.min(Math.max(values[i], 2 - SYMBOL_MAX), SYMBOL_MAX - 2);
    candidates(v, bitsOf(0, tables[i]), bitsOf(1, tables[i]), costs, choices, 4 * i);
  }
  const steps = Math.ceil(length / lanes);
  const second = new Uint8Array(STATES * steps);
  for (let lane = 0; lane < lanes; lane++) {
    let total = new Float32Array(STATES).fill(FAR);
    let next = new Float32Array(STATES);
    total[0] = 0;
    let step = 0;
    for (let i = lane; i < length; i += lanes, step++) {
      for (let state = 0; state < STATES; state++) {
        const way = 2 * state;
        const a = Math.fround(total[ORIGINS[way]] + costs[4 * i + KINDS[way]]);
        const b = Math.fround(total[ORIGINS[way + 1]] + costs[4 * i + KINDS[way + 1]]);
        const isSecond = b < a;
        second[STATES * step + state] = isSecond ? 1 : 0;
        next[state] = isSecond ? b : a;
      }
      [total, next] = [next, total];
    }
    let state = total.indexOf(Math.min(...total));
    while (step-- > 0) {
      const i = lane + step * lanes;
      const way = 2 * state + second[STATES * step + state];
      symbols[i] = choices[4 * i + KINDS[way]];
      state = ORIGINS[way];
    }
  }
}

/**
 * The cheapest symbol of each kind for a value. Costs are rounded once, as Python rounds them.
 * @param {number} value
 * @param {Float32Array} evenBits
 * @param {Float32Array} oddBits
 * @param {Float32Array} costs four are written
 * @param {Int32Array} choices four are written
 * @param {number} at where
 */
function candidates(value, evenBits, oddBits, costs, choices, at) {
  const size = Math.abs(value);
  for (let kind = 0; kind < 4; kind++) {
    const parity = kind & 1;
    const bits = kind < 2 ? evenBits : oddBits;
    const shift = kind < 2 ? 0 : 0.5;
    const nearest = Math.floor(Math.fround(size + shift));
    const upper = nearest + ((nearest & 1) ^ parity); // the least of its parity that is not below
    const lower = Math.max(upper - 2, parity);
    let best = lower;
    let least = cost(lower);
    if (parity === 0 && lower > 0 && cost(0) <= least) {
      best = 0;
      least = cost(0);
    }
    const c = cost(upper);
    if (c < least) {
      best = upper;
      least = c;
    }
    costs[at + kind] = least;
    choices[at + kind] = value < 0 ? -best : best;

    /** @param {number} trial */
    function cost(trial) {
      const error = size - trial + (trial > 0 ? shift : 0);
      return ERROR_WEIGHT * (error * error) + bits[Math.min(trial, REACH)];
    }
  }
}
