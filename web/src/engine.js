/**
 * The WebAssembly engine (web/engine): its memory, and layers laid out as it wants them.
 *
 * @typedef {import("./onnx.js").Tensor} Tensor
 *
 * @typedef {object} FloatLayer
 * @property {boolean} winograd whether it is a 3 x 3 convolution by Winograd's products
 * @property {number} weights address
 * @property {number} bias address
 * @property {number} ic channels of the input
 * @property {number} oc channels of the output, a multiple of 8
 * @property {[number, number][]} taps rows down and columns right of each
 * @property {number} stride positions of the input from output to output
 *
 * @typedef {object} IntegerLayer
 * @property {number} weights address
 * @property {number} bias address
 * @property {number} scale address
 * @property {number} oc channels of the output, a multiple of 8
 * @property {(values: ArrayLike<number>) => void} setBias
 */

import { LtpError } from "./errors.js";

const GROUP = 8; // output channels that are computed together
const PRODUCTS = 36; // of a Winograd tile
const HEAP = 65536; // below it lie the engine's stack and constants
const PAGE = 65536;
const SPARE_PAGES = 16; // by which memory grows beyond what is asked for
const MAX_TAPS = 256;
const MAX_GROUPS = 256;
// a module whose one function needs SIMD
const SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
);

/**
 * @returns {boolean} whether the engine can run: browsers from before 2023 lack SIMD, and Safari's
 *   Lockdown Mode lacks WebAssembly
 */
export function hasSimd() {
  return typeof WebAssembly !== "undefined" && WebAssembly.validate(SIMD);
}

export class Engine {
  /**
   * @param {BufferSource | WebAssembly.Module} code of engine.wasm
   * @returns {Promise<Engine>}
   */
  static async create(code) {
    if (!hasSimd()) throw new LtpError("image", "this browser lacks SIMD in WebAssembly");
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
    const isModule = code instanceof WebAssembly.Module;
    const module = isModule ? code : await WebAssembly.compile(/** @type {any} */ (code));
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    return new Engine(memory, instance.exports);
  }

  /**
   * @param {WebAssembly.Memory} memory
   * @param {any} code its exported functions
   */
  constructor(memory, code) {
    this.memory = memory;
    this.code = code;
    this.top = HEAP;
    this.mayGrow = true;
    this.floats = new Float32Array(memory.buffer);
    this.int32 = new Int32Array(memory.buffer);
    this.int16 = new Int16Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.tapsAt = this.alloc(4 * MAX_TAPS);
    this.moreTapsAt = this.alloc(4 * MAX_TAPS);
    this.outsAt = this.alloc(4 * MAX_GROUPS);
    this.residualsAt = this.alloc(4 * MAX_GROUPS);
  }

  /** Make the views of the memory anew, which are lost when it grows. */
  refresh() {
    const { buffer } = this.memory;
    this.floats = new Float32Array(buffer);
    this.int32 = new Int32Array(buffer);
    this.int16 = new Int16Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /**
   * @param {number} size in bytes
   * @returns {number} the address of so many bytes, zeros
   */
  alloc(size) {
    const at = this.top;
    this.top = (at + size + 63) & ~63;
    this.grow(this.top);
    this.bytes.fill(0, at, this.top);
    return at;
  }

  /** @param {number} end of the memory that is needed */
  grow(end) {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    if (!this.mayGrow) throw new Error("the engine's memory grows under arrays that lie in it");
    this.memory.grow(missing + SPARE_PAGES);
    this.refresh();
  }

  /**
   * Do work whose arrays lie in the engine's memory, all of which is free again afterwards. The
   * memory must not grow meanwhile, since that takes it away from under the arrays.
   *
   * @template T
   * @param {number} size of everything that is allocated meanwhile, at most
   * @param {() => T} work
   * @returns {T}
   */
  within(size, work) {
    const start = this.top;
    this.grow(start + size);
    this.mayGrow = false;
    try {
      return work();
    } finally {
      this.mayGrow = true;
      this.release(start);
    }
  }

  /**
   * @template T
   * @param {{new (buffer: ArrayBuffer, at: number, length: number): T, BYTES_PER_ELEMENT: number}}
   *   Type of numbers
   * @param {number} length
   * @returns {T} zeros in the engine's memory, to be asked for in `within`
   */
  array(Type, length) {
    const at = this.alloc(Type.BYTES_PER_ELEMENT * length);
    return new Type(this.memory.buffer, at, length);
  }

  /**
   * Free what was allocated since `top` had this value.
   *
   * @param {number} top
   */
  release(top) {
    this.top = top;
  }

  /**
   * @param {Tensor} weight (oc, ic, rows, columns)
   * @param {Tensor} bias (oc,)
   * @param {{shuffle?: number, stride?: number, pad?: number}} [options] shuffle: side of the block
   *   of pixels that the output channels become, which then come pixel by pixel. pad: positions
   *   beyond the border, by default those that keep the size of a 3 x 3 kernel.
   * @returns {FloatLayer}
   */
  floatLayer(weight, bias, { shuffle = 1, stride = 1, pad } = {}) {
    const [channels, ic, rows, columns] = weight.dims;
    const oc = roundUp(channels, GROUP);
    const order = channelOrder(channels, shuffle);
    const winograd = rows === 3 && columns === 3 && stride === 1 && ic % 4 === 0;
    const size = rows * columns;
    const weights = this.alloc(4 * oc * ic * (winograd ? PRODUCTS : size));
    const biasAt = this.alloc(4 * oc);
    const from = this.alloc(4 * oc * ic * size);
    const offsets = bias.take();
    order.forEach((o, i) => {
      weight.put(o * ic * size, ic * size, this.floats, from / 4 + i * ic * size);
      this.floats[biasAt / 4 + i] = offsets[o];
    });
    if (winograd) this.code.winograd_weights(from, oc, ic, weights);
    else this.code.convolve_weights(from, oc, ic, size, weights);
    this.release(from);
    const taps = grid(rows, columns, pad ?? (rows - 1) >> 1);
    return { winograd, weights, bias: biasAt, ic, oc, taps, stride };
  }

  /**
   * @param {Tensor[]} weights of one or two sources, (oc, ic, rows, columns); those of the first
   *   may be several, whose taps follow each other
   * @param {Tensor} scale powers of two, one an output
   * @param {Tensor | null} bias
   * @param {number} [shuffle] as of floatLayer
   * @returns {IntegerLayer}
   */
  integerLayer(weights, scale, bias, shuffle = 1) {
    const [oc] = weights[0].dims;
    const order = channelOrder(oc, shuffle);
    const sources = weights.map((tensor) => ({ dims: tensor.dims, data: tensor.take() }));
    const size = sources.reduce((sum, { dims }) => sum + dims[1] * dims[2] * dims[3], 0);
    const at = this.alloc(2 * oc * size);
    const [biasAt, scaleAt] = [this.alloc(4 * oc), this.alloc(4 * oc)];
    let i = at / 2;
    for (let group = 0; group < oc; group += GROUP) {
      for (const { dims, data } of sources) {
        const [ic, taps] = [dims[1], dims[2] * dims[3]];
        for (let tap = 0; tap < taps; tap++) {
          for (let c = 0; c < ic; c += 2) {
            for (let j = group; j < group + GROUP; j++) {
              this.int16[i++] = data[(order[j] * ic + c) * taps + tap];
              this.int16[i++] = data[(order[j] * ic + c + 1) * taps + tap];
            }
          }
        }
      }
    }
    const setBias = (/** @type {ArrayLike<number>} */ values) => {
      order.forEach((o, k) => {
        this.int32[biasAt / 4 + k] = values[o];
      });
    };
    if (bias) setBias(bias.take());
    const scales = scale.take();
    order.forEach((o, k) => {
      this.floats[scaleAt / 4 + k] = scales[o];
    });
    return { weights: at, bias: biasAt, scale: scaleAt, oc, setBias };
  }
}

/**
 * Where the channels of a block of pixels come from: ONNX's DepthToSpace in its mode CRD has the
 * pixels of a channel side by side, the engine the channels of a pixel.
 *
 * @param {number} channels
 * @param {number} side of the block
 * @returns {number[]}
 */
function channelOrder(channels, side) {
  const pixels = side * side;
  const each = channels / pixels;
  return Array.from({ length: channels }, (_, o) => (o % each) * pixels + Math.floor(o / each));
}

/**
 * @param {number} rows
 * @param {number} columns
 * @param {number} border
 * @returns {[number, number][]} the taps of a kernel
 */
function grid(rows, columns, border) {
  return Array.from({ length: rows * columns }, (_, i) => [
    Math.floor(i / columns) - border,
    (i % columns) - border,
  ]);
}

/**
 * @param {number} value
 * @param {number} unit
 */
export const roundUp = (value, unit) => Math.ceil(value / unit) * unit;
