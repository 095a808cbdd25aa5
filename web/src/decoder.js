/**
 * The decoder: its threads, and how a file travels through them.
 *
 * @typedef {object} Workers
 * @property {number} count 0: the thread that calls does the work
 * @property {() => import("./worker_protocol.js").Port} create
 *
 * @typedef {object} DecodeOptions
 * @property {number} [maxPixels] the largest picture that is taken
 * @property {(fraction: number) => void} [onProgress] 0 to 1
 * @property {(rows: {first: number, count: number, width: number, height: number, pixels:
 *   Uint8ClampedArray}) => void} [onRows] rows of RGBA as they finish, in bands from several places
 * @property {AbortSignal} [signal]
 * @property {import("./layer.js").DecodeImage} [decodeImage] reads the AVIF pictures of a screen
 *   layer; by default the browser does
 *
 * @typedef {object} Decoded
 * @property {number} width
 * @property {number} height
 * @property {1 | 2 | 3 | 4} channels gray, gray and alpha, RGB, RGBA
 * @property {Uint8ClampedArray} pixels RGBA, always
 * @property {() => Promise<ImageBitmap>} bitmap in browsers
 * @property {import("./metadata.js").Metadata} metadata
 * @property {import("./container.js").Header} header
 */

import { decodeAlpha } from "./alpha.js";
import { boxesOf, wholeBox } from "./boxes.js";
import { LATENT_TYPES, TYPE, unpack } from "./container.js";
import { readFiles } from "./core.js";
import { formatError, LtpError } from "./errors.js";
import { CHANNELS, splitBody } from "./hyperprior.js";
import { pasteLayer, readLayer } from "./layer.js";
import { decodeMetadata } from "./metadata.js";
import { plainBytes } from "./models.js";
import { LocalRunner, pause } from "./runner.js";
import { discard, rowOf } from "./strips.js";
import { FACTOR } from "./synthesis.js";
import { WorkerRunner } from "./worker_protocol.js";

export const MAX_PIXELS = 64e6;
const LATENT_SHARE = 0.2; // of the time that decoding takes

export class Decoder {
  /**
   * @param {{models: import("./models.js").Models, workers?: Workers}} parts
   */
  constructor({ models, workers }) {
    this.models = models;
    this.workers = workers;
    /** @type {Promise<import("./runner.js").Runner[]> | null} */
    this.opened = null;
  }

  /**
   * @param {ArrayBuffer | Uint8Array} bytes of a file
   * @param {DecodeOptions} [options]
   * @returns {Promise<Decoded>}
   */
  async decode(bytes, options = {}) {
    const { onProgress, onRows, signal } = options;
    const { header, chunks, type } = open(plainBytes(bytes), this.models.manifest, options);
    signal?.throwIfAborted();
    const metadata = decodeMetadata(chunks);
    const { width, height } = header;
    const layer = readLayer(chunks, width, height);
    const alpha = chunks.get(TYPE.alpha);
    const opacity = alpha ? decodeAlpha(alpha, width, height) : null;
    const gray = chunks.has(TYPE.gray);
    const pixels = new Uint8ClampedArray(4 * width * height);
    const finish = (/** @type {number} */ first, /** @type {number} */ end) => {
      const rows = pixels.subarray(4 * width * first, 4 * width * end);
      if (gray) makeGray(rows);
      for (let i = 3, p = first * width; opacity && i < rows.length; i += 4) rows[i] = opacity[p++];
      onRows?.({ first, count: end - first, width, height, pixels: rows.slice() });
    };
    if (type) {
      const jobs = jobsOf(header, chunks, type);
      const boxes = boxesOf(header, (await this.runners()).length);
      await this.decodeLatent(jobs, boxes, signal, (share) => onProgress?.(share * LATENT_SHARE));
      signal?.throwIfAborted();
      const missing = new Uint32Array(height).fill(width); // pixels of each row
      let left = pixels.length;
      await this.synthesize(header, boxes, signal, (column, first, columns, rgba) => {
        const end = first + rgba.length / (4 * columns);
        paste(rgba, columns, pixels, width, column, first);
        left -= rgba.length;
        discard(rgba);
        let from = first;
        for (let y = first; y < end; y++) {
          missing[y] -= columns;
          if (missing[y] === 0) continue;
          if (y > from && !layer) finish(from, y);
          from = y + 1;
        }
        if (end > from && !layer) finish(from, end);
        onProgress?.(1 - (1 - LATENT_SHARE) * (left / pixels.length));
      });
      signal?.throwIfAborted();
    }
    if (layer) {
      if (!type) pixels.fill(255);
      await pasteLayer(layer, width, pixels, options.decodeImage, async () => {
        await pause();
        signal?.throwIfAborted();
      });
      signal?.throwIfAborted();
      finish(0, height);
      onProgress?.(1);
    }
    const channels = /** @type {1 | 2 | 3 | 4} */ ((gray ? 1 : 3) + (opacity ? 1 : 0));
    const bitmap = () => createImageBitmap(new ImageData(/** @type {any} */ (pixels), width));
    return { width, height, channels, pixels, bitmap, metadata, header };
  }

  /**
   * @param {ArrayBuffer | Uint8Array} bytes of a file
   * @param {DecodeOptions} [options]
   * @returns {Promise<{channels: number, rows: number, columns: number, data: Float32Array}>} the
   *   latent, plane after plane: (channels, rows, columns)
   */
  async latent(bytes, options = {}) {
    const { header, chunks, type } = open(plainBytes(bytes), this.models.manifest, options);
    if (!type) {
      throw formatError("the file holds no latent: its whole picture is a screen layer");
    }
    const { onProgress, signal } = options;
    const jobs = jobsOf(header, chunks, type);
    const whole = wholeBox(header);
    await this.decodeLatent(jobs, [whole], signal, onProgress);
    const { strips, rows, columns } = whole;
    const n = rows * columns;
    const data = new Float32Array(CHANNELS * n);
    let i = 0;
    for (const strip of strips) {
      for (let p = 0; p < strip.length; i++) {
        for (let c = 0; c < CHANNELS; c++) data[c * n + i] = strip[p++];
      }
    }
    return { channels: CHANNELS, rows, columns, data };
  }

  /** @returns {Promise<import("./runner.js").Runner[]>} */
  runners() {
    this.opened ??= this.open().catch((error) => {
      this.opened = null;
      throw error;
    });
    return this.opened;
  }

  /** @returns {Promise<import("./runner.js").Runner[]>} */
  async open() {
    const files = await readFiles(this.models);
    if (!this.workers?.count) return [await LocalRunner.open(files)];
    const { count, create } = this.workers;
    /** @type {import("./worker_protocol.js").Port[]} */
    const workers = [];
    try {
      while (workers.length < count) workers.push(create());
      const runners = await Promise.all(workers.map((each) => WorkerRunner.open(each, files)));
      // one that ended, as where memory is short, answers nobody: the next picture gets new ones
      for (const runner of runners) runner.onEnd = () => void this.close();
      return runners;
    } catch (error) {
      for (const worker of workers) worker.terminate();
      if (error instanceof LtpError) throw error;
      return [await LocalRunner.open(files)]; // where the browser allows no worker, as from a file
    }
  }

  /** End the workers. */
  async close() {
    const opened = this.opened;
    this.opened = null;
    for (const runner of (await opened?.catch(() => [])) ?? []) runner.close();
  }

  /**
   * @param {Job[]} jobs
   * @param {import("./boxes.js").Box[]} boxes whose latents are filled
   * @param {AbortSignal} [signal]
   * @param {(fraction: number) => void} [onProgress]
   */
  async decodeLatent(jobs, boxes, signal, onProgress) {
    const runners = await this.runners();
    signal?.throwIfAborted(); // workers hear of what is given up from now on alone
    let [next, done] = [0, 0];
    const work = async (/** @type {import("./runner.js").Runner} */ runner) => {
      while (next < jobs.length) {
        const { row, column, ...job } = jobs[next++];
        const { h, w } = job;
        const part = await runner.segment(job, signal);
        for (const { top, left, rows, columns, strips } of boxes) {
          const from = Math.max(column, left);
          const end = Math.min(column + w, left + columns);
          if (from >= end) continue;
          for (let y = Math.max(row, top); y < Math.min(row + h, top + rows); y++) {
            const at = (y - row) * w - column;
            const line = part.subarray((at + from) * CHANNELS, (at + end) * CHANNELS);
            rowOf(strips, columns, y - top).set(line, (from - left) * CHANNELS);
          }
        }
        discard(part);
        onProgress?.(++done / jobs.length);
      }
    };
    await allOf(runners.map(work), () => {
      next = jobs.length;
    });
  }

  /**
   * @param {import("./container.js").Header} header
   * @param {import("./boxes.js").Box[]} boxes whose latents are handed over
   * @param {AbortSignal | undefined} signal
   * @param {(column: number, row: number, columns: number, rgba: Uint8Array) => void} paint rows of
   *   so many columns of the picture
   */
  async synthesize({ width, height }, boxes, signal, paint) {
    let next = 0;
    const work = async (/** @type {import("./runner.js").Runner} */ runner) => {
      while (next < boxes.length) {
        const { top, left, rows, columns, down, across, strips } = boxes[next++];
        const wanted = {
          left: FACTOR * across[0],
          right: Math.min(width - FACTOR * left, FACTOR * across[1]),
          first: FACTOR * down[0],
          end: Math.min(height - FACTOR * top, FACTOR * down[1]),
        };
        const onRows = (/** @type {number} */ y, /** @type {Uint8Array} */ rgba) => {
          const at = [FACTOR * left + wanted.left, FACTOR * top + y];
          paint(at[0], at[1], wanted.right - wanted.left, rgba);
        };
        await runner.box({ strips, rows, columns, wanted }, onRows, signal);
      }
    };
    const runners = await this.runners();
    signal?.throwIfAborted();
    await allOf(runners.map(work), () => {
      next = boxes.length;
    });
  }
}

/**
 * @typedef {import("./runner.js").SegmentJob & {row: number, column: number}} Job a segment, and
 *   its first position in the latent
 *
 * @param {import("./container.js").Header} header
 * @param {Map<number, Uint8Array>} chunks
 * @param {number} type of the latent chunk
 * @returns {Job[]}
 */
function jobsOf(header, chunks, type) {
  const [rows, columns] = [header.height, header.width].map((side) => Math.ceil(side / FACTOR));
  const body = /** @type {Uint8Array} */ (chunks.get(type));
  const quality = Math.round(100 * header.quality);
  return Array.from(splitBody(body, rows, columns), (part) => ({ ...part, quality, type }));
}

/**
 * Put rows of pixels into a picture.
 *
 * @param {Uint8Array} rgba
 * @param {number} columns
 * @param {Uint8ClampedArray} pixels of the picture
 * @param {number} width of the picture
 * @param {number} left
 * @param {number} top
 */
function paste(rgba, columns, pixels, width, left, top) {
  for (let at = 0, to = 4 * (top * width + left); at < rgba.length; to += 4 * width) {
    const end = at + 4 * columns;
    pixels.set(rgba.subarray(at, end), to);
    at = end;
  }
}

/**
 * The cheap checks that come before anything is allocated.
 *
 * @param {Uint8Array} bytes
 * @param {import("./models.js").Manifest} manifest
 * @param {DecodeOptions} options
 * @returns {{header: import("./container.js").Header, chunks: Map<number, Uint8Array>, type:
 *   number}} type: of the latent chunk, 0 where there is none
 */
function open(bytes, manifest, { maxPixels = MAX_PIXELS }) {
  const { header, chunks } = unpack(bytes);
  const { width, height, space, modelHash } = header;
  if (width * height > maxPixels) {
    const size = `${width} x ${height} pixels`;
    throw new LtpError(
      "limit",
      `the header promises ${size}, more than the limit of ${Math.floor(maxPixels)} here`,
    );
  }
  const type = LATENT_TYPES.find((t) => chunks.has(t)) ?? 0;
  if (!type) return { header, chunks, type };
  if (space !== "lp1") {
    throw new LtpError(
      "model",
      `the file is in latent space ${space}, which needs an autoencoder that is not shipped; ` +
        "`latentpress decompress` opens it",
    );
  }
  if (modelHash !== manifest.model_hash) {
    throw new LtpError(
      "model",
      `the file was made with lp1 model ${modelHash}; this latentpress ships ` +
        manifest.model_hash,
    );
  }
  return { header, chunks, type };
}

/**
 * The luma of RGBA pixels, in place.
 *
 * @param {Uint8Array | Uint8ClampedArray} rgba
 */
function makeGray(rgba) {
  for (let i = 0; i < rgba.length; i += 4) {
    const sum = 19595 * rgba[i] + 38470 * rgba[i + 1] + 7471 * rgba[i + 2];
    rgba.fill((sum + 32768) >> 16, i, i + 3);
  }
}

/**
 * Wait for all jobs, also where one fails, so that none goes on when this ends.
 *
 * @param {Promise<void>[]} jobs
 * @param {() => void} [onFailure]
 */
async function allOf(jobs, onFailure) {
  for (const job of jobs) job.catch(() => onFailure?.());
  const results = await Promise.allSettled(jobs);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
