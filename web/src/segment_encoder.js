/**
 * Stages 3 and 4 of the encoder: a segment of the latent -> its bytes (docs/formats/ltp.md, "Latent
 * chunks 02 and 04 to 06"). It runs the two passes that the decoder will run, and chooses the symbols
 * of each.
 */

import { CHANNELS, roundHalfToEven } from "./analysis.js";
import { byTable, ODD, SCALE_RATIO, SCALES } from "./cdf_tables.js";
import { u32Bytes } from "./crc32c.js";
import { joined } from "./deflate.js";
import { ALONE } from "./hyperprior.js";
import { RansEncoder } from "./rans_encoder.js";
import { laneCount, laneOrder, walkLanes } from "./trellis.js";
import { quantizeLanes, REACH } from "./viterbi.js";

const SYMBOL_MAX = 32767;
const ESCAPE_BITS = 16;
const HALO = 4; // positions that a place of z stands for, each way
const { fround } = Math;

/** @typedef {import("./hyperprior.js").Pass} Pass */

export class SegmentEncoder {
  /**
   * @param {import("./hyperprior.js").Hyperprior} prior of the file's quality
   * @param {import("./analysis.js").HyperAnalysis} hyperAnalysis
   */
  constructor(prior, hyperAnalysis) {
    this.prior = prior;
    this.tables = prior.tables;
    this.hyperAnalysis = hyperAnalysis;
    /** @type {(Float32Array | undefined)[]} */
    this.bits = [];
  }

  /**
   * @param {import("./analysis.js").Strip} strip
   * @param {number} left column of the segment
   * @param {number} right the column behind it
   * @param {import("./hyperprior.js").Sides} sides where another segment lies
   * @returns {Uint8Array}
   */
  encode(strip, left, right, sides) {
    const [h, w] = [strip.rows, right - left];
    const n = h * w;
    const planes = this.inSteps(strip, left, w);
    const z = this.hyperLatent(strip, left, right, this.prior.isContinued ? sides : ALONE);
    const coder = new RansEncoder();
    const { tables, places } = this.prior.zPlaces(Math.ceil(h / 4), Math.ceil(w / 4));
    this.noteArray(coder, tables, z, places);
    const { crc } = this.prior.codingLoop(z, h, w, sides, (pass) => {
      this.choose(pass, planes, n);
      this.notePass(coder, pass);
    });
    return joined([u32Bytes(crc), coder.finish()]);
  }

  /**
   * The segment in steps of the quality.
   *
   * @param {import("./analysis.js").Strip} strip
   * @param {number} left
   * @param {number} w
   * @returns {Float32Array} (CHANNELS, h, w)
   */
  inSteps({ rows, columns, data }, left, w) {
    const { gain } = this.prior;
    const n = rows * w;
    const planes = new Float32Array(CHANNELS * n);
    for (let i = 0; i < n; i++) {
      const from = CHANNELS * (Math.floor(i / w) * columns + left + (i % w));
      for (let c = 0; c < CHANNELS; c++) planes[c * n + i] = data[from + c] * gain[c];
    }
    return planes;
  }

  /**
   * The side information of the segment. Where another segment lies it is made of what is beside it
   * in the strip, and of the border's row again above and below.
   *
   * @param {import("./analysis.js").Strip} strip
   * @param {number} first column of the segment
   * @param {number} end the column behind it
   * @param {import("./hyperprior.js").Sides} sides
   * @returns {Int32Array} (64, ceil(h / 4), ceil(w / 4))
   */
  hyperLatent({ rows, columns, data }, first, end, { top, bottom, left, right }) {
    const { gain } = this.prior;
    const from = first - HALO * left;
    const [h, w] = [rows + HALO * (top + bottom), Math.min(end + HALO * right, columns) - from];
    const steps = new Float32Array(CHANNELS * h * w);
    for (let y = 0, to = 0; y < h; y++) {
      const row = Math.max(0, Math.min(rows - 1, y - HALO * top));
      for (let x = 0; x < w; x++) {
        const at = CHANNELS * (row * columns + from + x);
        for (let c = 0; c < CHANNELS; c++) steps[to++] = data[at + c] * gain[c];
      }
    }
    const z = this.hyperAnalysis.run(steps, h, w);
    const [hz, wz] = [Math.ceil(h / HALO), Math.ceil(w / HALO)];
    const own = Math.ceil((end - first) / HALO);
    return z.filter((_, i) => {
      const [y, x] = [Math.floor(i / wz) % hz, i % wz];
      return y >= top && y < hz - bottom && x >= left && x < left + own;
    });
  }

  /**
   * Fill the symbols of a pass: the nearest where they stand alone, in lanes those of the best
   * path.
   *
   * @param {Pass} pass
   * @param {Float32Array} planes the segment in steps, (CHANNELS, n)
   * @param {number} n positions
   */
  choose({ alone, lanes, eighths, tables, mean, finer, symbols }, planes, n) {
    const value = (/** @type {number} */ p) =>
      fround(fround(planes[p] * finer[p % n]) - mean(p));
    for (const p of alone) {
      symbols[p] = Math.max(-SYMBOL_MAX, Math.min(SYMBOL_MAX, roundHalfToEven(value(p))));
    }
    if (!lanes.length) return;
    const order = laneOrder(eighths, lanes);
    const values = Float32Array.from(order, (p) => value(p) / SCALE_RATIO);
    const ofLanes = Uint8Array.from(order, (p) => tables[p]);
    const chosen = new Int32Array(order.length);
    const bitsOf = (/** @type {number} */ quantizer, /** @type {number} */ table) =>
      this.bitsOf(table + ODD * quantizer);
    quantizeLanes(values, ofLanes, laneCount(order.length), bitsOf, chosen);
    order.forEach((p, i) => {
      symbols[p] = chosen[i];
    });
  }

  /**
   * @param {number} table
   * @returns {Float32Array} the bits of the magnitudes 0 to REACH
   */
  bitsOf(table) {
    let bits = this.bits[table];
    if (!bits) {
      const { starts, radius } = this.tables.model(table);
      bits = Float32Array.from({ length: REACH + 1 }, (_, magnitude) => {
        const isEscaped = magnitude > radius;
        const k = isEscaped ? 2 * radius + 1 : radius + magnitude;
        return 24 - Math.log2(starts[k + 1] - starts[k]) + (isEscaped ? ESCAPE_BITS : 0);
      });
      this.bits[table] = bits;
    }
    return bits;
  }

  /**
   * @param {RansEncoder} coder
   * @param {Pass} pass
   */
  notePass(coder, { alone, lanes, eighths, tables, symbols, odd }) {
    this.noteArray(coder, tables, symbols, alone);
    walkLanes(eighths, tables, lanes, symbols, odd, (table, places, from, to) => {
      this.note(coder, table, symbols, places, from, to);
    });
  }

  /**
   * Note an array of symbols, table after table.
   *
   * @param {RansEncoder} coder
   * @param {Uint8Array} tables of every place
   * @param {Int16Array | Int32Array} symbols of every place
   * @param {Uint32Array} places in raster order
   */
  noteArray(coder, tables, symbols, places) {
    const { order, ends } = byTable(tables, places);
    for (let t = 0, from = 0; t < SCALES; from = ends[t++]) {
      if (ends[t] > from) this.note(coder, t, symbols, order, from, ends[t]);
    }
  }

  /**
   * Note symbols that share a table: first all of them, then those that are escaped.
   *
   * @param {RansEncoder} coder
   * @param {number} table
   * @param {Int16Array | Int32Array} symbols
   * @param {Uint32Array} places
   * @param {number} from
   * @param {number} to
   */
  note(coder, table, symbols, places, from, to) {
    const { starts, radius } = this.tables.model(table);
    const escape = 2 * radius + 1;
    let escaped = false;
    for (let i = from; i < to; i++) {
      const symbol = symbols[places[i]];
      const isEscaped = symbol > radius || symbol < -radius;
      const k = isEscaped ? escape : symbol + radius;
      if (isEscaped) escaped = true;
      coder.note(starts[k], starts[k + 1] - starts[k]);
    }
    if (!escaped) return;
    for (let i = from; i < to; i++) {
      if (Math.abs(symbols[places[i]]) > radius) coder.noteEscaped(symbols[places[i]]);
    }
  }
}
