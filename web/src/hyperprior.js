/** Stages 3 and 4 of 5: the latent under a hyperprior with two passes, in exact integers. */

import { SCALE_RATIO, scaleIndex } from "./cdf_tables.js";
import { crc32c, readU32 } from "./crc32c.js";
import { TYPE } from "./container.js";
import { formatError } from "./errors.js";
import { integersAt, realsAt } from "./levels.js";
import { activityShift } from "./masking.js";
import { RansDecoder } from "./rans.js";
import { walkLanes } from "./trellis.js";
import { readVarint } from "./varint.js";

/**
 * @typedef {object} Pass the symbols of the anchors, or of the others; arrays are (320, h, w)
 * @property {Int32Array} eighths of the scale of every place
 * @property {Uint8Array} tables of every place, one lower where symbols are in lanes
 * @property {Uint32Array} alone places of the pass whose symbols stand alone, in raster order
 * @property {Uint32Array} lanes places of the pass whose symbols are in lanes, in raster order
 * @property {(place: number) => number} mean in local steps
 * @property {Float32Array} finer (h, w) the quality's step / the local step
 * @property {Int16Array} symbols to be filled at the places of the pass
 * @property {Uint8Array} odd to be set to 1 where a symbol is of the odd quantizer
 *
 * @typedef {object} Sides of a segment, beyond which z goes on as at the border: 1, or 0 where zeros
 *   are
 * @property {number} top
 * @property {number} bottom
 * @property {number} left
 * @property {number} right
 *
 * @typedef {object} Segment
 * @property {number} crc CRC-32C of the symbols of z and of the segment, as int16
 * @property {Float32Array} latent (h, w, 320): y_hat
 */

export const CHANNELS = 320;
export const SEGMENT = 64; // positions each way
const HYPER = 64; // channels of z
/** @type {Sides} */
export const ALONE = { top: 0, bottom: 0, left: 0, right: 0 };
const Z_MOST = 127;
const WHITE_MOST = 127;
const FIRST_TRELLIS_SCALE = 14;
const CRC_BYTES = 4;
// What the loop and the networks allocate: bytes a channel of a position, and of a whole segment.
const BYTES_EACH = 24;
const BYTES_ALL = 1 << 20;
const OUTWARD = 1 / 16; // symbols in lanes are moved away from the mean by so many steps
const { fround } = Math;

/**
 * The segments of a latent, in the order of the file.
 *
 * @param {number} rows
 * @param {number} columns
 * @returns {{row: number, column: number, h: number, w: number, sides: Sides}[]} sides: where
 *   another segment lies
 */
export function segmentsOf(rows, columns) {
  const out = [];
  for (let row = 0; row < rows; row += SEGMENT) {
    for (let column = 0; column < columns; column += SEGMENT) {
      const [h, w] = [Math.min(SEGMENT, rows - row), Math.min(SEGMENT, columns - column)];
      const sides = {
        top: Number(row > 0),
        bottom: Number(row + SEGMENT < rows),
        left: Number(column > 0),
        right: Number(column + SEGMENT < columns),
      };
      out.push({ row, column, h, w, sides });
    }
  }
  return out;
}

/**
 * Cut the body of a latent chunk into its segments.
 *
 * @param {Uint8Array} body
 * @param {number} rows
 * @param {number} columns
 * @returns {Generator<{row: number, column: number, h: number, w: number, sides: Sides, data:
 *   Uint8Array}>}
 */
export function* splitBody(body, rows, columns) {
  const count = Math.ceil(rows / SEGMENT) * Math.ceil(columns / SEGMENT);
  if (body.length < count * (CRC_BYTES + 1) - 1) {
    throw formatError("the coded latent is too short for the size in the header");
  }
  const places = segmentsOf(rows, columns);
  let at = 0;
  for (const [i, place] of places.entries()) {
    let size = body.length - at;
    if (i < count - 1) [size, at] = readVarint(body, at);
    if (size < CRC_BYTES || size > body.length - at) {
      throw formatError("a segment of the latent is cut off");
    }
    yield { ...place, data: body.subarray(at, at + size) };
    at += size;
  }
}

/** The coder of one quality and one type of latent chunk. */
export class Hyperprior {
  /**
   * @param {import("./prior_networks.js").PriorNetworks} networks
   * @param {import("./cdf_tables.js").Tables} tables
   * @param {Record<string, any>} levels of levels.npz
   * @param {number} quality in hundredths
   * @param {number} type of the chunk
   */
  constructor(networks, tables, levels, quality, type) {
    this.networks = networks;
    this.engine = networks.engine;
    this.tables = tables;
    this.quality = quality;
    this.hasTrellis = type !== TYPE.rounded;
    this.hasMasking = type === TYPE.masked || type === TYPE.continued;
    this.isContinued = type === TYPE.continued;
    this.gain = realsAt(levels.gain, quality).map(Math.exp);
    this.inverse = realsAt(levels.inverse, quality).map(Math.exp);
    this.scaleOffset = integersAt(levels.scale_offset, quality);
    this.zTable = Uint8Array.from(integersAt(levels.z_scale, quality), scaleIndex);
    this.bias = integersAt(levels.bias, quality);
  }

  /**
   * @param {Uint8Array} data of a segment
   * @param {number} h
   * @param {number} w
   * @param {Sides} [sides] where another segment lies
   * @returns {Segment}
   */
  decodeSegment(data, h, w, sides = ALONE) {
    const coder = new RansDecoder(data.subarray(CRC_BYTES));
    const z = this.takeZ(coder, Math.ceil(h / 4), Math.ceil(w / 4));
    const segment = this.codingLoop(z, h, w, sides, (pass) => this.takePass(coder, pass));
    coder.end();
    if (segment.crc !== readU32(data, 0)) {
      throw formatError("the coded latent is damaged: the symbols do not match their checksum");
    }
    return segment;
  }

  /**
   * @param {RansDecoder} coder
   * @param {number} hz
   * @param {number} wz
   * @returns {Int32Array} (64, hz, wz)
   */
  takeZ(coder, hz, wz) {
    const { tables, places } = this.zPlaces(hz, wz);
    const z = new Int32Array(HYPER * hz * wz);
    this.tables.takeArray(coder, tables, z, places);
    if (z.some((v) => Math.abs(v) > Z_MOST)) {
      throw formatError("the coded latent is damaged: side information out of range");
    }
    return z;
  }

  /**
   * @param {number} hz
   * @param {number} wz
   * @returns {{tables: Uint8Array, places: Uint32Array}} the table of each number of z, and all its
   *   places
   */
  zPlaces(hz, wz) {
    const n = hz * wz;
    const tables = Uint8Array.from({ length: HYPER * n }, (_, i) => this.zTable[Math.floor(i / n)]);
    return { tables, places: Uint32Array.from(tables, (_, i) => i) };
  }

  /**
   * @param {RansDecoder} coder
   * @param {Pass} pass
   */
  takePass(coder, { eighths, tables, alone, lanes, symbols, odd }) {
    // In the engine's memory: what is made anew for each segment waits long for its collection.
    const { engine } = this;
    const start = engine.top;
    /** @type {import("./cdf_tables.js").MakeArray} */
    const make = (Type, length) => engine.array(Type, length);
    this.tables.takeArray(coder, tables, symbols, alone, make);
    engine.release(start);
    const group = (
      /** @type {number} */ table,
      /** @type {Uint32Array} */ places,
      /** @type {number} */ from,
      /** @type {number} */ to,
    ) => this.tables.take(coder, table, symbols, places, from, to);
    walkLanes(eighths, tables, lanes, symbols, odd, group, make);
    engine.release(start);
  }

  /**
   * The two passes that encoder and decoder share.
   *
   * @param {Int32Array} z (64, hz, wz)
   * @param {number} h
   * @param {number} w
   * @param {Sides} sides where another segment lies
   * @param {(pass: Pass) => void} fill sets symbols and odd of a pass
   * @returns {Segment}
   */
  codingLoop(z, h, w, sides, fill) {
    const on = this.isContinued ? sides : ALONE;
    const rows = Math.ceil(h / 4) + on.top + on.bottom;
    const columns = Math.ceil(w / 4) + on.left + on.right;
    const size = BYTES_EACH * CHANNELS * 16 * rows * columns + BYTES_ALL;
    return this.engine.within(size, () => this.passes(z, h, w, on, fill));
  }

  /**
   * The same, where there is memory for it.
   *
   * @param {Int32Array} z
   * @param {number} h
   * @param {number} w
   * @param {Sides} sides
   * @param {(pass: Pass) => void} fill
   * @returns {Segment}
   */
  passes(z, h, w, sides, fill) {
    const n = h * w;
    const around = continued(z, Math.ceil(h / 4), Math.ceil(w / 4), sides);
    const from = [4 * sides.top, 4 * sides.left];
    const { features, head } = this.networks.features(
      around.z, around.hz, around.wz, this.bias, h, w, from,
    );
    const eighths = head.subarray(CHANNELS * n); // s1, and in the end those of all places
    for (let c = 0, p = 0; c < CHANNELS; c++) {
      for (let i = 0; i < n; i++) eighths[p++] += this.scaleOffset[c];
    }
    const finer = new Float32Array(n).fill(1);
    if (this.hasMasking) {
      const shift = activityShift(eighths, h, w, this.tables.activity, this.quality);
      for (let i = 0; i < n; i++) finer[i] = SCALE_RATIO ** (shift[i] / 8);
      for (let p = 0, i = 0; p < eighths.length; p++) {
        eighths[p] += shift[i];
        if (++i === n) i = 0;
      }
    }
    const mu = this.firstMeans(head, finer, n);
    const all = this.engine.array(Int16Array, z.length + CHANNELS * n); // what the checksum covers
    all.set(z);
    const symbols = all.subarray(z.length);
    const odd = this.engine.array(Uint8Array, CHANNELS * n);
    const tables = this.engine.array(Uint8Array, CHANNELS * n);
    const mean = (/** @type {number} */ p) => mu[p];
    const shared = { eighths, finer, tables, symbols, odd, mean };

    const near = { ...shared, ...this.places(eighths, tables, h, w, 0) };
    fill(near);
    const start = this.engine.top;
    const white = this.whiten(near, n);
    this.networks.contextRows(features, white, h, w, (place, count, row) => {
      this.refine(mu, eighths, row, place, count, n);
    });
    this.engine.release(start);
    const rest = { ...shared, ...this.places(eighths, tables, h, w, 1) };
    fill(rest);
    const crc = crc32c(new Uint8Array(all.buffer, all.byteOffset, all.byteLength));
    return { crc, latent: this.values([near, rest], mu, n) };
  }

  /**
   * @param {Int32Array} head m1 first, (320, n), in whose place the means are put
   * @param {Float32Array} finer
   * @param {number} n
   * @returns {Float32Array} (320, n) means in local steps, as far as the first pass knows
   */
  firstMeans(head, finer, n) {
    const mu = new Float32Array(head.buffer, head.byteOffset, CHANNELS * n);
    for (let c = 0, p = 0; c < CHANNELS; c++) {
      for (let i = 0; i < n; i++, p++) mu[p] = fround((head[p] / 64) * this.gain[c]) * finer[i];
    }
    return mu;
  }

  /**
   * What the second pass knows of its places in a row: means and scales are changed in place.
   *
   * @param {Float32Array} mu
   * @param {Int32Array} eighths
   * @param {Int32Array} row (count, 640): m2 and s2
   * @param {number} place of the first, two apart
   * @param {number} count
   * @param {number} n positions
   */
  refine(mu, eighths, row, place, count, n) {
    const { sigma } = this.tables;
    for (let c = 0; c < CHANNELS; c++) {
      for (let i = 0, p = c * n + place, at = c; i < count; i++, p += 2, at += 2 * CHANNELS) {
        mu[p] += fround(fround(sigma[scaleIndex(eighths[p])] * row[at]) / 64);
        eighths[p] += row[at + CHANNELS];
      }
    }
  }

  /**
   * @param {Int32Array} eighths
   * @param {Uint8Array} tables to be filled at the places
   * @param {number} h
   * @param {number} w
   * @param {number} parity of row + column
   * @returns {{alone: Uint32Array, lanes: Uint32Array}}
   */
  places(eighths, tables, h, w, parity) {
    // Those alone are put in from the front, those in lanes from behind.
    const all = this.engine.array(Uint32Array, CHANNELS * h * ((w + 1) >> 1));
    let [a, b] = [0, all.length];
    for (let c = 0; c < CHANNELS; c++) {
      for (let y = 0; y < h; y++) {
        for (let x = (y + parity) & 1, p = (c * h + y) * w + x; x < w; x += 2, p += 2) {
          const scale = scaleIndex(eighths[p]);
          if (!scale) continue;
          if (this.hasTrellis && scale >= FIRST_TRELLIS_SCALE) {
            tables[p] = scale - 1;
            all[--b] = p;
          } else {
            tables[p] = scale;
            all[a++] = p;
          }
        }
      }
    }
    return { alone: all.subarray(0, a), lanes: all.subarray(b).reverse() };
  }

  /**
   * @param {Pass} pass the anchors
   * @param {number} n positions
   * @returns {Int16Array} (n, 320): 16 value / sigma
   */
  whiten({ tables, alone, lanes, symbols, odd }, n) {
    const { whitener } = this.tables;
    const white = this.engine.array(Int16Array, CHANNELS * n);
    for (const places of [alone, lanes]) {
      for (let i = 0; i < places.length; i++) {
        const p = places[i];
        if (!symbols[p]) continue;
        // The product takes 37 bits, which a double holds.
        const product = halfSteps(symbols[p], odd[p]) * whitener[tables[p]];
        const value = Math.floor((product + 4096) / 8192);
        const clipped = value < -WHITE_MOST ? -WHITE_MOST : value > WHITE_MOST ? WHITE_MOST : value;
        white[(p % n) * CHANNELS + Math.floor(p / n)] = clipped;
      }
    }
    return white;
  }

  /**
   * @param {Pass[]} passes
   * @param {Float32Array} mu to which the symbols are added
   * @param {number} n positions
   * @returns {Float32Array} (n, 320): y_hat, in floats and no part of exactness
   */
  values(passes, mu, n) {
    const [{ finer, symbols, odd }] = passes;
    for (const { alone, lanes } of passes) {
      for (const p of alone) mu[p] += symbols[p];
      for (const p of lanes) {
        const v = halfSteps(symbols[p], odd[p]) / 2;
        mu[p] += fround(SCALE_RATIO * fround(v + Math.sign(v) * OUTWARD));
      }
    }
    const out = new Float32Array(CHANNELS * n);
    for (let c = 0, p = 0; c < CHANNELS; c++) {
      for (let i = 0; i < n; i++, p++) {
        out[i * CHANNELS + c] = fround(mu[p] / finer[i]) * this.inverse[c];
      }
    }
    return out;
  }
}

/**
 * z with a place more on some sides: that of the border again.
 *
 * @param {Int32Array} z (64, hz, wz)
 * @param {number} hz
 * @param {number} wz
 * @param {Sides} sides
 * @returns {{z: Int32Array, hz: number, wz: number}}
 */
function continued(z, hz, wz, { top, bottom, left, right }) {
  const [rows, columns] = [top + hz + bottom, left + wz + right];
  if (rows === hz && columns === wz) return { z, hz, wz };
  const out = new Int32Array(HYPER * rows * columns);
  const inside = (/** @type {number} */ v, /** @type {number} */ n) =>
    Math.max(0, Math.min(n - 1, v));
  for (let c = 0, to = 0; c < HYPER; c++) {
    for (let y = 0; y < rows; y++) {
      const row = (c * hz + inside(y - top, hz)) * wz;
      for (let x = 0; x < columns; x++) out[to++] = z[row + inside(x - left, wz)];
    }
  }
  return { z: out, hz: rows, wz: columns };
}

/**
 * @param {number} symbol
 * @param {number} odd 1 where it is of the odd quantizer
 * @returns {number} the value, in half steps
 */
export function halfSteps(symbol, odd) {
  return 2 * symbol - odd * Math.sign(symbol);
}
