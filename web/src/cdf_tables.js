/**
 * The shipped integer tables of `entropy/tables.npz`: which counts code a symbol of which scale.
 * Table t + ODD is that of the odd quantizer beside table t.
 */

import { formatError } from "./errors.js";

export const SCALES = 64;
export const ODD = 384;
export const SCALE_RATIO = Math.fround(1.118571); // of neighboring scales
const LOOKUP_BITS = 10;
const LIMIT = 32768; // symbols lie between -LIMIT and LIMIT, without these two

/**
 * @typedef {<T>(Type: {new (length: number): T} & any, length: number) => T} MakeArray gives an
 *   array of zeros
 *
 * @typedef {object} Model
 * @property {Uint32Array} starts where the interval of each symbol begins, and 2^24 at the end
 * @property {Uint16Array} first by the top bits of a number: the first symbol that may hold it
 * @property {number} radius the largest symbol that needs no escape
 */

/** @type {MakeArray} */
export const newArray = (Type, length) => new Type(length);

/**
 * @param {number} eighths of a scale
 * @returns {number} the scale
 */
export function scaleIndex(eighths) {
  const scale = (eighths + 4) >> 3;
  return scale < 0 ? 0 : scale > SCALES - 1 ? SCALES - 1 : scale;
}

export class Tables {
  /** @param {Record<string, any>} arrays of tables.npz */
  constructor(arrays) {
    /** @type {Float32Array} standard deviations of the scales, in steps */
    this.sigma = arrays.sigma;
    /** @type {Float64Array} 16 / sigma in units of 2^-12, whole numbers */
    this.whitener = Float64Array.from(arrays.whitener);
    /** @type {Int32Array} about the bits of a symbol of each scale, in 1/64 */
    this.activity = Int32Array.from(arrays.activity);
    this.radius = Int32Array.from(arrays.radius);
    this.counts = arrays.counts;
    this.offsets = new Uint32Array(this.radius.length + 1);
    this.radius.forEach((r, t) => {
      this.offsets[t + 1] = this.offsets[t] + 2 * r + 2;
    });
    /** @type {Map<number, Model>} */
    this.models = new Map();
  }

  /**
   * @param {number} table
   * @returns {Model}
   */
  model(table) {
    let model = this.models.get(table);
    if (!model) {
      model = makeModel(
        this.counts.subarray(this.offsets[table], this.offsets[table + 1]),
        this.radius[table],
      );
      this.models.set(table, model);
    }
    return model;
  }

  /**
   * Take symbols that share a table: first all of them, then those that were escaped.
   *
   * @param {import("./rans.js").RansDecoder} coder
   * @param {number} table
   * @param {Int16Array | Int32Array} out the symbols go to out[places[i]]
   * @param {Uint32Array} places
   * @param {number} from
   * @param {number} to i is in from..to - 1
   */
  take(coder, table, out, places, from, to) {
    const { starts, first, radius } = this.model(table);
    const escape = 2 * radius + 1;
    let escaped = false;
    for (let i = from; i < to; i++) {
      const x = coder.low;
      let k = first[x >> (24 - LOOKUP_BITS)];
      while (starts[k + 1] <= x) k++;
      coder.step(starts[k], starts[k + 1] - starts[k]);
      out[places[i]] = k - radius;
      if (k === escape) escaped = true;
    }
    if (!escaped) return;
    for (let i = from; i < to; i++) {
      if (out[places[i]] !== radius + 1) continue;
      const value = coder.take16() - LIMIT;
      if (value === -LIMIT) {
        throw formatError("the coded latent holds a symbol that is out of range");
      }
      out[places[i]] = value;
    }
  }

  /**
   * Take an array of symbols: table after table, within a table in the order of the places.
   *
   * @param {import("./rans.js").RansDecoder} coder
   * @param {Uint8Array} tables the table of each place, below SCALES
   * @param {Int16Array | Int32Array} out
   * @param {Uint32Array} places in raster order
   * @param {MakeArray} [make]
   */
  takeArray(coder, tables, out, places, make) {
    const { order, ends } = byTable(tables, places, make);
    for (let t = 0, from = 0; t < SCALES; from = ends[t++]) {
      if (ends[t] > from) this.take(coder, t, out, order, from, ends[t]);
    }
  }
}

/**
 * The places sorted by their tables, equal ones in their order.
 *
 * @param {Uint8Array} tables the table of each place, below SCALES
 * @param {Uint32Array} places
 * @param {MakeArray} [make]
 * @returns {{order: Uint32Array, ends: Uint32Array}} ends: where each table's places end in order
 */
export function byTable(tables, places, make = newArray) {
  const starts = new Uint32Array(SCALES + 1);
  for (let i = 0; i < places.length; i++) starts[tables[places[i]] + 1]++;
  for (let t = 0; t < SCALES; t++) starts[t + 1] += starts[t];
  const ends = starts.slice(1);
  const order = make(Uint32Array, places.length);
  for (let i = 0; i < places.length; i++) order[starts[tables[places[i]]]++] = places[i];
  return { order, ends };
}

/**
 * @param {ArrayLike<number>} counts of the symbols -radius to radius, then of the escape
 * @param {number} radius
 * @returns {Model}
 */
function makeModel(counts, radius) {
  const starts = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) starts[i + 1] = starts[i] + counts[i];
  const first = new Uint16Array(1 << LOOKUP_BITS);
  for (let k = 0, i = 0; k < first.length; k++) {
    while (starts[i + 1] <= k << (24 - LOOKUP_BITS)) i++;
    first[k] = i;
  }
  return { starts, first, radius };
}
