/**
 * Puts into the package what a checkout keeps elsewhere, the models and the license, or with the
 * argument "remove" takes it out again: `npm pack` calls it before and after.
 */

import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { DECODER_FILES } from "../src/core.js";
import { ENCODER_FILES } from "../src/encoder.js";

const at = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const folder = at("../models/");
const source = at("../../src/latentpress/");
const elsewhere = /** @type {Record<string, string>} */ ({
  "engine.wasm": at("../src/engine.wasm"),
  "tables.npz": `${source}entropy/tables.npz`,
});

rmSync(folder, { recursive: true, force: true });
rmSync(at("../LICENSE"), { force: true });
if (process.argv[2] !== "remove") {
  mkdirSync(`${folder}lp1`, { recursive: true });
  for (const name of ["model.json", ...DECODER_FILES, ...ENCODER_FILES]) {
    copyFileSync(elsewhere[name] ?? `${source}models/lp1/${name}`, `${folder}lp1/${name}`);
  }
  copyFileSync(at("../../LICENSE"), at("../LICENSE"));
}
