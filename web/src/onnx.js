/**
 * The initializers of an ONNX file: just so much of Protocol Buffers as that takes. The graphs are
 * known (docs/formats/ltp.md), only their weights are read.
 *
 * @typedef {object} Tensor
 * @property {number[]} dims
 * @property {(first: number, count: number) => Numbers} take some of its numbers, copied
 *
 * @typedef {Float32Array | Int16Array | Int32Array} Numbers
 */

const GRAPH = 7; // of ModelProto
const INITIALIZER = 5; // of GraphProto
const DIMS = 1; // of TensorProto, like the next three
const TYPE = 2;
const NAME = 8;
const RAW = 9;

/**
 * @param {Uint8Array} bytes
 * @returns {Record<string, Tensor>} by name; float16 as float32
 */
export function readInitializers(bytes) {
  /** @type {Record<string, Tensor>} */
  const out = {};
  for (const [number, graph] of fields(bytes)) {
    if (number !== GRAPH || typeof graph === "number") continue;
    for (const [kind, tensor] of fields(graph)) {
      if (kind !== INITIALIZER || typeof tensor === "number") continue;
      const [name, value] = readTensor(tensor);
      if (value) out[name] = value;
    }
  }
  return out;
}

/**
 * @param {Uint8Array} bytes
 * @returns {[string, Tensor | null]} null for a type or a storage that the weights do not use
 */
function readTensor(bytes) {
  const dims = [];
  let type = 0;
  let name = "";
  let raw = null;
  for (const [number, value] of fields(bytes)) {
    if (typeof value === "number") {
      if (number === DIMS) dims.push(value);
      if (number === TYPE) type = value;
    } else if (number === DIMS) {
      for (let at = 0; at < value.length; ) {
        const [dim, next] = readNumber(value, at);
        dims.push(dim);
        at = next;
      }
    } else if (number === NAME) {
      name = new TextDecoder().decode(value);
    } else if (number === RAW) {
      raw = value;
    }
  }
  const kind = raw ? KINDS[type] : undefined;
  if (!raw || !kind) return [name, null];
  const [size, convert] = kind;
  const stored = raw;
  const take = (/** @type {number} */ first, /** @type {number} */ count) =>
    convert(stored.slice(size * first, size * (first + count)).buffer); // which is aligned
  return [name, { dims, take }];
}

/** @type {Record<number, [number, (raw: ArrayBufferLike) => Numbers]>} bytes of a number */
const KINDS = {
  1: [4, (raw) => new Float32Array(raw)],
  5: [2, (raw) => new Int16Array(raw)],
  6: [4, (raw) => new Int32Array(raw)],
  10: [2, (raw) => fromHalf(new Uint16Array(raw))],
};

/**
 * @param {Tensor} tensor
 * @returns {Numbers} all of it
 */
export function numbersOf({ dims, take }) {
  return take(0, dims.reduce((product, side) => product * side, 1));
}

/**
 * @param {Uint8Array} bytes
 * @returns {Generator<[number, number | Uint8Array]>} number and value of each field
 */
function* fields(bytes) {
  for (let at = 0; at < bytes.length; ) {
    let key, value;
    [key, at] = readNumber(bytes, at);
    const wire = key & 7;
    if (wire === 0) {
      [value, at] = readNumber(bytes, at);
    } else {
      let size = wire === 1 ? 8 : 4;
      if (wire === 2) [size, at] = readNumber(bytes, at);
      value = bytes.subarray(at, at + size);
      at += size;
    }
    yield [key >> 3, value];
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {[number, number]} the number, and the position behind it
 */
function readNumber(bytes, at) {
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * unit;
    if (!(byte & 0x80)) return [value, at];
  }
}

/** @type {Float32Array | null} */
let halves = null; // the value of each of the 65,536 numbers of binary16

/**
 * @param {Uint16Array} bits of IEEE 754 binary16
 * @returns {Float32Array}
 */
function fromHalf(bits) {
  halves ??= Float32Array.from({ length: 65536 }, (_, i) => {
    const exponent = (i >> 10) & 31;
    const fraction = i & 1023;
    const sign = i & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    if (!exponent) return sign * fraction * 2 ** -24;
    return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
  });
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i]];
  return out;
}
