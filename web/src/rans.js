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
