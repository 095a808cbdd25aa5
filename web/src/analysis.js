/**
 * Stage 2 of the encoder: RGB -> latent of space lp1 (analysis.onnx), and latent -> hyper latent
 * (hyper_analysis.onnx). Both are floats that no decoder needs, so they may round as they like.
 */
import { RowNetwork } from "./row_network.js";

export const CHANNELS = 320;
export const HYPER_CHANNELS = 64;
const FACTOR = 16; // pixels a latent position, each way
const HYPER_FACTOR = 4; // latent positions a hyper position, each way
const Z_MAX = 127;
const STRIP_ROWS = 64; // latent rows that are given at a time
// The layers of analysis.onnx in their order: a residual pair each where it says so.
const DEEP = ["0", "1 pair", "2", "3 pair", "4 pair", "5 pair", "6", "7 pair", "8 pair", "9"];
const GEOMETRY = { // stride and padding of the kernels of each size
  1: [1, 0], 3: [1, 1], 4: [2, 1], 8: [4, 2], 16: [16, 0],
};

/** @typedef {Record<string, {dims: number[], data: Float32Array}>} Tensors */

/**
 * @param {RowNetwork} network
 * @param {Tensors} tensors
 * @param {string} name
 */
function load(network, tensors, name) {
  const weight = tensors[`${name}.weight`];
  const [stride, padding] = GEOMETRY[/** @type {1} */ (weight.dims[2])];
  return network.layer(weight, tensors[`${name}.bias`], stride, padding);
}

export class Analysis {
  /**
   * @param {WebAssembly.Module} module the compiled engine
   * @param {Tensors} tensors initialisers of analysis.onnx
   */
  constructor(module, tensors) {
    const network = new RowNetwork(module);
    this.network = network;
    this.steps = DEEP.flatMap((step) => {
      const [name, pair] = step.split(" ");
      const names = pair ? [`ga.deep.${name}.a`, `ga.deep.${name}.b`] : [`ga.deep.${name}`];
      return [names.map((each) => load(network, tensors, each))];
    });
    this.linear = load(network, tensors, "ga.linear");
    network.mark();
  }

  /**
   * The latent of a picture, in strips of up to 64 rows from the top, positions in raster order
   * with their channels last.
   * @param {{width: number, height: number}} picture
   * @param {(row: number, out: Float32Array) => void} readRow writes a row of the picture, RGB from
   *   0 to 255, 3 * width floats
   * @returns {Generator<{rows: number, columns: number, data: Float32Array}>}
   */
  * strips({ width, height }, readRow) {
    const { network } = this;
    network.rewind();
    const rows = Math.ceil(height / FACTOR);
    const columns = Math.ceil(width / FACTOR);
    const pixels = network.ring(FACTOR * rows, FACTOR * columns, 3, 2, 2 * FACTOR);
    const latent = network.ring(rows, columns, CHANNELS, 0, FACTOR);
    const straight = network.ring(rows, columns, CHANNELS, 0, FACTOR);
    network.convolve(pixels, this.linear, { output: straight });
    let plane = pixels;
    for (const [first, second] of this.steps) {
      if (second) {
        const inner = network.convolve(plane, first, { relu: true });
        plane = network.convolve(inner, second, { residual: plane });
      } else if (first.outputs === CHANNELS) {
        plane = network.convolve(plane, first, { residual: straight, output: latent });
      } else {
        plane = network.convolve(plane, first);
      }
    }

    let strip = new Float32Array(0);
    let filled = 0;
    const size = CHANNELS * columns;
    /** @type {Float32Array[]} */
    const finished = [];
    latent.users.push(() => {
      const row = latent.ready - 1;
      if (filled === 0) strip = new Float32Array(size * Math.min(STRIP_ROWS, rows - row));
      const from = network.place(latent, row) >> 2;
      strip.set(network.floats.subarray(from, from + size), filled);
      filled += size;
      if (filled === strip.length) {
        finished.push(strip);
        filled = 0;
      }
    });
    const line = new Float32Array(3 * FACTOR * columns);
    for (let y = 0; y < FACTOR * rows; y++) {
      if (y < height) {
        readRow(y, line);
        normalize(line, width, FACTOR * columns);
      }
      network.floats.set(line, network.place(pixels, y) >> 2);
      network.advance(pixels, y + 1);
      while (finished.length) {
        const data = /** @type {Float32Array} */ (finished.shift());
        yield { rows: data.length / size, columns, data };
      }
    }
  }
}

/**
 * 0 to 255 -> -1 to 1, the last pixel repeated up to `columns`.
 * @param {Float32Array} line
 * @param {number} width
 * @param {number} columns
 */
function normalize(line, width, columns) {
  for (let i = 0; i < 3 * width; i++) line[i] = Math.fround(line[i] * Math.fround(2 / 255)) - 1;
  for (let i = 3 * width; i < 3 * columns; i++) line[i] = line[i - 3];
}

export class HyperAnalysis {
  /**
   * @param {WebAssembly.Module} module the compiled engine
   * @param {Tensors} tensors initialisers of hyper_analysis.onnx
   */
  constructor(module, tensors) {
    this.network = new RowNetwork(module);
    this.layers = ["0", "2", "4"].map((n) => load(this.network, tensors, `prior.ha.${n}`));
    this.network.mark();
  }

  /**
   * A segment in steps -> its hyper latent, whole numbers of (channel, row, column).
   * @param {Float32Array} y positions in raster order, channels last
   * @param {number} rows
   * @param {number} columns
   * @returns {Int32Array}
   */
  run(y, rows, columns) {
    const { network } = this;
    network.rewind();
    const down = Math.ceil(rows / HYPER_FACTOR);
    const across = Math.ceil(columns / HYPER_FACTOR);
    const input = network.ring(HYPER_FACTOR * down, HYPER_FACTOR * across, CHANNELS, 0, 1);
    const [first, second, third] = this.layers;
    const inner = network.convolve(input, first, { relu: true });
    const half = network.convolve(inner, second, { relu: true });
    const out = network.convolve(half, third);
    const z = new Int32Array(HYPER_CHANNELS * down * across);
    out.users.push(() => {
      const row = out.ready - 1;
      for (let x = 0; x < across; x++) {
        const from = network.place(out, row, x) >> 2;
        for (let c = 0; c < HYPER_CHANNELS; c++) {
          const value = roundHalfToEven(network.floats[from + c]);
          z[(c * down + row) * across + x] = Math.min(Math.max(value, -Z_MAX), Z_MAX);
        }
      }
    });
    const size = CHANNELS * columns;
    for (let row = 0; row < input.rows; row++) {
      const to = network.place(input, row) >> 2;
      if (row < rows) {
        const from = row * size;
        for (let i = 0; i < size; i++) network.floats[to + i] = asinh(y[from + i]);
      } else {
        network.floats.fill(0, to, to + size);
      }
      network.advance(input, row + 1);
    }
    return z;
  }
}

/**
 * Math.asinh, in two of its terms: for a few ten thousand numbers a row.
 * @param {number} x
 */
function asinh(x) {
  const size = Math.abs(x);
  return Math.sign(x) * Math.log1p(size + (size * size) / (1 + Math.sqrt(1 + size * size)));
}

/**
 * @param {number} x
 * @returns {number} the nearest whole number, of two the even one
 */
export function roundHalfToEven(x) {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
