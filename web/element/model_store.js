/**
 * The model of the elements of a page: loaded once, and kept in the browser's Cache API from then
 * on, each file under its SHA-256, so that a new model never meets files of an old one.
 *
 * @typedef {import("../src/models.js").Models} Models
 */

import { fetchModels, plainBytes, TABLES_SHA256 } from "../src/models.js";

const CACHE = "latentpress-models";

/** @type {Map<string, Promise<Models>>} by the address of the folder */
const opened = new Map();

/**
 * @param {string} base address of the folder of the model
 * @returns {Promise<Models>} one for all that ask for the same folder
 */
export function modelsOf(base) {
  let found = opened.get(base);
  if (!found) {
    found = open(base);
    opened.set(base, found);
    found.catch(() => opened.delete(base)); // the next one tries again
  }
  return found;
}

/** @param {string} base */
async function open(base) {
  const plain = await fetchModels(base);
  const packed = { ...(await fetchModels(base, { packed: true })), manifest: plain.manifest };
  /** @param {string} name */
  const load = async (name) => plainBytes(await packed.read(name).catch(() => plain.read(name)));
  return {
    manifest: plain.manifest,
    /** @param {string} name */
    async read(name) {
      const sha256 = name === "tables.npz" ? TABLES_SHA256 : plain.manifest.sha256[name];
      return sha256 ? kept(sha256, () => load(name)) : load(name);
    },
  };
}

/**
 * @param {string} sha256 of the bytes
 * @param {() => Promise<Uint8Array>} load
 * @returns {Promise<Uint8Array>} from the cache, where there is one and its bytes are right
 */
async function kept(sha256, load) {
  const cache = await openCache();
  const key = `/latentpress/kept/${sha256}`; // bundlers rewrite what is relative to a module
  try {
    const found = await cache?.match(key);
    if (found) {
      const bytes = new Uint8Array(await found.arrayBuffer());
      if ((await digest(bytes)) === sha256) return bytes;
    }
  } catch {} // what is on the disk cannot be read
  const bytes = await load();
  if (cache && (await digest(bytes)) === sha256) {
    await cache.put(key, new Response(/** @type {any} */ (bytes))).catch(() => {}); // no room
  }
  return bytes;
}

/** @returns {Promise<Cache | null>} null on pages over plain HTTP, and in private windows */
async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes */
async function digest(bytes) {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {any} */ (bytes)));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
