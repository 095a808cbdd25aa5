/** Models from a folder on disk, for Node. */

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The models of the package; in a checkout those of `src/latentpress`.
 *
 * @returns {import("./models.js").Models}
 */
export function packageModels() {
  const source = here("../../src/latentpress/");
  const checkout = `${source}models/lp1/`;
  if (!existsSync(checkout)) return folderModels([here("../models/lp1/")]);
  return folderModels([checkout, `${source}entropy/`, here("./")]);
}

/**
 * @param {string[]} folders that are looked through in turn, each with a slash at its end;
 *   model.json is in the first
 * @returns {import("./models.js").Models}
 */
export function folderModels(folders) {
  return {
    manifest: JSON.parse(readFileSync(`${folders[0]}model.json`, "utf8")),
    async read(name) {
      const folder = folders.find((f) => existsSync(f + name)) ?? folders[0];
      return readFile(folder + name);
    },
  };
}
