/**
 * Networks whose rows flow through: every plane is a ring of a few rows, so memory grows with the
 * width of a picture only. A row is computed as soon as the rows are there that it depends on, and
 * only where something needs it.
 */

import { roundUp } from "./engine.js";

/** @typedef {import("./engine.js").FloatLayer} FloatLayer */

export const TILE = 4; // rows and columns of a Winograd tile
const SPAN = 6; // rows of the input that a tile depends on
const SCRATCH = 4 * 36 * 12; // bytes a channel: factors of 12 tiles (web/engine/winograd.c)
const GROUP = 8;
// Rows of a ring, where tiles come and go: for a convolution, and where its residual is added
// after another one. NARROW is for a layer that takes each row as soon as it is there.
const DEPTH = 9;
export const RESIDUAL = 12;
export const NARROW = 4;

/** A plane of h x w positions of c channels, of which the last few rows are there. */
export class Ring {
  /**
   * @param {import("./engine.js").Engine} engine
   * @param {number} h
   * @param {number} w
   * @param {number} c
   * @param {number} [depth] rows that are kept
   * @param {number} [border] columns of zeros on each side
   */
  constructor(engine, h, w, c, depth = DEPTH, border = 1) {
    this.h = h;
    this.w = w;
    this.c = c;
    this.depth = depth;
    this.border = border;
    this.rowBytes = 4 * c * (roundUp(w, TILE) + 2 * border);
    // One row more, which stays zero: it stands for those beyond the border.
    this.at = engine.alloc(this.rowBytes * (depth + 1));
    this.filled = 0; // rows that have been computed
    this.need = [0, h]; // the rows that something depends on
    /** @type {() => void} called when rows have been added */
    this.notify = () => {};
  }

  /**
   * @param {number} y
   * @param {number} x
   * @returns {number} address
   */
  place(y, x) {
    const row = y < 0 || y >= this.h ? this.depth : y % this.depth;
    return this.at + row * this.rowBytes + 4 * this.c * (x + this.border);
  }
}

/** Layers between rings. */
export class RowGraph {
  /** @param {import("./engine.js").Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.scratch = engine.alloc(0);
    this.scratchBytes = 0;
    /** @type {{demand: () => void, work: () => boolean}[]} from the last one to the first */
    this.stages = [];
  }

  /**
   * Compute rows of `out` from rows of `input`.
   *
   * @param {Ring} input
   * @param {{need: number[], notify: () => void, filled: number}} out
   * @param {{above: number, below: number, stride?: number, rows?: number}} reach rows of the input
   *   above and below row `stride * y` that row y depends on; `rows` of the output come at once
   * @param {(y: number) => void} compute
   * @param {Ring} [residual] whose rows are added to those of the output
   */
  stage(input, out, { above, below, stride = 1, rows = 1 }, compute, residual = undefined) {
    let next = -1;
    const demand = () => {
      const first = Math.floor(out.need[0] / rows);
      const end = Math.ceil(out.need[1] / rows);
      next = first;
      input.need[0] = Math.min(input.need[0], Math.max(0, stride * first - above));
      input.need[1] = Math.max(input.need[1], Math.min(input.h, stride * (end - 1) + below + 1));
      out.filled = rows * first;
    };
    const work = () => {
      const isDone = next >= Math.ceil(out.need[1] / rows);
      if (isDone || input.filled <= Math.min(stride * next + below, input.h - 1)) return false;
      if (residual && residual.filled < Math.min(rows * (next + 1), residual.h)) return false;
      compute(next++);
      out.filled = rows * next;
      out.notify();
      return true;
    };
    this.stages.unshift({ demand, work });
  }

  /**
   * Compute what can be computed next: what is near the end goes first, so that no ring loses rows
   * that somebody still wants.
   *
   * @returns {boolean} whether there was anything to do
   */
  step() {
    return this.stages.some(({ work }) => work());
  }

  /**
   * Say which rows of the results are wanted; to be called once, before the first row comes.
   *
   * @param {Ring[]} rings all but the results
   */
  demand(rings) {
    for (const ring of rings) ring.need = [ring.h, 0];
    for (const { demand } of this.stages) demand();
    for (const ring of rings) ring.filled = Math.max(0, ring.need[0]);
  }

  /**
   * A convolution from ring to ring.
   *
   * @param {FloatLayer} layer
   * @param {Ring} input
   * @param {{relu?: boolean, residual?: Ring, depth?: number, shuffle?: number}} [options] shuffle:
   *   side of the block of pixels that an output becomes
   * @returns {Ring}
   */
  convolution(layer, input, { relu = false, residual, depth, shuffle = 1 } = {}) {
    const side = shuffle;
    const c = layer.oc / (side * side);
    const h = Math.ceil(input.h / layer.stride) * side;
    const w = Math.ceil(input.w / layer.stride) * side;
    const out = new Ring(this.engine, h, w, c, depth);
    const run = this.rows(layer, input);
    const reach = reachOf(layer);
    const compute = (/** @type {number} */ y) => {
      const place = (/** @type {number} */ o, /** @type {number} */ row) => {
        const pixel = Math.floor(o / c);
        const at = out.place(side * row + Math.floor(pixel / side), pixel % side);
        return at + 4 * (o % c);
      };
      run(y, place, side * c, relu, residual);
    };
    this.stage(input, out, { ...reach, rows: side * reach.rows }, compute, residual);
    return out;
  }

  /**
   * A function that computes a row of a layer, or the four rows of Winograd's tiles.
   *
   * @param {FloatLayer} layer
   * @param {Ring} input
   * @returns {(y: number, place: (channel: number, row: number) => number, outStride: number,
   *   relu?: boolean, residual?: Ring) => void} y: in units of those rows. place: where the first
   *   pixel of a channel in a row goes. outStride: floats from pixel to pixel there.
   */
  rows(layer, input) {
    const { engine } = this;
    if (layer.winograd) this.reserveScratch(SCRATCH * (layer.ic + GROUP));
    const pixels = Math.ceil(input.w / layer.stride);
    return (y, place, outStride, relu = false, residual = undefined) => {
      const { int32, tapsAt, outsAt, residualsAt, code } = engine;
      const { weights, bias, oc, ic, taps, winograd } = layer;
      const count = winograd ? Math.min(TILE, input.h - TILE * y) : 1;
      this.setPlaces(layer, y, count, place, residual);
      const residuals = residual ? residualsAt : 0;
      if (winograd) {
        for (let i = 0; i < SPAN; i++) int32[tapsAt / 4 + i] = input.place(TILE * y - 1 + i, -1);
        const to = [outsAt, outStride, relu ? 1 : 0, residuals, count];
        code.winograd(tapsAt, ic, pixels, weights, bias, oc, this.scratch, ...to);
        return;
      }
      taps.forEach(([down, right], i) => {
        int32[tapsAt / 4 + i] = input.place(layer.stride * y + down, right);
      });
      const from = [tapsAt, taps.length, ic, pixels, layer.stride * input.c];
      code.convolve(...from, weights, bias, oc, outsAt, outStride, relu ? 1 : 0, residuals);
    };
  }

  /**
   * @param {FloatLayer} layer
   * @param {number} y
   * @param {number} count rows
   * @param {(channel: number, row: number) => number} place
   * @param {Ring | undefined} residual
   */
  setPlaces(layer, y, count, place, residual) {
    const { int32, outsAt, residualsAt } = this.engine;
    const each = layer.winograd ? TILE : 1;
    for (let o = 0, at = 0; o < layer.oc; o += GROUP, at += each) {
      for (let i = 0; i < count; i++) {
        int32[outsAt / 4 + at + i] = place(o, each * y + i);
        if (residual) int32[residualsAt / 4 + at + i] = residual.place(each * y + i, 0) + 4 * o;
      }
    }
  }

  /** @param {number} size in bytes */
  reserveScratch(size) {
    if (size <= this.scratchBytes) return;
    this.scratch = this.engine.alloc(size);
    this.scratchBytes = size;
  }
}

/**
 * @param {FloatLayer} layer
 * @returns {{above: number, below: number, stride: number, rows: number}} as of RowGraph.stage
 */
export function reachOf({ taps, stride, winograd }) {
  if (winograd) return { above: 1, below: TILE, stride: TILE, rows: TILE };
  const rows = taps.map(([down]) => down);
  return { above: -Math.min(...rows), below: Math.max(...rows), stride, rows: 1 };
}
