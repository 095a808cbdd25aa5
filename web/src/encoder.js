/**
 * A picture -> the bytes of an .ltp file, as Python's encoder makes them at its default effort:
 * symbols rounded to the nearest, those of large scales on the best path of a trellis, steps that
 * follow the activity. It is loaded only where something is encoded.
 *
 * picture.js           source -> upright RGBA, alpha, metadata
 * screen_encoder.js    what can be kept exactly in as few bytes
 * analysis.js          RGB -> latent, latent -> hyper latent
 * segment_encoder.js   a segment of the latent -> its bytes
 * size_target.js       the quality for a size
 */
import { encodeAlpha } from "./alpha_encoder.js";
import { Analysis, FACTOR, HyperAnalysis } from "./analysis.js";
import { Tables } from "./cdf_tables.js";
import { pack, TYPE } from "./container.js";
import { joined } from "./deflate.js";
import { Engine } from "./engine.js";
import { LtpError } from "./errors.js";
import { Hyperprior, SEGMENT, segmentsOf } from "./hyperprior.js";
import { integersAt } from "./levels.js";
import { REFERENCE, STRENGTH } from "./masking.js";
import { encodeMetadata } from "./metadata_encoder.js";
import { readVerified } from "./models.js";
import { readNpz } from "./npz.js";
import { readInitializers } from "./onnx.js";
import { readPicture } from "./picture.js";
import { PriorNetworks } from "./prior_networks.js";
import { pause } from "./runner.js";
import { losslessLayer, singleColorLayer } from "./screen_encoder.js";
import { look } from "./screen_features.js";
import { SegmentEncoder } from "./segment_encoder.js";
import { fileWithin, logSizes } from "./size_target.js";
import { writeVarint } from "./varint.js";

export const ENCODER_FILES = ["analysis.onnx", "hyper_analysis.onnx"]; // beside the decoder's
const SPACE = 1; // lp1
const ANALYSIS_SHARE = 0.6; // of the time of a file of one quality
const SLICE_MS = 40; // of work, after which others get a turn
const MOST_LENGTH = 4; // bytes by which the length of a large chunk is longer than that of none

/**
 * @typedef {object} EncodeOptions
 * @property {number} [quality] 0 to 100, rounded to hundredths
 * @property {number} [maxBytes] of the whole file: the quality is then chosen, and not looked at
 * @property {"auto" | "photo"} [content] photo: all of it becomes a latent. auto, the default: what
 *   can be kept exactly in as few bytes is.
 * @property {import("./models.js").Models} models
 * @property {(share: number) => void} [onProgress] 0 to 1
 * @property {AbortSignal} [signal]
 * @property {(notice: Notice) => void} [onNotice] called at most once
 *
 * @typedef {"exact" | "drawn"} Notice exact: the file holds every pixel as it is. drawn: the
 *   picture looks like a screenshot, a drawing or a fine pattern, which Python's command presses
 *   better.
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
   */
  constructor({ analysis, hyperAnalysis, prior, tables, levels }) {
    this.analysis = analysis;
    this.hyperAnalysis = hyperAnalysis;
    this.prior = prior;
    this.tables = tables;
    this.levels = levels;
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
    });
  }

  /**
   * @param {number} step of the grid of qualities
   * @param {number} [type] of the latent chunk
   * @returns {Hyperprior}
   */
  at(step, type = TYPE.masked) {
    return new Hyperprior(this.prior, this.tables, this.levels, step, type);
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
  const { quality = 50, maxBytes, content = "auto", models, onNotice, signal } = options;
  const { onProgress = () => {} } = options;
  if (!(quality >= 0 && quality <= 100)) {
    throw new RangeError(`quality must lie in 0..100, not ${quality}`);
  }
  if (maxBytes !== undefined && !(maxBytes >= 1)) {
    throw new RangeError(`a size is a number of bytes above 0, not ${maxBytes}`);
  }
  if (content !== "auto" && content !== "photo") {
    throw new RangeError(`content is "auto" or "photo" here, not ${JSON.stringify(content)}`);
  }
  const picture = await readPicture(source);
  signal?.throwIfAborted();
  const side = await sideChunks(picture);
  const step = Math.round(100 * quality);
  const file = (/** @type {[number, Uint8Array]} */ whole, of = step) => {
    const { width, height } = picture;
    const modelHash = models.manifest.model_hash;
    return pack({ spaceId: SPACE, modelHash, width, height, quality: of }, [whole, ...side]);
  };
  const exact = (/** @type {Uint8Array} */ layer) => {
    onProgress(1);
    onNotice?.("exact");
    return file([TYPE.screenWhole, layer]);
  };
  const breathe = async () => {
    await pause();
    signal?.throwIfAborted();
  };
  const limit = maxBytes && Math.floor(maxBytes);
  const rest = (limit ?? Infinity) - file([TYPE.screenWhole, new Uint8Array(0)]).length;
  const isAuto = content === "auto";
  const color = isAuto ? singleColorLayer(picture) : null;
  if (color && color.length < rest) return exact(color);
  const { isDrawn, isFlat, isWritten } = isAuto
    ? look(picture)
    : { isDrawn: false, isFlat: false, isWritten: false };
  const mayBeExact = isDrawn || isFlat;
  const isForCommand = isDrawn || isWritten;
  if (mayBeExact && limit !== undefined) {
    const layer = await losslessLayer(picture, rest - MOST_LENGTH, breathe);
    if (layer) return exact(layer);
  }
  const networks = await loadNetworks(models);
  return networks.alone(async () => {
    signal?.throwIfAborted();
    const writer = new Writer(picture, networks, file, signal);
    if (limit !== undefined) {
      const fitting = await writer.within(limit, onProgress);
      if (isForCommand) onNotice?.("drawn");
      return fitting;
    }
    const strips = writer.analyze((share) => onProgress(ANALYSIS_SHARE * share));
    const body = await writer.write(strips, step);
    const layer = mayBeExact ? await losslessLayer(picture, body.length, breathe) : null;
    if (layer) return exact(layer);
    if (isForCommand) onNotice?.("drawn");
    onProgress(1);
    return file([writer.type, body]);
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
   * @param {(whole: [number, Uint8Array], step: number) => Uint8Array} pack a latent chunk of a
   *   step of the grid of qualities -> the file
   * @param {AbortSignal} [signal]
   */
  constructor(picture, networks, pack, signal) {
    this.picture = picture;
    this.networks = networks;
    this.pack = pack;
    this.signal = signal;
    const [rows, columns] = [picture.height, picture.width].map((n) => Math.ceil(n / FACTOR));
    this.places = segmentsOf(rows, columns);
    this.type = this.places.length > 1 ? TYPE.continued : TYPE.masked;
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
   * @returns {Promise<Uint8Array>} the body of the latent chunk
   */
  async write(strips, step) {
    const prior = this.networks.at(step, this.type);
    const coder = new SegmentEncoder(prior, this.networks.hyperAnalysis);
    /** @type {Uint8Array[]} */
    const segments = [];
    for await (const strip of strips) {
      for (let left = 0; left < strip.columns; left += SEGMENT) {
        const { sides } = this.places[segments.length];
        const right = Math.min(left + SEGMENT, strip.columns);
        segments.push(coder.encode(strip, left, right, sides));
        await this.rest();
      }
    }
    const last = segments.length - 1;
    return joined(segments.flatMap((segment, i) =>
      (i < last ? [writeVarint(segment.length), segment] : [segment])));
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
      strength: integersAt(STRENGTH, step)[0],
    }));
    const fixed = this.pack([this.type, new Uint8Array(0)], 0).length;
    const { file, fits } = await fileWithin(
      async (step) => {
        const written = this.pack([this.type, await this.write(strips, step)], step);
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
