/**
 * Stage 2 of the encoder: RGB -> latent of space lp1 (analysis.onnx), and latent -> hyper latent
 * (hyper_analysis.onnx). Both are floats that no decoder needs, so they may round as they like.
 */

import { RESIDUAL, Ring, RowGraph } from "./rows.js";

export const CHANNELS = 320;
export const FACTOR = 16; // pixels a latent position, each way
const HYPER_CHANNELS = 64;
const HYPER_FACTOR = 4; // latent positions a hyper position, each way
const Z_MOST = 127;
const LAG = 48; // latent rows that the deep layers may lie behind the straight one, and more
const STRIP_ROWS = 64; // latent rows that are given at a time
// The layers of analysis.onnx in their order; a block has two, and adds its input. A model may have
// fewer blocks.
const DEEP = ["0", "1 block", "2", "3 block", "4 block", "5 block", "6", "7 block", "8 block", "9"];
// Stride and padding of the kernels of each size.
const GEOMETRY = /** @type {Record<number, {stride: number, pad: number}>} */ ({
  1: { stride: 1, pad: 0 },
  3: { stride: 1, pad: 1 },
  4: { stride: 2, pad: 1 },
  8: { stride: 4, pad: 2 },
  16: { stride: 16, pad: 0 },
});

/**
 * @typedef {import("./engine.js").Engine} Engine
 * @typedef {import("./engine.js").FloatLayer} FloatLayer
 * @typedef {Record<string, import("./onnx.js").Tensor>} Tensors
 *
 * @typedef {object} Strip some rows of a latent
 * @property {number} rows
 * @property {number} columns
 * @property {Float32Array} data (rows, columns, CHANNELS)
 */

/**
 * @param {Engine} engine
 * @param {Tensors} tensors
 * @param {string} name
 * @returns {FloatLayer}
 */
function load(engine, tensors, name) {
  const weight = tensors[`${name}.weight`];
  const [, channels, rows, columns] = weight.dims;
  const { stride, pad } = GEOMETRY[rows];
  const layer = engine.floatLayer(weight, tensors[`${name}.bias`], { stride, pad });
  if (layer.winograd) return layer;
  // The pixels of a row lie one behind the other: a row of the kernel is one tap, of more channels.
  const taps = layer.taps.filter(([, right]) => right === -pad);
  return { ...layer, taps, ic: columns * channels };
}

export class Analysis {
  /**
   * @param {Engine} engine for this alone, since a picture keeps it between its strips
   * @param {Tensors} tensors initializers of analysis.onnx
   */
  constructor(engine, tensors) {
    this.engine = engine;
    this.linear = load(engine, tensors, "ga.linear");
    /** @type {FloatLayer[][]} */
    this.steps = [];
    for (const step of DEEP) {
      const [name, isBlock] = step.split(" ");
      const names = isBlock ? [`${name}.a`, `${name}.b`] : [name];
      if (isBlock && !tensors[`ga.deep.${name}.a.weight`]) continue;
      this.steps.push(names.map((each) => load(engine, tensors, `ga.deep.${each}`)));
    }
  }

  /**
   * The latent of a picture, from the top. A step of the generator takes 16 rows of pixels. It is
   * run to its end, or returned, before another one begins.
   *
   * @param {number} width
   * @param {number} height
   * @param {(row: number, out: Float32Array) => void} readRow writes a row of the picture, RGB from
   *   0 to 255, 3 * width floats
   * @returns {Generator<Strip | null>} strips of up to 64 rows, and null where none is whole yet
   */
  *strips(width, height, readRow) {
    const { engine } = this;
    const start = engine.top;
    try {
      const rows = Math.ceil(height / FACTOR);
      const columns = Math.ceil(width / FACTOR);
      const { pixels, latent, graph } = this.build(rows, columns);
      const size = CHANNELS * columns;
      /** @type {Strip[]} */
      const begun = [];
      let filled = 0; // rows of the latent
      let given = 0;
      latent.notify = () => {
        if (filled % STRIP_ROWS === 0) {
          const own = Math.min(STRIP_ROWS, rows - filled);
          begun.push({ rows: own, columns, data: new Float32Array(size * own) });
        }
        const from = latent.place(filled, 0) / 4;
        const row = engine.floats.subarray(from, from + size);
        begun[begun.length - 1].data.set(row, size * (filled % STRIP_ROWS));
        filled++;
      };
      const line = new Float32Array(3 * FACTOR * columns);
      for (let y = 0; y < FACTOR * rows; y++) {
        if (y < height) {
          readRow(y, line);
          normalize(line, width);
        }
        engine.floats.set(line, pixels.place(y, 0) / 4);
        pixels.filled = y + 1;
        while (graph.step());
        if (y % FACTOR === FACTOR - 1) yield null;
        while (begun.length && filled >= given + begun[0].rows) {
          const strip = /** @type {Strip} */ (begun.shift());
          given += strip.rows;
          yield strip;
        }
      }
    } finally {
      engine.release(start);
    }
  }

  /**
   * @param {number} rows of the latent
   * @param {number} columns
   * @returns {{pixels: Ring, latent: Ring, graph: RowGraph}} where pixels go, where the latent
   *   comes, and what works on them
   */
  build(rows, columns) {
    const { engine } = this;
    const graph = new RowGraph(engine);
    const pixels = new Ring(engine, FACTOR * rows, FACTOR * columns, 3, 2 * FACTOR, 2);
    const straight = graph.convolution(this.linear, pixels, { depth: LAG });
    const rings = [pixels];
    let plane = pixels;
    for (const [first, second] of this.steps) {
      const residual = first.oc === CHANNELS ? straight : undefined;
      const below = plane;
      const depth = second ? undefined : RESIDUAL;
      plane = graph.convolution(first, plane, { relu: second !== undefined, residual, depth });
      rings.push(plane);
      if (!second) continue;
      plane = graph.convolution(second, plane, { residual: below, depth: RESIDUAL });
      rings.push(plane);
    }
    graph.demand(rings.slice(0, -1));
    return { pixels, latent: plane, graph };
  }
}

/**
 * 0 to 255 -> -1 to 1, the last pixel repeated up to the end of the line.
 *
 * @param {Float32Array} line
 * @param {number} width
 */
function normalize(line, width) {
  const unit = Math.fround(2 / 255);
  for (let i = 0; i < 3 * width; i++) line[i] = Math.fround(line[i] * unit) - 1;
  for (let i = 3 * width; i < line.length; i++) line[i] = line[i - 3];
}

export class HyperAnalysis {
  /**
   * @param {Engine} engine
   * @param {Tensors} tensors initializers of hyper_analysis.onnx
   */
  constructor(engine, tensors) {
    this.engine = engine;
    this.layers = ["0", "2", "4"].map((n) => load(engine, tensors, `prior.ha.${n}`));
  }

  /**
   * @param {Float32Array} y a segment in steps, (rows, columns, CHANNELS)
   * @param {number} rows
   * @param {number} columns
   * @returns {Int32Array} its hyper latent, (64, ceil(rows / 4), ceil(columns / 4))
   */
  run(y, rows, columns) {
    const { engine } = this;
    const start = engine.top;
    const [down, across] = [Math.ceil(rows / HYPER_FACTOR), Math.ceil(columns / HYPER_FACTOR)];
    const graph = new RowGraph(engine);
    const [height, width] = [HYPER_FACTOR * down, HYPER_FACTOR * across];
    const input = new Ring(engine, height, width, CHANNELS, 1, 0);
    const inner = graph.convolution(this.layers[0], input, { relu: true });
    const half = graph.convolution(this.layers[1], inner, { relu: true });
    const out = graph.convolution(this.layers[2], half);
    graph.demand([input, inner, half]);
    const z = new Int32Array(HYPER_CHANNELS * down * across);
    let row = 0;
    out.notify = () => {
      for (let x = 0; x < across; x++) {
        const from = out.place(row, x) / 4;
        for (let c = 0; c < HYPER_CHANNELS; c++) {
          const value = roundHalfToEven(engine.floats[from + c]);
          z[(c * down + row) * across + x] = Math.max(-Z_MOST, Math.min(Z_MOST, value));
        }
      }
      row++;
    };
    const size = CHANNELS * columns;
    for (let line = 0; line < height; line++) {
      const to = input.place(line, 0) / 4;
      if (line < rows) {
        for (let i = 0, from = line * size; i < size; i++) {
          engine.floats[to + i] = asinh(y[from + i]);
        }
      } else {
        engine.floats.fill(0, to, to + size);
      }
      input.filled = line + 1;
      while (graph.step());
    }
    engine.release(start);
    return z;
  }
}

/**
 * Math.asinh, exact enough for single precision.
 *
 * @param {number} x
 */
function asinh(x) {
  const size = Math.abs(x);
  const value = Math.log1p(size + (size * size) / (1 + Math.sqrt(1 + size * size)));
  return x < 0 ? -value : value;
}

/**
 * @param {number} x
 * @returns {number} the nearest whole number, of two the even one
 */
export function roundHalfToEven(x) {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
