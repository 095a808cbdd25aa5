/**
 * The boxes of a picture whose pixels are computed each on its own: bands of rows, so that every
 * thread has some, which wide pictures cut into columns as well, so that the memory of a thread
 * does not grow with the width.
 *
 * @typedef {object} Box a part of the latent, with the positions about it that its pixels depend on
 * @property {number} top the first row
 * @property {number} left the first column
 * @property {number} rows
 * @property {number} columns
 * @property {[number, number]} down the first row whose pixels are wanted and the one behind the
 *   last, counted from the top of the box
 * @property {[number, number]} across the same of columns
 * @property {Float32Array[]} strips zeros to be filled (strips.js)
 */

import { TILE } from "./rows.js";
import { zeroStrips } from "./strips.js";
import { FACTOR, HALO } from "./synthesis.js";

const LEAST_BAND = 8; // latent rows
const MOST_COLUMNS = 160; // of the latent

/**
 * @param {{width: number, height: number}} header
 * @param {number} threads
 * @returns {Box[]} row after row of boxes, as many as keep so many threads busy
 */
export function boxesOf({ width, height }, threads) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / FACTOR));
  const parts = Math.ceil(columns / MOST_COLUMNS);
  const most = Math.max(1, Math.floor(rows / LEAST_BAND));
  const bands = Math.min(most, threads / divisor(threads, parts));
  const spans = cut(columns, parts);
  return cut(rows, bands).flatMap((down) => spans.map((across) => box(down, across)));
}

/**
 * @param {{width: number, height: number}} header
 * @returns {Box} the whole picture
 */
export function wholeBox({ width, height }) {
  const [down, across] = [height, width].map((side) => cut(Math.ceil(side / FACTOR), 1)[0]);
  return box(down, across);
}

/**
 * @param {Span} down
 * @param {Span} across
 * @returns {Box}
 */
function box(down, across) {
  const strips = zeroStrips(down.length, across.length);
  return {
    top: down.start,
    left: across.start,
    rows: down.length,
    columns: across.length,
    down: down.wanted,
    across: across.wanted,
    strips,
  };
}

/**
 * @typedef {{start: number, length: number, wanted: [number, number]}} Span
 *
 * @param {number} length
 * @param {number} count
 * @returns {Span[]} of about the same length. They begin at Winograd's tiles, so that how a picture
 *   is cut shows in the last bit of a float only, and in one level of a few samples.
 */
function cut(length, count) {
  const edge = (/** @type {number} */ i) => Math.round((i * length) / count);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor(Math.max(0, edge(i) - HALO) / TILE) * TILE;
    const end = Math.min(length, edge(i + 1) + HALO);
    return { start, length: end - start, wanted: [edge(i) - start, edge(i + 1) - start] };
  });
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} the greatest that divides both
 */
function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}
