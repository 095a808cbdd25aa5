// Models from where a page has them; what says so can be sent to a worker.

import { embeddedModels, fetchModels } from "../src/models.js";

/**
 * @typedef {{base: string, packed: boolean} | {files: Record<string, string>}} ModelSource
 * a folder on a server, or files by name as gzip in Base64
 */

/** @param {ModelSource} source */
export async function openModels(source) {
  if ("base" in source) return fetchModels(source.base, { packed: source.packed });
  const found = embeddedModels({ model_hash: "", sha256: {} }, source.files);
  const manifest = JSON.parse(new TextDecoder().decode(await found.read("model.json")));
  return embeddedModels(manifest, source.files);
}
