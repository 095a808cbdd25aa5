/**
 * Networks whose rows flow through: every plane is a ring of a few rows, so memory grows with the
 * width of a picture only. A row is computed as soon as the rows are there that it depends on, and
 * only where something needs it.
 */

import { roundUp } from "./engine.js";

/** @typedef {import("./engine.js").FloatLayer} FloatLayer */

const TILE = 4; // outputs of a Winograd tile
const FREQUENCIES = 6;
const GROUP = 8;
const DEPTH = 6; // rows of a ring: those that a convolution and its residual reach back to

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
    /** @type {(() => void)[]} */
    this.users = [];
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

  /** Tell those who wait that rows have been added. */
  notify() {
    for (const user of this.users) user();
  }
}

/** Layers between rings. */
export class RowGraph {
  /** @param {import("./engine.js").Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.products = engine.alloc(0);
    this.productBytes = 0;
    /** @type {(() => void)[]} from the last stage to the first: each tells what it needs */
    this.demands = [];
  }

  /**
   * Compute rows of `out` from rows of `input`.
   *
   * @param {Ring} input
   * @param {{need: number[], notify: () => void, filled: number}} out
   * @param {{above: number, below: number, stride?: number, rows?: number}} reach rows of the input
   *   above and below row `stride * y` that row y depends on; `rows` of the output come at once
   * @param {(y: number) => void} compute
   */
  stage(input, out, { above, below, stride = 1, rows = 1 }, compute) {
    let next = -1;
    this.demands.unshift(() => {
      const first = Math.floor(out.need[0] / rows);
      const end = Math.ceil(out.need[1] / rows);
      next = first;
      input.need[0] = Math.min(input.need[0], Math.max(0, stride * first - above));
      input.need[1] = Math.max(input.need[1], Math.min(input.h, stride * (end - 1) + below + 1));
      out.filled = rows * first;
    });
    input.users.push(() => {
      const end = Math.ceil(out.need[1] / rows);
      while (next < end && input.filled > Math.min(stride * next + below, input.h - 1)) {
        compute(next++);
        out.filled = rows * next;
        out.notify();
      }
    });
  }

  /**
   * Say which rows of the results are wanted; to be called once, before the first row comes.
   *
   * @param {Ring[]} rings all but the results
   */
  demand(rings) {
    for (const ring of rings) ring.need = [ring.h, 0];
    for (const demand of this.demands) demand();
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
    const run = this.row(layer, input);
    this.stage(input, out, { ...reachOf(layer), rows: side }, (y) => {
      run(
        y,
        (o) => {
          const pixel = Math.floor(o / c);
          const at = out.place(side * y + Math.floor(pixel / side), pixel % side);
          return at + 4 * (o % c);
        },
        side * c,
        relu,
        residual,
      );
    });
    return out;
  }

  /**
   * A function that computes a row of a layer.
   *
   * @param {FloatLayer} layer
   * @param {Ring} input
   * @returns {(y: number, place: (channel: number) => number, outStride: number, relu?: boolean,
   *   residual?: Ring) => void} place: where the first pixel of a channel goes. outStride: floats
   *   from pixel to pixel there.
   */
  row(layer, input) {
    if (layer.winograd) return this.winogradRow(layer, input);
    const { engine } = this;
    const pixels = Math.ceil(input.w / layer.stride);
    return (y, place, outStride, relu = false, residual = undefined) => {
      layer.taps.forEach(([down, right], i) => {
        engine.int32[engine.tapsAt / 4 + i] = input.place(layer.stride * y + down, right);
      });
      this.setPlaces(layer, y, place, residual);
      engine.code.convolve(
        engine.tapsAt,
        layer.taps.length,
        layer.ic,
        pixels,
        layer.stride * input.c,
        layer.weights,
        layer.bias,
        layer.oc,
        engine.outsAt,
        outStride,
        relu ? 1 : 0,
        residual ? engine.residualsAt : 0,
      );
    };
  }

  /**
   * The same of a 3 x 3 layer; rows of the input are transformed once each.
   *
   * @param {FloatLayer} layer
   * @param {Ring} input
   * @returns {(y: number, place: (channel: number) => number, outStride: number, relu?: boolean,
   *   residual?: Ring) => void}
   */
  winogradRow(layer, input) {
    const { engine } = this;
    const tiles = Math.ceil(input.w / TILE);
    const rowBytes = 4 * FREQUENCIES * tiles * layer.ic;
    const at = engine.alloc(4 * rowBytes); // three rows and one of zeros
    this.reserveProducts(4 * FREQUENCIES * tiles * GROUP);
    let done = -1; // the last row that is transformed
    return (y, place, outStride, relu = false, residual = undefined) => {
      if (done < 0) done = Math.max(0, y - 1) - 1;
      for (; done < Math.min(y + 1, input.h - 1); done++) {
        const to = at + ((done + 1) % 3) * rowBytes;
        engine.code.winograd_input(input.place(done + 1, -1), layer.ic, tiles, to);
      }
      for (let t = 0; t < 3; t++) {
        const row = y + t - 1;
        const slot = row < 0 || row >= input.h ? 3 : row % 3;
        engine.int32[engine.tapsAt / 4 + t] = at + slot * rowBytes;
      }
      this.setPlaces(layer, y, place, residual);
      engine.code.winograd(
        engine.tapsAt,
        layer.ic,
        input.w,
        layer.weights,
        layer.bias,
        layer.oc,
        this.products,
        engine.outsAt,
        outStride,
        relu ? 1 : 0,
        residual ? engine.residualsAt : 0,
      );
    };
  }

  /**
   * @param {FloatLayer} layer
   * @param {number} y
   * @param {(channel: number) => number} place
   * @param {Ring | undefined} residual
   */
  setPlaces(layer, y, place, residual) {
    const { int32, outsAt, residualsAt } = this.engine;
    for (let g = 0; g < layer.oc / GROUP; g++) {
      int32[outsAt / 4 + g] = place(GROUP * g);
      if (residual) int32[residualsAt / 4 + g] = residual.place(y, 0) + 4 * GROUP * g;
    }
  }

  /** @param {number} size in bytes */
  reserveProducts(size) {
    if (size <= this.productBytes) return;
    this.products = this.engine.alloc(size);
    this.productBytes = size;
  }
}

/**
 * @param {FloatLayer} layer
 * @returns {{above: number, below: number, stride: number}}
 */
export function reachOf({ taps, stride }) {
  const rows = taps.map(([down]) => down);
  return { above: -Math.min(...rows), below: Math.max(...rows), stride };
}
