/**
 * The initializers of an ONNX file: just so much of Protocol Buffers as that takes. The graphs are
 * known (docs/formats/ltp.md), only their weights are read.
 *
 * @typedef {object} Tensor
 * @property {number[]} dims
 * @property {() => Numbers} take its numbers, copied
 * @property {(first: number, count: number, to: Float32Array, at: number) => void} put writes some
 *   of its numbers into an array
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
  const stored = raw;
  const take = () => kind(stored.slice().buffer); // which is aligned
  /** @type {Tensor["put"]} */
  const put = (first, count, to, at) => {
    if (type !== HALF) {
      to.set(take().subarray(first, first + count), at);
      return;
    }
    for (let i = 2 * first; i < 2 * (first + count); i += 2) {
      to[at++] = valueOf(stored[i] | (stored[i + 1] << 8));
    }
  };
  return [name, { dims, take, put }];
}

const HALF = 10; // the type of float16
/** @type {Record<number, (raw: ArrayBufferLike) => Numbers>} */
const KINDS = {
  1: (raw) => new Float32Array(raw),
  5: (raw) => new Int16Array(raw),
  6: (raw) => new Int32Array(raw),
  [HALF]: (raw) => Float32Array.from(new Uint16Array(raw), valueOf),
};

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
 * @param {number} bits of IEEE 754 binary16
 * @returns {number}
 */
function valueOf(bits) {
  halves ??= Float32Array.from({ length: 65536 }, (_, i) => {
    const exponent = (i >> 10) & 31;
    const fraction = i & 1023;
    const sign = i & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    if (!exponent) return sign * fraction * 2 ** -24;
    return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
  });
  return halves[bits];
}
