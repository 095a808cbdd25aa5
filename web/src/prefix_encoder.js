/** Writing of lossless WebP's bits and prefix codes (RFC 9649, section 3.7). */

import { CODE_ORDER } from "./webp.js";

const MOST_BITS = 15; // of a code
const MOST_LENGTH_BITS = 7; // of a code of lengths
const REPEAT = 16; // the last length, 3 to 6 times
const ZEROS = 17; // 3 to 10
const MANY_ZEROS = 18; // 11 to 138

/** Bits from the lowest to the highest of each byte. */
export class BitWriter {
  constructor() {
    this.bytes = new Uint8Array(1 << 16);
    this.length = 0;
    this.held = 0;
    this.count = 0;
  }

  /**
   * @param {number} value
   * @param {number} n bits, at most 24
   */
  put(value, n) {
    this.held |= value << this.count;
    this.count += n;
    while (this.count >= 8) {
      if (this.length === this.bytes.length) {
        const longer = new Uint8Array(2 * this.length);
        longer.set(this.bytes);
        this.bytes = longer;
      }
      this.bytes[this.length++] = this.held & 0xff;
      this.held >>>= 8;
      this.count -= 8;
    }
  }

  /** @returns {Uint8Array} */
  finish() {
    if (this.count) this.put(0, 8 - this.count);
    return this.bytes.subarray(0, this.length);
  }
}

/** A prefix code for symbols that come so many times. */
export class PrefixCode {
  /** @param {Uint32Array} counts */
  constructor(counts) {
    this.lengths = codeLengths(counts, MOST_BITS);
    this.used = [];
    for (let i = 0; i < counts.length && this.used.length < 3; i++) {
      if (counts[i]) this.used.push(i);
    }
    this.codes = codesOf(this.lengths);
    if (this.used.length < 2) this.lengths.fill(0); // the only symbol takes no bits
  }

  /**
   * Write the code itself.
   *
   * @param {BitWriter} bits
   */
  write(bits) {
    const { used } = this;
    if (used.length <= 2 && used.every((symbol) => symbol < 256)) {
      bits.put(1, 1);
      bits.put(Math.max(0, used.length - 1), 1);
      bits.put(1, 1);
      bits.put(used[0] ?? 0, 8);
      if (used.length === 2) bits.put(used[1], 8);
      return;
    }
    bits.put(0, 1);
    const lengths = this.lengths.slice();
    if (used.length === 1) lengths[used[0]] = 1;
    writeLengths(bits, lengths);
  }

  /**
   * @param {BitWriter} bits
   * @param {number} symbol
   */
  put(bits, symbol) {
    bits.put(this.codes[symbol], this.lengths[symbol]);
  }
}

/**
 * @param {BitWriter} bits
 * @param {Uint8Array} lengths
 */
function writeLengths(bits, lengths) {
  /** @type {[number, number, number][]} symbol, extra bits and how many */
  const tokens = [];
  for (let i = 0; i < lengths.length; ) {
    const length = lengths[i];
    let end = i + 1;
    while (end < lengths.length && lengths[end] === length) end++;
    let run = end - i;
    if (length) {
      tokens.push([length, 0, 0]);
      run--;
    }
    while (run >= 3) {
      const most = length ? 6 : 138;
      const taken = Math.min(run, most);
      if (length) tokens.push([REPEAT, taken - 3, 2]);
      else if (taken > 10) tokens.push([MANY_ZEROS, taken - 11, 7]);
      else tokens.push([ZEROS, taken - 3, 3]);
      run -= taken;
    }
    while (run-- > 0) tokens.push([length, 0, 0]);
    i = end;
  }
  const counts = new Uint32Array(CODE_ORDER.length);
  for (const [symbol] of tokens) counts[symbol]++;
  const ofLengths = codeLengths(counts, MOST_LENGTH_BITS);
  const codes = codesOf(ofLengths);
  let amount = CODE_ORDER.length;
  while (amount > 4 && !ofLengths[CODE_ORDER[amount - 1]]) amount--;
  bits.put(amount - 4, 4);
  for (let i = 0; i < amount; i++) bits.put(ofLengths[CODE_ORDER[i]], 3);
  bits.put(0, 1); // all symbols are told
  const isSingle = counts.filter((count) => count).length === 1;
  for (const [symbol, extra, n] of tokens) {
    if (!isSingle) bits.put(codes[symbol], ofLengths[symbol]);
    bits.put(extra, n);
  }
}

/**
 * @param {Uint32Array} counts
 * @param {number} most bits
 * @returns {Uint8Array} of Huffman's code, or one near it where that has longer ones
 */
function codeLengths(counts, most) {
  for (let least = 1; ; least *= 2) {
    const lengths = huffman(counts, least);
    if (lengths.every((length) => length <= most)) return lengths;
  }
}

/**
 * @param {Uint32Array} counts
 * @param {number} least that rarer symbols count as
 * @returns {Uint8Array} bits of each symbol; 1 where there is one symbol only
 */
function huffman(counts, least) {
  const symbols = [];
  for (let i = 0; i < counts.length; i++) if (counts[i]) symbols.push(i);
  const lengths = new Uint8Array(counts.length);
  if (symbols.length < 2) {
    for (const symbol of symbols) lengths[symbol] = 1;
    return lengths;
  }
  const weight = (/** @type {number} */ symbol) => Math.max(counts[symbol], least);
  symbols.sort((a, b) => weight(a) - weight(b) || a - b);
  // Leaves, then the inner nodes as they are made, both from the lightest on.
  const n = symbols.length;
  const weights = symbols.map(weight);
  const parents = new Uint32Array(2 * n - 1);
  let [leaf, inner] = [0, n];
  const lightest = () => {
    const isLeaf = leaf < n && (inner >= weights.length || weights[leaf] <= weights[inner]);
    return isLeaf ? leaf++ : inner++;
  };
  while (weights.length < 2 * n - 1) {
    const [a, b] = [lightest(), lightest()];
    parents[a] = parents[b] = weights.length;
    weights.push(weights[a] + weights[b]);
  }
  const depths = new Uint32Array(2 * n - 1);
  for (let i = 2 * n - 3; i >= 0; i--) depths[i] = depths[parents[i]] + 1;
  symbols.forEach((symbol, i) => {
    lengths[symbol] = Math.min(depths[i], 255);
  });
  return lengths;
}

/**
 * @param {Uint8Array} lengths
 * @returns {Uint32Array} the canonical codes, their first bit the lowest
 */
function codesOf(lengths) {
  const counts = new Uint32Array(MOST_BITS + 2);
  for (const length of lengths) if (length) counts[length + 1]++;
  const next = new Uint32Array(MOST_BITS + 2);
  for (let n = 1; n <= MOST_BITS; n++) next[n] = (next[n - 1] + counts[n]) << 1;
  return Uint32Array.from(lengths, (length) => {
    if (!length) return 0;
    let [code, turned] = [next[length]++, 0];
    for (let i = 0; i < length; i++, code >>= 1) turned = (turned << 1) | (code & 1);
    return turned;
  });
}
