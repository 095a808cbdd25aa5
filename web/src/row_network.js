/**
 * Convolutions whose rows flow through WebAssembly memory: a row of a layer is computed as soon as
 * the rows that it needs are there, and every plane is a ring of its last few rows. So the memory
 * grows with the width of a picture alone.
 *
 * Planes hold their channels last. A kernel of k x k is k taps of k * channels floats each, since
 * the pixels of a row lie one behind the other; a stride is a distance between pixels. So the
 * engine's one kernel (`fconv` of engine.c) runs every layer.
 */

const GROUP = 8; // output channels that the kernel computes at a time
const ALIGN = 64;
const PAGE = 65536;
const FIRST_PAGE_OF_DATA = 1; // below it lies the stack of the WebAssembly module

/**
 * @typedef {object} Layer
 * @property {number} weights address
 * @property {number} bias address
 * @property {number} channels of the input
 * @property {number} outputs channels of the output, a multiple of 8
 * @property {number} size rows and columns of the kernel
 * @property {number} stride
 * @property {number} padding
 */

/**
 * @typedef {object} Ring
 * @property {number} rows of the whole plane
 * @property {number} columns
 * @property {number} channels
 * @property {number} border columns of zeros on each side
 * @property {number} kept rows that are held
 * @property {number} ready rows that are there so far
 * @property {number} at address
 * @property {(() => void)[]} users what runs when a row is there
 */

export class RowNetwork {
  /**
   * @param {WebAssembly.Module} module the compiled engine
   */
  constructor(module) {
    this.memory = new WebAssembly.Memory({ initial: 64, maximum: PAGE });
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    this.exports = /** @type {any} */ (instance.exports);
    this.top = FIRST_PAGE_OF_DATA * PAGE;
    this.look();
    this.taps = this.allocate(4 * 64);
    this.outputs = this.allocate(4 * 128);
    this.residuals = this.allocate(4 * 128);
  }

  /** Views of the memory, made anew after it has grown. */
  look() {
    this.floats = new Float32Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
  }

  /**
   * @param {number} size bytes
   * @returns {number} the address
   */
  allocate(size) {
    const at = this.top;
    this.top = (at + size + ALIGN - 1) & -ALIGN;
    const missing = this.top - this.memory.buffer.byteLength;
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / PAGE) + 16);
      this.look();
    }
    return at;
  }

  /** What is allocated from here on goes with the next `rewind`. */
  mark() {
    this.heap = this.top;
  }

  /** Free everything that was allocated since `mark`. */
  rewind() {
    this.top = this.heap;
  }

  /**
   * Weights, packed as the kernel reads them: [outputs / 8][taps][channels of a tap][8].
   * @param {{dims: number[], data: Float32Array}} weight (outputs, channels, size, size)
   * @param {{data: Float32Array}} bias
   * @param {number} stride
   * @param {number} padding
   * @returns {Layer}
   */
  layer(weight, bias, stride = 1, padding = 0) {
    const [outputs, channels, size] = weight.dims;
    const area = size * size;
    const weights = this.allocate(4 * outputs * channels * area);
    let to = weights >> 2;
    for (let first = 0; first < outputs; first += GROUP) {
      for (let tap = 0; tap < area; tap++) {
        for (let c = 0; c < channels; c++) {
          for (let j = 0; j < GROUP; j++) {
            this.floats[to++] = weight.data[((first + j) * channels + c) * area + tap];
          }
        }
      }
    }
    const at = this.allocate(4 * outputs);
    this.floats.set(bias.data, at >> 2);
    return { weights, bias: at, channels, outputs, size, stride, padding };
  }

  /**
   * @param {number} rows
   * @param {number} columns
   * @param {number} channels
   * @param {number} border
   * @param {number} kept
   * @returns {Ring}
   */
  ring(rows, columns, channels, border = 1, kept = 8) {
    const size = 4 * kept * (columns + 2 * border) * channels;
    const at = this.allocate(size);
    this.bytes.fill(0, at, at + size);
    return { rows, columns, channels, border, kept, ready: 0, at, users: [] };
  }

  /**
   * @param {Ring} ring
   * @param {number} row within the plane
   * @param {number} column may lie in the border
   * @returns {number} the address of a position's channels
   */
  place(ring, row, column = 0) {
    const across = (ring.columns + 2 * ring.border) * ring.channels;
    return ring.at + 4 * ((row % ring.kept) * across + (column + ring.border) * ring.channels);
  }

  /**
   * Tell the users of a ring that its rows up to `ready` are there.
   * @param {Ring} ring
   * @param {number} ready
   */
  advance(ring, ready) {
    ring.ready = ready;
    for (const user of ring.users) user();
  }

  /**
   * A layer: its output, which is computed row by row as its input comes.
   * @param {Ring} input
   * @param {Layer} layer
   * @param {object} [options]
   * @param {boolean} [options.relu]
   * @param {Ring} [options.residual] is added; may be the output itself
   * @param {Ring} [options.output] an own ring where it is not given
   * @returns {Ring}
   */
  convolve(input, layer, { relu = false, residual, output } = {}) {
    const { size, stride, padding, outputs } = layer;
    const rows = Math.floor((input.rows + 2 * padding - size) / stride) + 1;
    const columns = Math.floor((input.columns + 2 * padding - size) / stride) + 1;
    const out = output ?? this.ring(rows, columns, outputs);
    const zeros = this.zeros((input.columns + 2 * input.border) * input.channels);
    let next = 0;
    input.users.push(() => {
      for (; next < rows; next++) {
        const first = next * stride - padding;
        if (input.ready <= Math.min(first + size - 1, input.rows - 1)) break;
        if (residual && residual.ready <= next) break;
        for (let tap = 0; tap < size; tap++) {
          const row = first + tap;
          const outside = row < 0 || row >= input.rows;
          this.words[(this.taps >> 2) + tap] = outside
            ? zeros
            : this.place(input, row, -padding);
        }
        for (let group = 0; group < outputs / GROUP; group++) {
          const within = 4 * GROUP * group;
          this.words[(this.outputs >> 2) + group] = this.place(out, next) + within;
          if (residual) {
            this.words[(this.residuals >> 2) + group] = this.place(residual, next) + within;
          }
        }
        this.exports.fconv(
          this.taps, size, size * input.channels, columns, stride * input.channels,
          layer.weights, layer.bias, outputs, this.outputs, outputs, relu ? 1 : 0,
          residual ? this.residuals : 0,
        );
        this.advance(out, next + 1);
      }
    });
    return out;
  }

  /**
   * @param {number} length
   * @returns {number} the address of so many zeros
   */
  zeros(length) {
    const at = this.allocate(4 * length);
    this.bytes.fill(0, at, at + 4 * length);
    return at;
  }
}
