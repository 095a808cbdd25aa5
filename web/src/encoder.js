/**
 * A picture -> the bytes of an .ltp file, as Python's encoder makes them at its default effort:
 * symbols rounded to the nearest, those of large scales on the best path of a trellis, steps that
 * follow the activity. It is loaded only where something is encoded.
 *
 * picture.js           source -> upright RGBA, alpha, metadata
 * analysis.js          RGB -> latent, latent -> hyper latent
 * segment_encoder.js   a segment of the latent -> its bytes
 * size_target.js       the quality for a size
 */
import { encodeAlpha } from "./alpha_encoder.js";
import { Analysis, HyperAnalysis } from "./analysis.js";
import { Tables } from "./cdf_tables.js";
import { pack, TYPE } from "./container.js";
import { joined } from "./deflate.js";
import { Engine } from "./engine.js";
import { LtpError } from "./errors.js";
import { Hyperprior, SEGMENT } from "./hyperprior.js";
import { integersAt } from "./levels.js";
import { REFERENCE } from "./masking.js";
import { encodeMetadata } from "./metadata_encoder.js";
import { readVerified } from "./models.js";
import { readNpz } from "./npz.js";
import { readInitializers } from "./onnx.js";
import { readPicture } from "./picture.js";
import { PriorNetworks } from "./prior_networks.js";
import { pause } from "./runner.js";
import { SegmentEncoder } from "./segment_encoder.js";
import { fileWithin, logSizes } from "./size_target.js";
import { writeVarint } from "./varint.js";

export const ENCODER_FILES = ["analysis.onnx", "hyper_analysis.onnx"]; // beside the decoder's
const SPACE = 1; // lp1
const ANALYSIS_SHARE = 0.6; // of the time of a file of one quality
const SLICE_MS = 40; // of work, after which others get a turn

/**
 * @typedef {object} EncodeOptions
 * @property {number} [quality] 0 to 100, rounded to hundredths
 * @property {number} [maxBytes] of the whole file: the quality is then chosen, and not looked at
 * @property {import("./models.js").Models} models
 * @property {(share: number) => void} [onProgress] 0 to 1
 * @property {AbortSignal} [signal]
 *
 * @typedef {import("./analysis.js").Strip} Strip
 */

/** The networks of the encoder, and the numbers of the model. */
class Networks {
  /**
   * @param {object} parts
   * @param {Analysis} parts.analysis
   * @param {HyperAnalysis} parts.hyperAnalysis
   * @param {PriorNetworks} parts.prior
   * @param {Tables} parts.tables
   * @param {Record<string, any>} parts.levels
   * @param {string} parts.modelHash
   */
  constructor({ analysis, hyperAnalysis, prior, tables, levels, modelHash }) {
    this.analysis = analysis;
    this.hyperAnalysis = hyperAnalysis;
    this.prior = prior;
    this.tables = tables;
    this.levels = levels;
    this.modelHash = modelHash;
    /** @type {Promise<unknown>} settled when no picture is being analyzed */
    this.idle = Promise.resolve();
  }

  /**
   * @param {import("./models.js").Models} models
   * @returns {Promise<Networks>}
   */
  static async load(models) {
    const names = [...ENCODER_FILES, "features.onnx", "context.onnx"];
    const [code, tables, levels, ...graphs] = await Promise.all([
      models.read("engine.wasm"),
      readVerified(models, "tables.npz").then(readNpz),
      readVerified(models, "levels.npz").then(readNpz),
      ...names.map((name) => readVerified(models, name).then(readInitializers)),
    ]);
    const module = await WebAssembly.compile(/** @type {any} */ (code));
    // Analysis keeps its rows between strips, and so has a memory of its own.
    const [own, shared] = [await Engine.create(module), await Engine.create(module)];
    const [analysis, hyperAnalysis, features, context] = graphs;
    return new Networks({
      analysis: new Analysis(own, analysis),
      hyperAnalysis: new HyperAnalysis(shared, hyperAnalysis),
      prior: new PriorNetworks(shared, features, context),
      tables: new Tables(tables),
      levels,
      modelHash: models.manifest.model_hash,
    });
  }

  /**
   * @param {number} step of the grid of qualities
   * @returns {Hyperprior}
   */
  at(step) {
    return new Hyperprior(this.prior, this.tables, this.levels, step, TYPE.masked);
  }

  /**
   * Run a task when those before it have ended, since one picture is analyzed at a time.
   *
   * @template T
   * @param {() => Promise<T>} task
   * @returns {Promise<T>}
   */
  alone(task) {
    const result = this.idle.then(task);
    this.idle = result.catch(() => {});
    return result;
  }
}

/** @type {WeakMap<import("./models.js").Models, Promise<Networks>>} */
const loaded = new WeakMap();

/**
 * The networks of the encoder, loaded once for the same models.
 * @param {import("./models.js").Models} models
 */
function loadNetworks(models) {
  let networks = loaded.get(models);
  if (!networks) {
    networks = Networks.load(models);
    loaded.set(models, networks);
    networks.catch(() => loaded.delete(models)); // so that a later call tries again
  }
  return networks;
}

/**
 * @param {import("./picture.js").Source} source
 * @param {EncodeOptions} options
 * @returns {Promise<Uint8Array>}
 */
export async function encode(source, options) {
  const { quality = 50, maxBytes, models, onProgress = () => {}, signal } = options;
  if (!(quality >= 0 && quality <= 100)) {
    throw new RangeError(`quality must lie in 0..100, not ${quality}`);
  }
  if (maxBytes !== undefined && !(maxBytes >= 1)) {
    throw new RangeError(`a size is a number of bytes above 0, not ${maxBytes}`);
  }
  const picture = await readPicture(source);
  signal?.throwIfAborted();
  const networks = await loadNetworks(models);
  const side = await sideChunks(picture);
  return networks.alone(async () => {
    signal?.throwIfAborted();
    const writer = new Writer(picture, networks, side, signal);
    if (maxBytes !== undefined) return writer.within(Math.floor(maxBytes), onProgress);
    const strips = writer.analyze((share) => onProgress(ANALYSIS_SHARE * share));
    const file = await writer.write(strips, Math.round(100 * quality));
    onProgress(1);
    return file;
  });
}

/**
 * What a file carries beside the latent, each where the picture has it.
 * @param {import("./picture.js").Picture} picture
 * @returns {Promise<[number, Uint8Array][]>}
 */
async function sideChunks({ width, height, alpha, isGray, metadata }) {
  /** @type {[number, Uint8Array][]} */
  const chunks = [];
  if (alpha) chunks.push([TYPE.alpha, await encodeAlpha(alpha, width, height)]);
  if (isGray) chunks.push([TYPE.gray, new Uint8Array(0)]);
  return [...chunks, ...(await encodeMetadata(metadata))];
}

/** Stages 2 to 5 of one picture. */
class Writer {
  /**
   * @param {import("./picture.js").Picture} picture
   * @param {Networks} networks
   * @param {[number, Uint8Array][]} side chunks beside the latent
   * @param {AbortSignal} [signal]
   */
  constructor(picture, networks, side, signal) {
    this.picture = picture;
    this.networks = networks;
    this.side = side;
    this.signal = signal;
  }

  /**
   * The latent in strips, from the top.
   *
   * @param {(share: number) => void} onProgress
   * @returns {AsyncGenerator<Strip>}
   */
  async *analyze(onProgress) {
    const { width, height, rgba } = this.picture;
    let read = 0;
    const steps = this.networks.analysis.strips(width, height, (row, out) => {
      read = row;
      for (let x = 0, at = 4 * width * row, to = 0; x < width; x++, at += 4) {
        out[to++] = rgba[at];
        out[to++] = rgba[at + 1];
        out[to++] = rgba[at + 2];
      }
    });
    let turn = performance.now();
    for (const strip of steps) {
      if (strip) yield strip;
      if (performance.now() - turn < SLICE_MS) continue;
      onProgress(read / height);
      await this.rest();
      turn = performance.now();
    }
  }

  /** Let the thread do what else it has to; throws where nobody waits for the file any more. */
  async rest() {
    await pause();
    this.signal?.throwIfAborted();
  }

  /**
   * @param {AsyncIterable<Strip> | Iterable<Strip>} strips
   * @param {number} step of the grid of qualities
   * @returns {Promise<Uint8Array>} the file
   */
  async write(strips, step) {
    const coder = new SegmentEncoder(this.networks.at(step), this.networks.hyperAnalysis);
    /** @type {Uint8Array[]} */
    const segments = [];
    for await (const strip of strips) {
      for (let left = 0; left < strip.columns; left += SEGMENT) {
        segments.push(coder.encode(strip, left, Math.min(left + SEGMENT, strip.columns)));
        await this.rest();
      }
    }
    const last = segments.length - 1;
    const body = joined(segments.flatMap((segment, i) =>
      (i < last ? [writeVarint(segment.length), segment] : [segment])));
    return this.pack(body, step);
  }

  /**
   * @param {Uint8Array} body of the latent chunk
   * @param {number} step
   */
  pack(body, step) {
    const { width, height } = this.picture;
    const { modelHash } = this.networks;
    const fields = { spaceId: SPACE, modelHash, width, height, quality: step };
    return pack(fields, [[TYPE.masked, body], ...this.side]);
  }

  /**
   * The best file of at most `limit` bytes.
   * @param {number} limit
   * @param {(share: number) => void} onProgress
   */
  async within(limit, onProgress) {
    /** @type {Strip[]} */
    const strips = [];
    for await (const strip of this.analyze((share) => onProgress(share / 3))) strips.push(strip);
    let left = 2 / 3; // each probe takes a third of what is left, since their number is not known
    const estimate = logSizes(strips, (step) => ({
      gain: this.networks.at(step).gain,
      reference: integersAt(REFERENCE, step)[0],
    }));
    const fixed = this.pack(new Uint8Array(0), 0).length;
    const { file, fits } = await fileWithin(
      async (step) => {
        const written = await this.write(strips, step);
        left *= 2 / 3;
        onProgress(1 - left);
        return written;
      },
      limit,
      fixed,
      estimate,
    );
    if (!fits) {
      const error = new LtpError(
        "limit",
        `no file of this picture is as small as ${limit} bytes: the least, at quality 0, has `
          + `${file.length}`,
      );
      throw Object.assign(error, { least: file.length });
    }
    onProgress(1);
    return file;
  }
}
