/** What decodes: tables, networks and synthesis of the model lp1, on one engine. */

import { Tables } from "./cdf_tables.js";
import { Engine } from "./engine.js";
import { Hyperprior } from "./hyperprior.js";
import { readVerified } from "./models.js";
import { readNpz } from "./npz.js";
import { readInitializers } from "./onnx.js";
import { PriorNetworks } from "./prior_networks.js";
import { Synthesis } from "./synthesis.js";

export const DECODER_FILES = [
  "engine.wasm",
  "tables.npz",
  "levels.npz",
  "features.onnx",
  "context.onnx",
  "synthesis.onnx",
];

/** @typedef {Record<string, Uint8Array>} Files bytes of files by their names */

/**
 * @param {import("./models.js").Models} models
 * @param {string[]} [names]
 * @returns {Promise<Files>} verified
 */
export async function readFiles(models, names = DECODER_FILES) {
  const files = await Promise.all(names.map((name) => readVerified(models, name)));
  return Object.fromEntries(names.map((name, i) => [name, files[i]]));
}

export class Core {
  /**
   * @param {Files} files those of DECODER_FILES
   * @returns {Promise<Core>}
   */
  static async create(files) {
    const engine = await Engine.create(/** @type {any} */ (files["engine.wasm"]));
    const tables = readNpz(files["tables.npz"]);
    const levels = readNpz(files["levels.npz"]);
    return new Core(engine, files, new Tables(tables), levels);
  }

  /**
   * @param {Engine} engine
   * @param {Files} files
   * @param {Tables} tables
   * @param {Record<string, any>} levels
   */
  constructor(engine, files, tables, levels) {
    this.engine = engine;
    this.tables = tables;
    this.levels = levels;
    this.networks = new PriorNetworks(
      engine,
      readInitializers(files["features.onnx"]),
      readInitializers(files["context.onnx"]),
    );
    this.synthesis = new Synthesis(engine, readInitializers(files["synthesis.onnx"]));
  }

  /**
   * @param {number} quality in hundredths
   * @param {number} type of the latent chunk
   * @returns {Hyperprior}
   */
  hyperprior(quality, type) {
    return new Hyperprior(this.networks, this.tables, this.levels, quality, type);
  }
}
