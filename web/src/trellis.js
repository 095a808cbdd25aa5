/** Dependent quantization: symbols in lanes, each of one of two quantizers. */

import { newArray, ODD } from "./cdf_tables.js";

export const LONGEST = 128; // symbols a lane, at most
// next state by [2 * state + parity of the symbol]
export const NEXT = Uint8Array.of(0, 2, 5, 7, 1, 3, 6, 4, 2, 0, 4, 6, 3, 1, 7, 5);
const LEAST = -512;
const MOST = 1023;

/**
 * The order in which symbols are dealt to lanes: by the eighths of their scales, equal ones in
 * raster order.
 *
 * @param {Int32Array} eighths of every place
 * @param {Uint32Array} places in raster order
 * @param {import("./cdf_tables.js").MakeArray} [make]
 * @returns {Uint32Array} the places
 */
export function laneOrder(eighths, places, make = newArray) {
  const starts = new Uint32Array(MOST - LEAST + 2);
  const keys = make(Uint16Array, places.length);
  for (let i = 0; i < places.length; i++) {
    const e = eighths[places[i]];
    keys[i] = (e < LEAST ? LEAST : e > MOST ? MOST : e) - LEAST;
    starts[keys[i] + 1]++;
  }
  for (let k = 0; k <= MOST - LEAST; k++) starts[k + 1] += starts[k];
  const order = make(Uint32Array, places.length);
  for (let i = 0; i < places.length; i++) order[starts[keys[i]]++] = places[i];
  return order;
}

/**
 * @param {number} symbols
 * @returns {number} of lanes that hold so many
 */
export function laneCount(symbols) {
  return Math.max(1, Math.ceil(symbols / LONGEST));
}

/**
 * Walk through the symbols of all lanes in the order in which they are coded.
 *
 * @param {Int32Array} eighths of every place
 * @param {Uint8Array} tables of every place, of the even quantizer
 * @param {Uint32Array} places those in lanes, in raster order
 * @param {Int16Array} symbols of every place: read after `group` has been called for it
 * @param {Uint8Array} odd set to 1 where a symbol is of the odd quantizer
 * @param {(table: number, places: Uint32Array, from: number, to: number) => void} group called
 *   for each run of symbols that share a table
 * @param {import("./cdf_tables.js").MakeArray} [make]
 */
export function walkLanes(eighths, tables, places, symbols, odd, group, make = newArray) {
  const count = places.length;
  if (!count) return;
  const order = laneOrder(eighths, places, make);
  const lanes = laneCount(count);
  const state = new Uint8Array(lanes);
  const run = new Uint32Array(lanes);
  for (let start = 0; start < count; ) {
    const stepEnd = Math.min(count, (Math.floor(start / lanes) + 1) * lanes);
    const table = tables[order[start]];
    let end = start + 1;
    while (end < stepEnd && tables[order[end]] === table) end++;
    const lane = start % lanes;
    let evens = 0;
    for (let i = start; i < end; i++) {
      if (!(state[lane + i - start] & 1)) run[evens++] = order[i];
    }
    let all = evens;
    for (let i = start; i < end; i++) {
      if (state[lane + i - start] & 1) {
        run[all++] = order[i];
        odd[order[i]] = 1;
      }
    }
    if (evens) group(table, run, 0, evens);
    if (all > evens) group(table + ODD, run, evens, all);
    for (let i = start; i < end; i++) {
      const j = lane + i - start;
      state[j] = NEXT[2 * state[j] + (symbols[order[i]] & 1)];
    }
    start = end;
  }
}
