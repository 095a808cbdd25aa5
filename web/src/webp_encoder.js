/**
 * Opaque pictures as lossless WebP (RFC 9649, section 3): a palette where there are few colors,
 * repeated pixels, and a cache of colors. Meant for screenshots and drawings; it has no predictors.
 */

import { u32Bytes } from "./crc32c.js";
import { joined } from "./deflate.js";
import { BitWriter, PrefixCode } from "./prefix_encoder.js";
import { cacheIndex, NEAR, toDistance } from "./webp.js";

const PALETTE = 256; // colors at most
const SUBTRACT_GREEN = 2;
const COLOR_INDEXING = 3;
const LENGTHS = 24; // symbols of lengths
const DISTANCES = 40;
const CACHE_BITS = 10;
const LEAST = 3; // pixels that are copied at once
const MOST = 4096;
const WINDOW = (1 << 20) - NEAR; // pixels back
const CHAIN = 24; // places that are looked at
const ENOUGH = 256; // pixels, from which on no longer run is looked for
const HASH_BITS = 16;

/**
 * @param {ArrayLike<number>} rgba
 * @param {number} width at most 16,384, as the height
 * @param {number} height
 * @returns {Uint8Array} a file of one VP8L image
 */
export function encodeWebp(rgba, width, height) {
  const pixels = new Uint32Array(width * height);
  for (let i = 0, p = 0; i < pixels.length; i++, p += 4) {
    pixels[i] = 0xff000000 | (rgba[p] << 16) | (rgba[p + 1] << 8) | rgba[p + 2];
  }
  const bits = new BitWriter();
  bits.put(0x2f, 8);
  bits.put(width - 1, 14);
  bits.put(height - 1, 14);
  bits.put(0, 4);
  const colors = paletteOf(pixels);
  if (colors) {
    bits.put(1, 1);
    bits.put(COLOR_INDEXING, 2);
    bits.put(colors.length - 1, 8);
    const steps = colors.map((color, i) => (i ? subtract(color, colors[i - 1]) : color));
    writeImage(bits, steps, steps.length, { cacheBits: 0, isMain: false });
    bits.put(0, 1);
    const { packed, across } = indexed(pixels, colors, width, height);
    writeImage(bits, packed, across, { cacheBits: 0, isMain: true });
  } else {
    bits.put(1, 1);
    bits.put(SUBTRACT_GREEN, 2);
    bits.put(0, 1);
    const less = pixels.map((argb) => subtract(argb, ((argb >>> 8) & 0xff) * 0x10001));
    writeImage(bits, less, width, { cacheBits: CACHE_BITS, isMain: true });
  }
  const body = bits.finish();
  const size = body.length + (body.length % 2);
  const text = (/** @type {string} */ letters) => [...letters].map((c) => c.charCodeAt(0));
  const head = [...text("RIFF"), ...u32Bytes(12 + size), ...text("WEBPVP8L")];
  return joined([head, u32Bytes(body.length), body, new Uint8Array(body.length % 2)]);
}

/**
 * @param {Uint32Array} pixels
 * @returns {Uint32Array | null} its colors in their order, null where there are too many
 */
function paletteOf(pixels) {
  const seen = new Set();
  let last = -1;
  for (const color of pixels) {
    if (color === last) continue;
    last = color;
    seen.add(color);
    if (seen.size > PALETTE) return null;
  }
  return Uint32Array.from(seen).sort();
}

/**
 * Indices of colors in the green channel, several in a pixel where there are few colors.
 *
 * @param {Uint32Array} pixels
 * @param {Uint32Array} colors
 * @param {number} width
 * @param {number} height
 * @returns {{packed: Uint32Array, across: number}}
 */
function indexed(pixels, colors, width, height) {
  const shift = colors.length > 16 ? 0 : colors.length > 4 ? 1 : colors.length > 2 ? 2 : 3;
  const [depth, inPixel] = [8 >> shift, (1 << shift) - 1];
  const across = (width + inPixel) >> shift;
  const packed = new Uint32Array(across * height).fill(0xff000000);
  const indices = new Map(Array.from(colors, (color, i) => [color, i]));
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      const index = /** @type {number} */ (indices.get(pixels[p]));
      packed[y * across + (x >> shift)] |= index << (8 + depth * (x & inPixel));
    }
  }
  return { packed, across };
}

/**
 * @param {BitWriter} bits
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {{cacheBits: number, isMain: boolean}} how
 */
function writeImage(bits, pixels, width, { cacheBits, isMain }) {
  bits.put(cacheBits ? 1 : 0, 1);
  if (cacheBits) bits.put(cacheBits, 4);
  if (isMain) bits.put(0, 1); // one set of codes for all places
  const sizes = [256 + LENGTHS + (cacheBits ? 1 << cacheBits : 0), 256, 256, 256, DISTANCES];
  const counts = sizes.map((size) => new Uint32Array(size));
  const runs = runsOf(pixels, width);
  const near = nearDistances(width);
  const count = (/** @type {number} */ code, /** @type {number} */ symbol) => {
    counts[code][symbol]++;
  };
  walk(pixels, runs, near, cacheBits, count, () => {});
  const codes = counts.map((each) => new PrefixCode(each));
  for (const code of codes) code.write(bits);
  const put = (/** @type {number} */ code, /** @type {number} */ symbol) =>
    codes[code].put(bits, symbol);
  walk(pixels, runs, near, cacheBits, put, (extra, n) => {
    bits.put(extra & 0xfff, Math.min(n, 12));
    if (n > 12) bits.put(extra >>> 12, n - 12);
  });
}

/**
 * All symbols of an image in their order.
 *
 * @param {Uint32Array} pixels
 * @param {Runs} runs
 * @param {Map<number, number>} near numbers of distances
 * @param {number} cacheBits
 * @param {(code: number, symbol: number) => void} put
 * @param {(extra: number, n: number) => void} putBits
 */
function walk(pixels, { starts, lengths, distances }, near, cacheBits, put, putBits) {
  const cache = new Uint32Array(1 << cacheBits);
  const amount = (
    /** @type {number} */ code,
    /** @type {number} */ base,
    /** @type {number} */ value,
  ) => {
    const d = value - 1;
    if (d < 4) {
      put(code, base + d);
      return;
    }
    const high = 31 - Math.clz32(d);
    put(code, base + 2 * high + ((d >> (high - 1)) & 1));
    putBits(d & ((1 << (high - 1)) - 1), high - 1);
  };
  for (let i = 0, r = 0; i < pixels.length; ) {
    if (starts[r] === i) {
      amount(0, 256, lengths[r]);
      amount(4, 0, near.get(distances[r]) ?? distances[r] + NEAR);
      for (const end = i + lengths[r]; i < end; i++) {
        if (cacheBits) cache[cacheIndex(pixels[i], cacheBits)] = pixels[i];
      }
      r++;
      continue;
    }
    const argb = pixels[i++];
    const at = cacheBits ? cacheIndex(argb, cacheBits) : 0;
    if (cacheBits && cache[at] === argb) {
      put(0, 256 + LENGTHS + at);
      continue;
    }
    cache[at] = argb;
    put(0, (argb >>> 8) & 0xff);
    put(1, (argb >>> 16) & 0xff);
    put(2, argb & 0xff);
    put(3, argb >>> 24);
  }
}

/**
 * @typedef {{starts: number[], lengths: number[], distances: number[]}} Runs of pixels that are
 *   copied
 *
 * @param {Uint32Array} pixels
 * @param {number} width
 * @returns {Runs}
 */
function runsOf(pixels, width) {
  const n = pixels.length;
  const last = new Int32Array(1 << HASH_BITS).fill(-1);
  const before = new Int32Array(n);
  const key = (/** @type {number} */ i) =>
    (Math.imul(pixels[i], 0x9e3779b1) ^ Math.imul(pixels[i + 1], 0x85ebca6b)) >>> (32 - HASH_BITS);
  const common = (/** @type {number} */ from, /** @type {number} */ i) => {
    const most = Math.min(MOST, n - i);
    let length = 0;
    while (length < most && pixels[from + length] === pixels[i + length]) length++;
    return length;
  };
  /** @type {Runs} */
  const runs = { starts: [], lengths: [], distances: [] };
  const note = (/** @type {number} */ i) => {
    if (i + 1 >= n) return;
    const at = key(i);
    before[i] = last[at];
    last[at] = i;
  };
  for (let i = 0; i < n; ) {
    let [length, distance] = [0, 0];
    const look = (/** @type {number} */ back) => {
      if (back > i || pixels[i - back + length] !== pixels[i + length]) return;
      const found = common(i - back, i);
      if (found > length) [length, distance] = [found, back];
    };
    look(1);
    if (length < ENOUGH) look(width);
    if (length < ENOUGH && i + 1 < n) {
      let tries = CHAIN;
      for (let from = last[key(i)]; from >= 0 && tries-- > 0; from = before[from]) {
        if (i - from > WINDOW || length >= ENOUGH) break;
        look(i - from);
      }
    }
    if (length < LEAST) {
      note(i++);
      continue;
    }
    runs.starts.push(i);
    runs.lengths.push(length);
    runs.distances.push(distance);
    const end = i + length;
    // Inside a run of one color all places are alike: its ends will do.
    const step = distance === 1 ? Math.max(1, length - 1) : 1;
    for (; i < end; i += step) note(i);
    i = end;
  }
  return runs;
}

/**
 * @param {number} width
 * @returns {Map<number, number>} the least number of each distance that is near
 */
function nearDistances(width) {
  const near = new Map();
  for (let number = NEAR; number > 0; number--) near.set(toDistance(number, width), number);
  return near;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} a - b, channel by channel
 */
function subtract(a, b) {
  const alphaGreen = ((a | 0x00ff00ff) - (b & 0xff00ff00)) & 0xff00ff00;
  const redBlue = ((a | 0xff00ff00) - (b & 0x00ff00ff)) & 0x00ff00ff;
  return (alphaGreen | redBlue) >>> 0;
}
