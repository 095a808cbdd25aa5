/**
 * Reads and writes .ltp pictures. The errors are LtpError; the format is docs/formats/ltp.md.
 *
 * @typedef {import("./decoder.js").DecodeOptions & {models?: Models, workers?: number | Workers}}
 *   Options
 * @typedef {import("./models.js").Models} Models
 * @typedef {import("./decoder.js").Workers} Workers
 */

import { parseHeader } from "./container.js";
import { Decoder } from "./decoder.js";
import { fetchModels, plainBytes } from "./models.js";

export { Decoder, MAX_PIXELS } from "./decoder.js";
export { LtpError } from "./errors.js";
export { embeddedModels, fetchModels } from "./models.js";

const MOST_WORKERS = 4;

/** @type {WeakMap<Models, Map<number | Workers, Decoder>>} */
const decoders = new WeakMap();
/** @type {Promise<Models> | null} */
let ownModels = null;

/**
 * What a file says of itself, without its pixels; needs no model.
 *
 * @param {ArrayBuffer | Uint8Array} bytes
 * @returns {import("./container.js").Header}
 */
export function readHeader(bytes) {
  return parseHeader(plainBytes(bytes));
}

/**
 * Decode a file.
 *
 * @param {ArrayBuffer | Uint8Array} bytes
 * @param {Options} [options] models: by default those of the folder `models/lp1` beside `src`.
 *   workers: how many, by default as many as there are cores, at most four; 0 works in the thread
 *   that calls, as Node does by default.
 * @returns {Promise<import("./decoder.js").Decoded>}
 */
export async function decode(bytes, options = {}) {
  return (await decoderOf(options)).decode(bytes, options);
}

/**
 * The latent of a file.
 *
 * @param {ArrayBuffer | Uint8Array} bytes
 * @param {Options} [options]
 * @returns {Promise<{channels: number, rows: number, columns: number, data: Float32Array}>}
 */
export async function latent(bytes, options = {}) {
  return (await decoderOf(options)).latent(bytes, options);
}

/**
 * Encode a picture; the encoder is loaded when it is first used.
 *
 * @param {import("./picture.js").Source} source a Blob or File, an ImageBitmap, or RGBA pixels
 * @param {Partial<import("./encoder.js").EncodeOptions>} [options] models: as of `decode`
 * @returns {Promise<Uint8Array>}
 */
export async function encode(source, options = {}) {
  const encoder = await import("./encoder.js");
  return encoder.encode(source, { ...options, models: await modelsOf(options.models) });
}

/**
 * @param {Options} options
 * @returns {Promise<Decoder>} one for the same models and workers
 */
async function decoderOf({ models, workers = defaultWorkers() }) {
  const found = await modelsOf(models);
  const known = decoders.get(found) ?? new Map();
  decoders.set(found, known);
  const decoder =
    known.get(workers) ?? new Decoder({ models: found, workers: workersOf(workers) });
  known.set(workers, decoder);
  return decoder;
}

/** @param {Models | undefined} models */
async function modelsOf(models) {
  if (models) return models;
  ownModels ??= fetchModels(new URL("../models/lp1/", import.meta.url)).catch((error) => {
    ownModels = null;
    throw error;
  });
  return ownModels;
}

function defaultWorkers() {
  if (typeof Worker === "undefined") return 0;
  return Math.min(MOST_WORKERS, globalThis.navigator?.hardwareConcurrency ?? 1);
}

/**
 * @param {number | Workers} workers
 * @returns {Workers}
 */
function workersOf(workers) {
  if (typeof workers !== "number") return workers;
  return {
    count: workers,
    create: () =>
      /** @type {any} */ (new Worker(new URL("./worker.js", import.meta.url), { type: "module" })),
  };
}
