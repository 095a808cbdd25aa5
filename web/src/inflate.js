/**
 * Deflate streams (RFC 1951, RFC 1950). The platform's own DecompressionStream would do but for two
 * things that the format asks for: whether bytes follow the stream, which not every platform tells,
 * and never to make more bytes than were promised. Refused is what zlib refuses.
 */

const MAX_BITS = 15;
const LENGTHS = 286; // symbols of literals and lengths that may be there
const DISTANCES = 30;
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const LENGTH_EXTRA = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = DISTANCE_BASE.map((_, i) => (i < 2 ? 0 : (i >> 1) - 1));
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A stream is no deflate stream, or not of the size that was promised. */
export class InflateError extends Error {}

/** @param {string} message */
const bad = (message) => new InflateError(message);

/** Bits from the lowest to the highest of each byte. */
export class Bits {
  /** @param {Uint8Array} data */
  constructor(data) {
    /** @type {Uint8Array} */
    this.data = data;
    /** @type {number} */
    this.at = 0;
    this.held = 0;
    this.count = 0;
  }

  /**
   * @param {number} n at most 16
   * @returns {number}
   */
  take(n) {
    while (this.count < n) {
      const byte = this.at < this.data.length ? this.data[this.at] : this.beyond();
      this.at++;
      this.held |= byte << this.count;
      this.count += 8;
    }
    const value = this.held & ((1 << n) - 1);
    this.held >>>= n;
    this.count -= n;
    return value;
  }

  /** @returns {number} the byte that stands behind the last */
  beyond() {
    throw bad("cut off");
  }
}

/** A prefix code; its symbols are found bit by bit. */
export class Code {
  /**
   * @param {ArrayLike<number>} lengths in bits, of each symbol
   * @param {boolean} mayBeSingle whether one code of one bit may stand alone, or none
   */
  constructor(lengths, mayBeSingle) {
    this.counts = new Uint16Array(MAX_BITS + 1);
    for (let i = 0; i < lengths.length; i++) this.counts[lengths[i]]++;
    const coded = lengths.length - this.counts[0];
    this.counts[0] = 0;
    let left = 1;
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      left = 2 * left - this.counts[bits];
      if (left < 0) throw bad("an impossible code");
    }
    const single = coded === 0 || (coded === 1 && this.counts[1] === 1);
    if (left > 0 && !(mayBeSingle && single)) throw bad("an incomplete code");
    const starts = new Uint16Array(MAX_BITS + 2);
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      starts[bits + 1] = starts[bits] + this.counts[bits];
    }
    this.symbols = new Uint16Array(coded);
    for (let i = 0; i < lengths.length; i++) {
      if (lengths[i]) this.symbols[starts[lengths[i]]++] = i;
    }
  }

  /**
   * @param {Bits} bits
   * @returns {number} the next symbol
   */
  take(bits) {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= bits.take(1);
      const count = this.counts[length];
      if (code - first < count) return this.symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw bad("an unknown code");
  }
}

const FIXED_LENGTHS = Array.from({ length: 288 }, (_, i) =>
  i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
);
const FIXED = [new Code(FIXED_LENGTHS, false), new Code(new Array(32).fill(5), false)];

/**
 * @param {Uint8Array} data one raw deflate stream, and nothing behind it
 * @param {number} size of the plain bytes
 * @returns {Uint8Array}
 */
export function inflate(data, size) {
  const { plain, end } = inflateSome(data, size);
  if (plain.length !== size || end !== data.length) throw bad("another length than promised");
  return plain;
}

/**
 * @param {Uint8Array} data begins with a raw deflate stream
 * @param {number} most bytes that it may hold
 * @returns {{plain: Uint8Array, end: number}} end: of the stream
 */
function inflateSome(data, most) {
  const bits = new Bits(data);
  const out = new Uint8Array(most);
  let filled = 0;
  for (let last = 0; !last; ) {
    last = bits.take(1);
    const kind = bits.take(2);
    if (kind === 3) throw bad("an unknown kind of block");
    if (kind === 0) {
      bits.held = 0;
      bits.count = 0;
      const size = bits.take(16);
      if ((bits.take(16) ^ 0xffff) !== size) throw bad("a damaged length");
      if (bits.at + size > data.length) throw bad("cut off");
      if (filled + size > most) throw bad("more bytes than promised");
      out.set(data.subarray(bits.at, bits.at + size), filled);
      filled += size;
      bits.at += size;
      continue;
    }
    const [literals, distances] = kind === 1 ? FIXED : readCodes(bits);
    for (;;) {
      const symbol = literals.take(bits);
      if (symbol === 256) break;
      if (symbol < 256) {
        if (filled === most) throw bad("more bytes than promised");
        out[filled++] = symbol;
      } else {
        if (symbol >= 257 + LENGTH_BASE.length) throw bad("an impossible length");
        let length = LENGTH_BASE[symbol - 257] + bits.take(LENGTH_EXTRA[symbol - 257]);
        const code = distances.take(bits);
        if (code >= DISTANCES) throw bad("an impossible distance");
        const distance = DISTANCE_BASE[code] + bits.take(DISTANCE_EXTRA[code]);
        if (distance > filled) throw bad("a distance beyond the beginning");
        if (filled + length > most) throw bad("more bytes than promised");
        for (; length; length--, filled++) out[filled] = out[filled - distance];
      }
    }
  }
  return { plain: out.subarray(0, filled), end: bits.at - (bits.count >> 3) };
}

/**
 * @param {Bits} bits
 * @returns {Code[]} of literals and lengths, and of distances
 */
function readCodes(bits) {
  const [literals, distances] = [bits.take(5) + 257, bits.take(5) + 1];
  const amount = bits.take(4) + 4;
  if (literals > LENGTHS || distances > DISTANCES) throw bad("too many codes");
  const codeLengths = new Uint8Array(CODE_ORDER.length);
  for (let i = 0; i < amount; i++) codeLengths[CODE_ORDER[i]] = bits.take(3);
  const code = new Code(codeLengths, false);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const symbol = code.take(bits);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) throw bad("a repetition of nothing");
    const value = symbol === 16 ? lengths[i - 1] : 0;
    const repeat = (symbol === 18 ? 11 : 3) + bits.take([2, 3, 7][symbol - 16]);
    if (i + repeat > lengths.length) throw bad("too many lengths");
    lengths.fill(value, i, i + repeat);
    i += repeat;
  }
  if (!lengths[256]) throw bad("a block that cannot end");
  return [
    new Code(lengths.subarray(0, literals), true),
    new Code(lengths.subarray(literals), true),
  ];
}

/**
 * A zlib stream (RFC 1950); bytes behind it have no meaning.
 *
 * @param {Uint8Array} data
 * @param {number} size of the plain bytes
 * @returns {Uint8Array}
 */
export function inflateZlib(data, size) {
  const head = data[0] * 256 + data[1];
  if (data.length < 2 || head % 31 || (data[0] & 15) !== 8 || data[0] >> 4 > 7 || data[1] & 32) {
    throw bad("no zlib stream");
  }
  const { plain, end } = inflateSome(data.subarray(2), size);
  const at = 2 + end;
  if (plain.length !== size || at + 4 > data.length) throw bad("cut off");
  const [low, high] = adler32(plain);
  const stored = data.subarray(at, at + 4);
  if (((stored[0] << 8) | stored[1]) !== high || ((stored[2] << 8) | stored[3]) !== low) {
    throw bad("another checksum than promised");
  }
  return plain;
}

/**
 * @param {Uint8Array} data
 * @returns {[number, number]} the two halves of Adler-32, the lower first
 */
function adler32(data) {
  let [low, high] = [1, 0];
  for (let i = 0; i < data.length; ) {
    for (const end = Math.min(data.length, i + 5000); i < end; i++) {
      low += data[i];
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return [low, high];
}
