/** Stage 2 of 5, decoding: the latent of lp1 -> pixels, row by row (models/lp1/synthesis.onnx). */

import { Ring, RowGraph, reachOf } from "./rows.js";

/** @typedef {import("./engine.js").FloatLayer} FloatLayer */

export const CHANNELS = 320;
export const FACTOR = 16; // pixels a latent position, each way
export const HALO = 9; // latent positions that a pixel sees on each side
const LATENT_DEPTH = 16;

// Layers by their names, each with the side of the block of pixels that its output becomes.
/** @type {[string, number][]} */
const LAYERS = [
  ["trunk.0", 1],
  ["trunk.1.a", 1],
  ["trunk.1.b", 1],
  ["trunk.2.a", 1],
  ["trunk.2.b", 1],
  ["trunk.3", 2],
  ["trunk.5.a", 1],
  ["trunk.5.b", 1],
  ["trunk.6.a", 1],
  ["trunk.6.b", 1],
  ["trunk.7.a", 1],
  ["trunk.7.b", 1],
  ["trunk.8", 2],
  ["trunk.10.a", 1],
  ["trunk.10.b", 1],
  ["trunk.11.a", 1],
  ["trunk.11.b", 1],
  ["coarse.0", 4],
  ["fine.0", 2],
  ["fine.3", 1],
  ["fine.5", 2],
  ["linear.0", 16],
];

/** Rows of pixels, three floats each, that are made `rows` at once. */
class PixelRing {
  /**
   * @param {import("./engine.js").Engine} engine
   * @param {number} columns latent positions
   * @param {number} depth rows that are kept
   * @param {number} height all rows
   */
  constructor(engine, columns, depth, height) {
    this.rowBytes = 4 * 3 * FACTOR * columns;
    this.depth = depth;
    this.at = engine.alloc(depth * this.rowBytes);
    this.filled = 0;
    this.need = [0, height];
    /** @type {() => void} */
    this.notify = () => {};
  }

  /** @param {number} y */
  row(y) {
    return this.at + (y % this.depth) * this.rowBytes;
  }
}

export class Synthesis {
  /**
   * @param {import("./engine.js").Engine} engine
   * @param {Record<string, import("./onnx.js").Tensor>} weights of synthesis.onnx
   */
  constructor(engine, weights) {
    this.engine = engine;
    /** @type {Record<string, FloatLayer>} */
    this.layers = {};
    for (const [name, shuffle] of LAYERS) {
      const [weight, bias] = [weights[`gs.${name}.weight`], weights[`gs.${name}.bias`]];
      this.layers[name] = engine.floatLayer(weight, bias, { shuffle });
    }
  }

  /**
   * The pixels of some rows of a picture. A step of the generator takes a row of the latent.
   *
   * @param {Float32Array} latent (rows, columns, CHANNELS), as much of it as the pixels depend on
   * @param {number} rows
   * @param {number} columns
   * @param {{width: number, first: number, end: number}} wanted rows of pixels, from 0 where the
   *   latent's rows begin
   * @param {(y: number, rgba: Uint8Array) => void} emit called for each row in turn; the bytes are
   *   valid during the call
   * @returns {Generator<void>}
   */
  *run(latent, rows, columns, { width, first, end }, emit) {
    const { engine } = this;
    const start = engine.top;
    try {
      const input = this.build(rows, columns, { width, first, end }, emit);
      const size = CHANNELS * columns;
      for (let y = Math.max(0, input.need[0]); y < input.need[1]; y++) {
        engine.floats.set(latent.subarray(y * size, (y + 1) * size), input.place(y, 0) / 4);
        input.filled = y + 1;
        input.notify();
        yield;
      }
    } finally {
      engine.release(start);
    }
  }

  /**
   * @param {number} rows
   * @param {number} columns
   * @param {{width: number, first: number, end: number}} wanted
   * @param {(y: number, rgba: Uint8Array) => void} emit
   * @returns {Ring} where the latent goes
   */
  build(rows, columns, { width, first, end }, emit) {
    const { engine, layers } = this;
    const graph = new RowGraph(engine);
    /** @type {Ring[]} */
    const rings = [];
    const add = (/** @type {Ring} */ ring) => {
      rings.push(ring);
      return ring;
    };
    const convolution = (
      /** @type {string} */ name,
      /** @type {Ring} */ from,
      /** @type {any} */ options = {},
    ) => add(graph.convolution(layers[name], from, options));
    const block = (/** @type {string} */ name, /** @type {Ring} */ from) =>
      convolution(`${name}.b`, convolution(`${name}.a`, from, { relu: true }), { residual: from });

    const latent = add(new Ring(engine, rows, columns, CHANNELS, LATENT_DEPTH));
    let trunk = convolution("trunk.0", latent);
    for (const name of ["trunk.1", "trunk.2"]) trunk = block(name, trunk);
    trunk = convolution("trunk.3", trunk, { shuffle: 2 });
    for (const name of ["trunk.5", "trunk.6", "trunk.7"]) trunk = block(name, trunk);
    trunk = convolution("trunk.8", trunk, { shuffle: 2 });
    for (const name of ["trunk.10", "trunk.11"]) trunk = block(name, trunk);

    const height = FACTOR * rows;
    const [coarse, fine, linear] = [32, 16, 16].map(
      (depth) => new PixelRing(engine, columns, depth, height),
    );
    for (const out of [coarse, fine]) out.need = [first, end];
    const paint = (
      /** @type {string} */ name,
      /** @type {Ring} */ from,
      /** @type {number} */ side,
      /** @type {PixelRing} */ out,
    ) => {
      const layer = layers[name];
      const line = engine.alloc(4 * layer.oc * from.w);
      const run = graph.row(layer, from);
      const pixels = 3 * side;
      return (/** @type {number} */ y) => {
        run(y, (o) => line + 4 * o, layer.oc);
        for (let dy = 0; dy < side; dy++) {
          const to = out.row(side * y + dy);
          engine.code.scatter(line + 4 * dy * pixels, layer.oc, to, pixels, from.w, pixels);
        }
      };
    };
    const to = (/** @type {string} */ name, /** @type {number} */ side) => ({
      ...reachOf(layers[name]),
      rows: side,
    });
    graph.stage(trunk, coarse, to("coarse.0", 4), paint("coarse.0", trunk, 4, coarse));
    const wide = convolution("fine.0", trunk, { relu: true, shuffle: 2 });
    const details = convolution("fine.3", wide, { relu: true });
    graph.stage(details, fine, to("fine.5", 2), paint("fine.5", details, 2, fine));

    const straight = paint("linear.0", latent, FACTOR, linear);
    const pixels = engine.alloc(4 * FACTOR * columns);
    let [done, lines] = [first, -1];
    const finish = () => {
      for (; done < end && coarse.filled > done && fine.filled > done; done++) {
        if (lines !== done >> 4) straight((lines = done >> 4));
        const rowsOfParts = [coarse.row(done), fine.row(done), linear.row(done)];
        engine.code.finish(...rowsOfParts, pixels, width);
        emit(done, engine.bytes.subarray(pixels, pixels + 4 * width));
      }
    };
    coarse.notify = finish;
    fine.notify = finish;
    graph.demand(rings);
    return latent;
  }
}
