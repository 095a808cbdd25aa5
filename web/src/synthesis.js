/** Stage 2 of 5, decoding: the latent of lp1 -> pixels, row by row (models/lp1/synthesis.onnx). */

import { CHANNELS } from "./hyperprior.js";
import { NARROW, RESIDUAL, Ring, RowGraph, reachOf } from "./rows.js";
import { forgetAbove, rowOf } from "./strips.js";

/**
 * @typedef {import("./engine.js").FloatLayer} FloatLayer
 *
 * @typedef {object} Wanted pixels of a latent, counted from where its rows and columns begin
 * @property {number} left column
 * @property {number} right the column behind the last
 * @property {number} first row
 * @property {number} end the row behind the last
 */

export const FACTOR = 16; // pixels a latent position, each way
export const HALO = 5; // latent positions that a pixel sees on each side, as in model.json
const PIXEL_ROWS = 48; // that the two outputs of the trunk may be apart, and more

// Layers by their names, each with the side of the block of pixels that its output becomes. Of the
// blocks, which have two, a model may have fewer.
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
      if (!weight && /\.[ab]$/.test(name)) continue;
      this.layers[name] = engine.floatLayer(weight, bias, { shuffle });
    }
  }

  /**
   * The pixels of a box of a picture. A step of the generator computes a few rows of a layer.
   *
   * @param {Float32Array[]} strips of the latent (strips.js), as much of it as the pixels depend
   *   on; they are freed when they have been used
   * @param {number} rows
   * @param {number} columns
   * @param {Wanted} wanted
   * @param {(y: number, rgba: Uint8Array) => void} emit called for each row in turn; the bytes are
   *   valid during the call
   * @returns {Generator<void>}
   */
  *run(strips, rows, columns, wanted, emit) {
    const { engine } = this;
    const start = engine.top;
    try {
      const { input, graph } = this.build(strips, rows, columns, wanted, emit);
      for (let y = Math.max(0, input.need[0]); y < input.need[1]; y++) {
        engine.floats.set(rowOf(strips, columns, y), input.place(y, 0) / 4);
        input.filled = y + 1;
        while (graph.step()) yield;
      }
    } finally {
      engine.release(start);
    }
  }

  /**
   * @param {Float32Array[]} strips
   * @param {number} rows
   * @param {number} columns
   * @param {Wanted} wanted
   * @param {(y: number, rgba: Uint8Array) => void} emit
   * @returns {{input: Ring, graph: RowGraph}} where the latent goes, and what works on it
   */
  build(strips, rows, columns, { left, right, first, end }, emit) {
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
    // Blocks add their inputs; the last one feeds a layer of 1 x 1, or the two ends.
    const blocks = (
      /** @type {string[]} */ names,
      /** @type {Ring} */ from,
      /** @type {number | undefined} */ last,
    ) =>
      names
        .filter((name) => layers[`${name}.a`])
        .reduce((residual, name, i, present) => {
          const depth = i < present.length - 1 ? RESIDUAL : last;
          const inner = convolution(`${name}.a`, residual, { relu: true });
          return convolution(`${name}.b`, inner, { residual, depth });
        }, from);

    const input = add(new Ring(engine, rows, columns, CHANNELS, 1));
    const wider = { shuffle: 2, depth: RESIDUAL };
    let trunk = convolution("trunk.0", input, { depth: RESIDUAL });
    trunk = blocks(["trunk.1", "trunk.2"], trunk, NARROW);
    trunk = convolution("trunk.3", trunk, wider);
    trunk = blocks(["trunk.5", "trunk.6", "trunk.7"], trunk, NARROW);
    trunk = convolution("trunk.8", trunk, wider);
    trunk = blocks(["trunk.10", "trunk.11"], trunk, undefined);

    const height = FACTOR * rows;
    const [coarse, fine, linear] = [PIXEL_ROWS, PIXEL_ROWS, FACTOR].map(
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
      const reach = reachOf(layer);
      const size = layer.oc * from.w;
      const lines = engine.alloc(4 * size * reach.rows);
      const run = graph.rows(layer, from);
      const pixels = 3 * side;
      const compute = (/** @type {number} */ y) => {
        const top = reach.rows * y;
        run(y, (o, row) => lines + 4 * (size * (row - top) + o), layer.oc);
        for (let i = 0; i < reach.rows && top + i < from.h; i++) {
          for (let dy = 0; dy < side; dy++) {
            const line = lines + 4 * (size * i + dy * pixels);
            const to = out.row(side * (top + i) + dy);
            engine.code.scatter(line, layer.oc, to, pixels, from.w, pixels);
          }
        }
      };
      return { reach: { ...reach, rows: side * reach.rows }, compute };
    };
    const output = (
      /** @type {string} */ name,
      /** @type {Ring} */ from,
      /** @type {number} */ side,
      /** @type {PixelRing} */ out,
    ) => {
      const { reach, compute } = paint(name, from, side, out);
      graph.stage(from, out, reach, compute);
    };
    output("coarse.0", trunk, 4, coarse);
    const wide = convolution("fine.0", trunk, { relu: true, shuffle: 2 });
    output("fine.5", convolution("fine.3", wide, { relu: true }), 2, fine);

    // The straight layer runs when its rows are wanted, long after the others have taken them.
    const position = new Ring(engine, rows, columns, CHANNELS, 1);
    const straight = paint("linear.0", position, FACTOR, linear).compute;
    const pixels = engine.alloc(4 * FACTOR * columns);
    let [done, lines] = [first, -1];
    const finish = () => {
      for (; done < end && coarse.filled > done && fine.filled > done; done++) {
        if (lines !== done >> 4) {
          lines = done >> 4;
          engine.floats.set(rowOf(strips, columns, lines), position.place(lines, 0) / 4);
          straight(lines);
          forgetAbove(strips, lines); // the deep layers have taken those rows long before
        }
        const rowsOfParts = [coarse.row(done), fine.row(done), linear.row(done)];
        engine.code.finish(...rowsOfParts, pixels, right);
        emit(done, engine.bytes.subarray(pixels + 4 * left, pixels + 4 * right));
      }
    };
    coarse.notify = finish;
    fine.notify = finish;
    graph.demand(rings);
    return { input, graph };
  }
}
