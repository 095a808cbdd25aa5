/**
 * Where the weights come from, and that they are what they should be.
 *
 * @typedef {object} Manifest of the model lp1, as in its model.json
 * @property {string} model_hash
 * @property {Record<string, string>} sha256 of its files
 *
 * @typedef {object} Models
 * @property {Manifest} manifest
 * @property {(name: string) => Promise<ArrayBuffer | Uint8Array>} read the bytes of a file: one of
 *   the manifest, "tables.npz" or "engine.wasm"
 */

import { hex } from "./container.js";
import { LtpError } from "./errors.js";

// Of entropy/tables.npz, which is a part of the format and no part of a model.
export const TABLES_SHA256 = "d6d14ed28146d3057414e63bf41ea53caf22ca30063b7633f47a626edc3c1a71";

/**
 * Models of a folder on a server: model.json, the files that it names, tables.npz and engine.wasm.
 * Where `packed` is given, the files but model.json are read with ".gz" behind their names.
 *
 * @param {string | URL} baseUrl of the folder
 * @param {{packed?: boolean, fetch?: (url: string) => Promise<Response>}} [options]
 * @returns {Promise<Models>}
 */
export async function fetchModels(baseUrl, options = {}) {
  const { packed = false, fetch: load = (url) => fetch(url) } = options;
  const base = String(baseUrl).replace(/\/?$/, "/");
  /** @param {string} name */
  const get = async (name) => {
    let reason = "";
    try {
      const response = await load(base + name);
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      reason = `: ${response.status}`;
    } catch {} // the connection fails, or breaks within the file
    throw new LtpError("model", `the model's file ${name} cannot be loaded${reason}`);
  };
  const read = async (/** @type {string} */ name) =>
    packed ? gunzip(await get(`${name}.gz`), name) : get(name);
  const text = new TextDecoder().decode(await get("model.json"));
  try {
    return { manifest: JSON.parse(text), read };
  } catch {
    throw damaged("model.json");
  }
}

/**
 * Models that a page carries within itself.
 *
 * @param {Manifest} manifest
 * @param {Record<string, string | Uint8Array>} files bytes by name; base64 of gzip where a string
 * @returns {Models}
 */
export function embeddedModels(manifest, files) {
  return {
    manifest,
    async read(name) {
      const file = files[name];
      if (file === undefined) {
        throw new LtpError("model", `the page lacks the model's file ${name}`);
      }
      if (typeof file !== "string") return file;
      return gunzip(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)), name);
    },
  };
}

/**
 * @param {Models} models
 * @param {string} name of a file
 * @returns {Promise<Uint8Array>} its bytes, whose SHA-256 is the one of the manifest
 */
export async function readVerified(models, name) {
  const data = await models.read(name);
  const bytes = plainBytes(data);
  const expected = name === "tables.npz" ? TABLES_SHA256 : models.manifest.sha256[name];
  if (expected && hex(await sha256(bytes)) !== expected) {
    throw new LtpError("model", `the model's file ${name} is altered: its SHA-256 does not match`);
  }
  return bytes;
}

/**
 * @param {ArrayBuffer | ArrayBufferView} data
 * @returns {Uint8Array} its bytes; never a Buffer of Node, whose slice() does not copy
 */
export function plainBytes(data) {
  if (!ArrayBuffer.isView(data)) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * crypto.subtle is missing on pages that come over plain HTTP from another machine.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>}
 */
async function sha256(bytes) {
  if (globalThis.crypto?.subtle) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {any} */ (bytes)));
  }
  return (await import("./sha256.js")).sha256(bytes);
}

/**
 * @param {Uint8Array} bytes gzip, or what it holds: some hosts send `Content-Encoding: gzip` with a
 *   file whose name ends in ".gz", and then the browser has unpacked it already
 * @param {string} name of the file
 */
async function gunzip(bytes, name) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([/** @type {any} */ (bytes)]).stream();
  try {
    return await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  } catch {
    throw damaged(name);
  }
}

/** @param {string} name of a file */
const damaged = (name) => new LtpError("model", `the model's file ${name} is damaged`);
