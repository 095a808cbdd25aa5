/** The package in Node: the models come from the package itself, unless others are given. */

import * as everywhere from "./index.js";
import { packageModels } from "./node_models.js";

export * from "./index.js";
export { folderModels, packageModels } from "./node_models.js";
export { nodeWorkers } from "./node_workers.js";

/** @type {import("./models.js").Models | null} */
let own = null;

/**
 * @template {{models?: import("./models.js").Models}} Options
 * @param {Options} [options]
 * @returns {Options}
 */
function withModels(options) {
  const models = options?.models ?? (own ??= packageModels());
  return /** @type {Options} */ ({ ...options, models });
}

/** @type {typeof everywhere.decode} */
export const decode = async (bytes, options) => everywhere.decode(bytes, withModels(options));

/** @type {typeof everywhere.latent} */
export const latent = async (bytes, options) => everywhere.latent(bytes, withModels(options));

/** @type {typeof everywhere.encode} */
export const encode = async (source, options) => everywhere.encode(source, withModels(options));
