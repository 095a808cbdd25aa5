/**
 * Lossless WebP as a file holds it ("As a WebP" in docs/formats/ltp.md): one VP8L image, of which
 * the green channel counts in an alpha chunk (RFC 9649, section 3). Read here rather than by the
 * browser, whose canvas may manage colors or blur them for privacy.
 */

import { Bits, Code } from "./inflate.js";

const HEADER = 25; // bytes that tell the size
const PREDICTOR = 0;
const CROSS_COLOR = 1;
const SUBTRACT_GREEN = 2;
const COLOR_INDEXING = 3;
const LENGTHS = 24; // symbols of lengths
const DISTANCES = 40;
export const NEAR = 120; // distances of pixels nearby
const OPAQUE_BLACK = 0xff000000;
export const CODE_ORDER = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
// Of each near distance: rows up in the upper four bits, 8 - columns left in the lower.
const NEARBY =
  "1807171928062729161a262a38053739151b363a252b48044749141c353b464a" +
  "242c58454b343c035759131d565a232d444c555b333d68026769121e666a222e" +
  "545c434d656b323e78017779535d111f646c424e767a212f757b313f636d525e" +
  "00747c414f1020626e30737d515f40727e616f50717f6070";

/**
 * @param {Uint8Array} body
 * @param {number} width
 * @param {number} height
 * @returns {boolean} whether it is one VP8L image of this size, without alpha, and nothing else
 */
export function webpFits(body, width, height) {
  if (body.length < HEADER) return false;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const length = view.getUint32(16, true);
  const bits = view.getUint32(21, true);
  return (
    [..."WEBPVP8L"].every((c, i) => body[8 + i] === c.charCodeAt(0)) &&
    body[20] === 0x2f &&
    view.getUint32(4, true) === body.length - 8 &&
    length + (length % 2) === body.length - 20 &&
    bits >>> 28 === 0 &&
    1 + (bits & 0x3fff) === width &&
    1 + ((bits >>> 14) & 0x3fff) === height
  );
}

/**
 * Throws where the image is damaged.
 *
 * @param {Uint8Array} body that fits
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array} the green channel
 */
export function decodeGreenWebp(body, width, height) {
  const pixels = decodeWebp(body, width, height);
  // not by Uint8Array.from, which makes a list of all numbers first
  const green = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) green[i] = pixels[i] >>> 8;
  return green;
}

/**
 * Throws where the image is damaged.
 *
 * @param {Uint8Array} body that fits
 * @param {number} width
 * @param {number} height
 * @returns {Uint32Array} alpha, red, green and blue of each pixel, from the highest byte on
 */
export function decodeWebp(body, width, height) {
  const size = body[16] | (body[17] << 8) | (body[18] << 16) | (body[19] << 24);
  // the byte that fills up an odd size is read like the others, as libwebp does
  const bits = new EndlessBits(body.subarray(HEADER, 20 + size + (size % 2)));
  /** @type {((pixels: Uint32Array) => Uint32Array)[]} */
  const inverse = [];
  const seen = new Set();
  let columns = width;
  while (bits.take(1)) {
    const kind = bits.take(2);
    if (seen.has(kind)) throw new Error("a transform twice");
    seen.add(kind);
    const w = columns;
    if (kind === SUBTRACT_GREEN) {
      inverse.unshift(addGreen);
    } else if (kind === COLOR_INDEXING) {
      const colors = readPalette(bits);
      const shift = colors.length > 16 ? 0 : colors.length > 4 ? 1 : colors.length > 2 ? 2 : 3;
      columns = blocks(w, shift);
      inverse.unshift((pixels) => lookUp(pixels, colors, w, height, shift));
    } else {
      const side = bits.take(3) + 2;
      const map = readImage(bits, blocks(w, side), blocks(height, side), false);
      const undo = kind === PREDICTOR ? unpredict : kind === CROSS_COLOR ? uncross : null;
      inverse.unshift((pixels) => undo?.(pixels, map, w, height, side) ?? pixels);
    }
  }
  let pixels = readImage(bits, columns, height, true);
  for (const undo of inverse) pixels = undo(pixels);
  return pixels;
}

/**
 * @param {number} size
 * @param {number} bits
 */
const blocks = (size, bits) => (size + (1 << bits) - 1) >> bits;

/** Behind the last bit stand zeros: an image that took some is cut off. */
class EndlessBits extends Bits {
  /** @param {Uint8Array} data */
  constructor(data) {
    super(data);
    this.ended = false; // whether bits behind the last were taken
  }

  beyond() {
    this.ended = true;
    return 0;
  }
}

/** A prefix code of WebP: where there is one symbol, it takes no bits. */
class Prefix {
  /** @param {Uint8Array} lengths */
  constructor(lengths) {
    const used = [];
    for (let i = 0; i < lengths.length && used.length < 2; i++) if (lengths[i]) used.push(i);
    if (!used.length) throw new Error("a code without symbols");
    this.only = used.length === 1 ? used[0] : -1;
    this.code = used.length === 1 ? null : new Code(lengths, false);
  }

  /**
   * @param {EndlessBits} bits
   * @returns {number}
   */
  take(bits) {
    return this.code ? this.code.take(bits) : this.only;
  }
}

/**
 * @param {EndlessBits} bits
 * @param {number} size of the alphabet
 * @returns {Prefix}
 */
function readPrefix(bits, size) {
  const lengths = new Uint8Array(Math.max(size, 256));
  if (bits.take(1)) {
    const two = bits.take(1);
    lengths[bits.take(bits.take(1) ? 8 : 1)] = 1;
    if (two) lengths[bits.take(8)] = 1;
    return new Prefix(lengths.subarray(0, size));
  }
  const codeLengths = new Uint8Array(CODE_ORDER.length);
  const amount = 4 + bits.take(4);
  for (let i = 0; i < amount; i++) codeLengths[CODE_ORDER[i]] = bits.take(3);
  const code = new Prefix(codeLengths);
  let left = size;
  if (bits.take(1)) {
    left = 2 + bits.take(2 + 2 * bits.take(3));
    if (left > size) throw new Error("too many symbols");
  }
  let last = 8;
  for (let i = 0; i < size && left > 0; left--) {
    const symbol = code.take(bits);
    if (symbol < 16) {
      lengths[i++] = symbol;
      if (symbol) last = symbol;
      continue;
    }
    const repeat = (symbol === 18 ? 11 : 3) + bits.take([2, 3, 7][symbol - 16]);
    if (i + repeat > size) throw new Error("too many lengths");
    lengths.fill(symbol === 16 ? last : 0, i, i + repeat);
    i += repeat;
  }
  if (bits.ended) throw new Error("a code that is cut off");
  return new Prefix(lengths.subarray(0, size));
}

/**
 * @param {EndlessBits} bits
 * @param {number} w
 * @param {number} h
 * @param {boolean} isMain the picture itself, which may have several groups of codes
 * @returns {Uint32Array} ARGB
 */
function readImage(bits, w, h, isMain) {
  const cacheBits = bits.take(1) ? bits.take(4) : -1;
  if (cacheBits === 0 || cacheBits > 11) throw new Error("an impossible cache");
  const cache = new Uint32Array(cacheBits > 0 ? 1 << cacheBits : 0);
  let map = null;
  let side = 0;
  let count = 1;
  if (isMain && bits.take(1)) {
    side = bits.take(3) + 2;
    map = readImage(bits, blocks(w, side), blocks(h, side), false);
    map = map.map((argb) => (argb >>> 8) & 0xffff);
    count = map.reduce((a, b) => Math.max(a, b)) + 1;
  }
  const sizes = [256 + LENGTHS + cache.length, 256, 256, 256, DISTANCES];
  const groups = Array.from({ length: count }, () => sizes.map((size) => readPrefix(bits, size)));
  const across = blocks(w, side);
  const out = new Uint32Array(w * h);
  let cached = 0; // pixels that are in the cache already
  for (let i = 0; i < out.length; ) {
    const block = map ? (Math.floor(i / w) >> side) * across + ((i % w) >> side) : 0;
    const [green, red, blue, alpha, distance] = groups[map ? map[block] : 0];
    const symbol = green.take(bits);
    if (symbol < 256) {
      const high = (symbol << 8) | (red.take(bits) << 16);
      const low = blue.take(bits);
      out[i++] = high | low | (alpha.take(bits) << 24);
    } else if (symbol < 256 + LENGTHS) {
      const length = readAmount(bits, symbol - 256);
      const back = toDistance(readAmount(bits, distance.take(bits)), w);
      if (back > i || i + length > out.length) throw new Error("a copy from outside");
      for (const end = i + length; i < end; i++) out[i] = out[i - back];
    } else {
      for (; cached < i; cached++) cache[cacheIndex(out[cached], cacheBits)] = out[cached];
      out[i++] = cache[symbol - 256 - LENGTHS];
    }
    if (bits.ended) throw new Error("an image that is cut off");
  }
  return out;
}

/**
 * @param {number} argb
 * @param {number} bits
 */
export const cacheIndex = (argb, bits) => Math.imul(0x1e35a7bd, argb) >>> (32 - bits);

/**
 * @param {EndlessBits} bits
 * @param {number} symbol
 * @returns {number} a length, or the number of a distance
 */
function readAmount(bits, symbol) {
  if (symbol < 4) return symbol + 1;
  const extra = (symbol - 2) >> 1;
  const low = extra > 16 ? bits.take(16) + bits.take(extra - 16) * 65536 : bits.take(extra);
  return ((2 + (symbol & 1)) << extra) + low + 1;
}

/**
 * @param {number} number
 * @param {number} w
 * @returns {number} pixels back
 */
export function toDistance(number, w) {
  if (number > NEAR) return number - NEAR;
  const code = parseInt(NEARBY.slice(2 * number - 2, 2 * number), 16);
  return Math.max(1, (code >> 4) * w + 8 - (code & 15));
}

/**
 * @param {EndlessBits} bits
 * @returns {Uint32Array} colors
 */
function readPalette(bits) {
  const size = bits.take(8) + 1;
  const colors = readImage(bits, size, 1, false);
  for (let i = 1; i < size; i++) colors[i] = add(colors[i], colors[i - 1]);
  return colors;
}

/**
 * @param {Uint32Array} pixels
 * @param {Uint32Array} colors
 * @param {number} w
 * @param {number} h
 * @param {number} shift logarithm of the indices in a pixel
 */
function lookUp(pixels, colors, w, h, shift) {
  const out = new Uint32Array(w * h);
  const [depth, across, inPixel] = [8 >> shift, blocks(w, shift), (1 << shift) - 1];
  for (let y = 0, p = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const packed = (pixels[y * across + (x >> shift)] >>> 8) & 0xff;
      const index = (packed >> (depth * (x & inPixel))) & ((1 << depth) - 1);
      out[p++] = index < colors.length ? colors[index] : 0;
    }
  }
  return out;
}

/** @param {Uint32Array} pixels */
function addGreen(pixels) {
  return pixels.map((argb) => {
    const green = (argb >>> 8) & 0xff;
    const redBlue = (argb & 0xff00ff) + ((green << 16) | green);
    return (argb & 0xff00ff00) | (redBlue & 0xff00ff);
  });
}

/**
 * @param {Uint32Array} pixels changed in place
 * @param {Uint32Array} map the multipliers of each block
 * @param {number} w
 * @param {number} h
 * @param {number} side logarithm of the side of a block
 */
function uncross(pixels, map, w, h, side) {
  const across = blocks(w, side);
  const delta = (/** @type {number} */ a, /** @type {number} */ b) =>
    (((a << 24) >> 24) * ((b << 24) >> 24)) >> 5;
  for (let y = 0, p = 0; y < h; y++) {
    for (let x = 0; x < w; x++, p++) {
      const by = map[(y >> side) * across + (x >> side)];
      const green = (pixels[p] >>> 8) & 0xff;
      const red = ((pixels[p] >>> 16) + delta(by, green)) & 0xff;
      const blue = (pixels[p] + delta(by >>> 8, green) + delta(by >>> 16, red)) & 0xff;
      pixels[p] = (pixels[p] & 0xff00ff00) | (red << 16) | blue;
    }
  }
  return pixels;
}

/**
 * @param {Uint32Array} pixels changed in place
 * @param {Uint32Array} map the predictor of each block
 * @param {number} w
 * @param {number} h
 * @param {number} side logarithm of the side of a block
 */
function unpredict(pixels, map, w, h, side) {
  const across = blocks(w, side);
  for (let y = 0, p = 0; y < h; y++) {
    for (let x = 0; x < w; x++, p++) {
      let guess = OPAQUE_BLACK;
      if (y === 0 && x > 0) guess = pixels[p - 1];
      else if (y > 0 && x === 0) guess = pixels[p - w];
      else if (y > 0) {
        const mode = (map[(y >> side) * across + (x >> side)] >>> 8) & 15;
        guess = predict(mode, pixels[p - 1], pixels[p - w], pixels[p - w + 1], pixels[p - w - 1]);
      }
      pixels[p] = add(pixels[p], guess);
    }
  }
  return pixels;
}

/**
 * @param {number} mode
 * @param {number} l left
 * @param {number} t top
 * @param {number} tr top right
 * @param {number} tl top left
 * @returns {number}
 */
function predict(mode, l, t, tr, tl) {
  switch (mode) {
    case 1: return l;
    case 2: return t;
    case 3: return tr;
    case 4: return tl;
    case 5: return mean(mean(l, tr), t);
    case 6: return mean(l, tl);
    case 7: return mean(l, t);
    case 8: return mean(tl, t);
    case 9: return mean(t, tr);
    case 10: return mean(mean(l, tl), mean(t, tr));
    case 11: return nearer(l, t, tl);
    case 12: return each((i) => clip(at(l, i) + at(t, i) - at(tl, i)));
    case 13: {
      const m = mean(l, t);
      return each((i) => clip(at(m, i) + Math.trunc((at(m, i) - at(tl, i)) / 2)));
    }
    default: return OPAQUE_BLACK;
  }
}

/**
 * @param {number} argb
 * @param {number} i bits to the right of the channel
 */
const at = (argb, i) => (argb >>> i) & 0xff;
/** @param {number} v */
const clip = (v) => (v < 0 ? 0 : v > 255 ? 255 : v);
/** @param {(i: number) => number} channel */
const each = (channel) =>
  (channel(0) | (channel(8) << 8) | (channel(16) << 16) | (channel(24) << 24)) >>> 0;
/**
 * @param {number} a
 * @param {number} b
 */
const add = (a, b) =>
  ((((a & 0xff00ff) + (b & 0xff00ff)) & 0xff00ff) |
    ((((a >>> 8) & 0xff00ff) + ((b >>> 8) & 0xff00ff)) & 0xff00ff) << 8) >>> 0;
/**
 * @param {number} a
 * @param {number} b
 */
const mean = (a, b) => ((((a ^ b) & 0xfefefefe) >>> 1) + (a & b)) >>> 0;

/**
 * @param {number} l
 * @param {number} t
 * @param {number} tl
 * @returns {number} l or t, whichever is nearer to l + t - tl
 */
function nearer(l, t, tl) {
  let difference = 0;
  for (let i = 0; i < 32; i += 8) {
    difference += Math.abs(at(t, i) - at(tl, i)) - Math.abs(at(l, i) - at(tl, i));
  }
  return difference < 0 ? l : t;
}
