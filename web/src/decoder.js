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
import { LATENT_TYPES, TYPE, unpack } from "./container.js";
import { readFiles } from "./core.js";
import { formatError, LtpError } from "./errors.js";
import { CHANNELS, splitBody } from "./hyperprior.js";
import { pasteLayer, readLayer } from "./layer.js";
import { decodeMetadata } from "./metadata.js";
import { plainBytes } from "./models.js";
import { discard, LocalRunner } from "./runner.js";
import { FACTOR, HALO, topOf } from "./synthesis.js";
import { WorkerRunner } from "./worker_protocol.js";

export const MAX_PIXELS = 64e6;
const LATENT_SHARE = 0.2; // of the time that decoding takes
const LEAST_BAND = 8; // latent rows

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
    const metadata = decodeMetadata(chunks);
    const { width, height } = header;
    const layer = readLayer(chunks, width, height);
    const alpha = chunks.get(TYPE.alpha);
    const opacity = alpha ? decodeAlpha(alpha, width, height) : null;
    const gray = chunks.has(TYPE.gray);
    const pixels = new Uint8ClampedArray(4 * width * height);
    let done = 0;
    const finish = (/** @type {number} */ first, /** @type {Uint8Array} */ rgba) => {
      if (gray) makeGray(rgba);
      const count = rgba.length / (4 * width);
      for (let i = 0, p = first * width; opacity && i < rgba.length; i += 4) {
        rgba[i + 3] = opacity[p++];
      }
      pixels.set(rgba, 4 * width * first);
      onRows?.({ first, count, width, height, pixels: new Uint8ClampedArray(rgba.buffer) });
      if (!onRows) discard(rgba);
    };
    if (type) {
      const jobs = jobsOf(header, chunks, type);
      signal?.throwIfAborted();
      const bands = bandsOf(header, (await this.runners()).length);
      await this.decodeLatent(jobs, bands, signal, (share) => onProgress?.(share * LATENT_SHARE));
      signal?.throwIfAborted();
      await this.synthesize(header, bands, signal, (first, rgba) => {
        done += rgba.length / (4 * width);
        if (layer) {
          pixels.set(rgba, 4 * width * first);
          discard(rgba);
        } else {
          finish(first, rgba);
        }
        onProgress?.(LATENT_SHARE + (1 - LATENT_SHARE) * (done / height));
      });
      signal?.throwIfAborted();
    }
    if (layer) {
      if (!type) pixels.fill(255);
      await pasteLayer(layer, width, pixels, options.decodeImage);
      finish(0, new Uint8Array(pixels));
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
    const [whole] = bandsOf(header, 1);
    await this.decodeLatent(jobs, [whole], signal, onProgress);
    const { latent, rows, columns } = whole;
    const n = rows * columns;
    const data = new Float32Array(latent.length);
    for (let i = 0, p = 0; i < n; i++) {
      for (let c = 0; c < CHANNELS; c++) data[c * n + i] = latent[p++];
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
    try {
      return await Promise.all(
        Array.from({ length: count }, () => WorkerRunner.open(create(), files)),
      );
    } catch (error) {
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
   * @param {Band[]} bands whose latents are filled
   * @param {AbortSignal} [signal]
   * @param {(fraction: number) => void} [onProgress]
   */
  async decodeLatent(jobs, bands, signal, onProgress) {
    signal?.throwIfAborted();
    const runners = await this.runners();
    const { columns } = bands[0];
    let [next, done] = [0, 0];
    const work = async (/** @type {import("./runner.js").Runner} */ runner) => {
      while (next < jobs.length) {
        const { row, column, ...job } = jobs[next++];
        const { h, w } = job;
        const part = await runner.segment(job, signal);
        for (let y = 0; y < h; y++) {
          const from = part.subarray(y * w * CHANNELS, (y + 1) * w * CHANNELS);
          for (const { top, rows: most, latent } of bands) {
            const line = row + y - top;
            if (line >= 0 && line < most) latent.set(from, (line * columns + column) * CHANNELS);
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
   * @param {Band[]} bands whose latents may be handed over
   * @param {AbortSignal | undefined} signal
   * @param {import("./runner.js").OnRows} onRows
   */
  async synthesize({ width, height }, bands, signal, onRows) {
    const runners = await this.runners();
    const jobs = bands.map(({ top, latent, rows, columns, first, end }, i) => {
      const wanted = { first: FACTOR * first, end: Math.min(height - FACTOR * top, FACTOR * end) };
      const paint = (/** @type {number} */ y, /** @type {Uint8Array} */ rgba) =>
        onRows(y + FACTOR * top, rgba);
      return runners[i].band({ latent, rows, columns, width, ...wanted }, paint, signal);
    });
    await allOf(jobs);
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
 * @typedef {object} Band rows of the latent, with those about them that their pixels depend on
 * @property {number} top the first row
 * @property {number} rows
 * @property {number} columns
 * @property {number} first row whose pixels are wanted, counted from the top
 * @property {number} end behind the last
 * @property {Float32Array} latent (rows, columns, CHANNELS), zeros to be filled
 */

/**
 * @param {import("./container.js").Header} header
 * @param {number} most
 * @returns {Band[]} up to so many, of about the same height
 */
function bandsOf({ width, height }, most) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / FACTOR));
  const count = Math.max(1, Math.min(most, Math.floor(rows / LEAST_BAND)));
  const edge = (/** @type {number} */ i) => Math.round((i * rows) / count);
  return Array.from({ length: count }, (_, i) => {
    const top = topOf(edge(i));
    const own = Math.min(rows, edge(i + 1) + HALO) - top;
    const latent = new Float32Array(own * columns * CHANNELS);
    return { top, rows: own, columns, first: edge(i) - top, end: edge(i + 1) - top, latent };
  });
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
  const isLp1 = type === TYPE.rounded || type === TYPE.trellis || type === TYPE.masked;
  if ((space === "lp1") !== isLp1) {
    throw formatError(`latents of space ${space} are not coded this way`);
  }
  const restoration = chunks.get(TYPE.restoration);
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
  if (restoration && restoration.length !== 1) {
    throw formatError("the restoration chunk must be one byte, the number of its weights");
  }
  return { header, chunks, type };
}

/**
 * The luma of RGBA pixels, in place.
 *
 * @param {Uint8Array} rgba
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
