/**
 * The encoder's side of rANS (docs/formats/ltp.md): a stack that is filled from its end, so symbols
 * are noted in the order in which a decoder takes them, and put on the stack in the reverse.
 *
 * The state s is below 2^64: it is held as s = high * 2^24 + low in two doubles, which need no
 * BigInt. Every quotient here is exact, since dividend and divisor are below 2^53 and the dividend
 * is too small for its quotient to round up to a whole number.
 */

const LOW = 2 ** 24;
const ESCAPE_LIMIT = 32768;
const RAW_COUNT = 256; // of 2^16 values under 2^24 counts

export class RansEncoder {
  /** @param {number} expected symbols, about */
  constructor(expected = 1 << 12) {
    this.starts = new Uint32Array(expected);
    this.counts = new Uint32Array(expected);
    this.length = 0;
  }

  /**
   * Note the symbol whose counts begin at `start`.
   * @param {number} start
   * @param {number} count
   */
  note(start, count) {
    if (this.length === this.starts.length) this.grow();
    this.starts[this.length] = start;
    this.counts[this.length++] = count;
  }

  /**
   * Note a value beyond its table's radius, behind the escapes of its group.
   * @param {number} value
   */
  noteEscaped(value) {
    this.note((value + ESCAPE_LIMIT) * RAW_COUNT, RAW_COUNT);
  }

  grow() {
    for (const name of /** @type {const} */ (["starts", "counts"])) {
      const larger = new Uint32Array(2 * this[name].length);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  /** @returns {Uint8Array} the stream of all symbols noted, without the zero bytes at its end */
  finish() {
    const words = new Uint32Array(this.length + 2);
    let filled = 0;
    let high = 0; // below 2^40
    let low = 0; // below 2^24
    for (let i = this.length - 1; i >= 0; i--) {
      const count = this.counts[i];
      if (high >= count * 65536) { // s >= count * 2^40
        words[filled++] = (high % 256) * LOW + low;
        const shifted = Math.floor(high / 256);
        high = Math.floor(shifted / LOW);
        low = shifted % LOW;
      }
      const above = Math.floor(high / count);
      const rest = (high - above * count) * LOW + low;
      const below = Math.floor(rest / count);
      high = above * LOW + below;
      low = this.starts[i] + rest - below * count;
    }
    while (high || low) {
      words[filled++] = (high % 256) * LOW + low;
      const shifted = Math.floor(high / 256);
      high = Math.floor(shifted / LOW);
      low = shifted % LOW;
    }
    const bytes = new Uint8Array(4 * filled);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < filled; i++) view.setUint32(4 * i, words[i], true);
    let end = bytes.length;
    while (end && bytes[end - 1] === 0) end--;
    return bytes.subarray(0, end);
  }
}
