/**
 * The rANS coder of docs/formats/ltp.md: a state below 2^64, words of 32 bits, counts that sum to
 * 2^24.
 */

import { formatError } from "./errors.js";

const TOTAL = 2 ** 24;

/**
 * Takes symbols off a stream. The state is high * 2^24 + low; high is below 2^40, which a double
 * holds, so no BigInt is needed. `low` is what a symbol's interval is looked up with.
 */
export class RansDecoder {
  /** @param {Uint8Array} data */
  constructor(data) {
    if (data.length && data[data.length - 1] === 0) {
      throw formatError("the coded latent ends in a zero byte");
    }
    const padded = new Uint8Array((data.length + 3) & ~3);
    padded.set(data);
    this.words = new Uint32Array(padded.buffer);
    this.left = this.words.length;
    this.high = 0;
    this.low = 0;
    const first = this.left ? this.words[--this.left] : 0;
    if (this.left) this.set(first, this.words[--this.left]);
    else this.set(0, first);
  }

  /**
   * @param {number} upper 32 bits of the state
   * @param {number} lower 32 bits of it
   */
  set(upper, lower) {
    this.high = upper * 256 + (lower >>> 24);
    this.low = lower & 0xffffff;
  }

  /**
   * Take the symbol whose interval holds `low`.
   *
   * @param {number} start of the interval
   * @param {number} count its length
   */
  step(start, count) {
    const upper = Math.floor(this.high / TOTAL);
    const sum = (this.high - upper * TOTAL) * count + this.low - start;
    const carry = Math.floor(sum / TOTAL);
    this.low = sum - carry * TOTAL;
    this.high = upper * count + carry;
    if (this.high < 256 && this.left) {
      this.set(this.high * TOTAL + this.low, this.words[--this.left]);
    }
  }

  /** @returns {number} one of 2^16 numbers of equal counts */
  take16() {
    const value = this.low >> 8;
    this.step(value << 8, 256);
    return value;
  }

  /** Throws unless everything has been decoded. */
  end() {
    if (this.high || this.low || this.left) {
      throw formatError("the coded latent holds more than its symbols");
    }
  }
}

/**
 * @param {number[]} steps start and count of each symbol in turn, in the order of decoding
 * @returns {Uint8Array} the stream that a RansDecoder takes them from
 */
export function encodeSteps(steps) {
  const words = [];
  let high = 0; // the upper and the lower 32 bits of the state
  let low = 0;
  for (let i = steps.length - 2; i >= 0; i -= 2) {
    const start = steps[i];
    const count = steps[i + 1];
    if (high >= count * 256) {
      words.push(low);
      low = high;
      high = 0;
    }
    // A long division by count in digits of 16 bits: everything stays below 2^53.
    const upper = Math.floor(high / count);
    const middle = (high - upper * count) * 65536 + (low >>> 16);
    const middleQuotient = Math.floor(middle / count);
    const last = (middle - middleQuotient * count) * 65536 + (low & 0xffff);
    const lastQuotient = Math.floor(last / count);
    const quotient = (upper * 65536 + middleQuotient) * 65536 + lastQuotient; // below 2^40
    const remainder = last - lastQuotient * count;
    const below = remainder + start; // below 2^24
    high = Math.floor(quotient / 256);
    low = (quotient % 256) * TOTAL + below;
  }
  while (low || high) {
    words.push(low);
    low = high;
    high = 0;
  }
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  let end = bytes.length;
  while (end && !bytes[end - 1]) end--;
  return bytes.subarray(0, end);
}
