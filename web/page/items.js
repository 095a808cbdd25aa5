// The pictures of the page, and the work on them: one after another, each can be canceled.

import { MAX_PIXELS, LtpError, decode, readHeader } from "../src/index.js";
import { KEPT_PIXELS } from "./limits.js";
import { hasEncoder, pageModels, pageWorkers } from "./models.js";
import { press } from "./press.js";
import { sentence } from "./words.js";

const PRESS_SHARE = 0.6;  // of the progress, where a picture is pressed and then opened
const MAGIC = [0x4c, 0x54, 0x50];

/**
 * @typedef {object} Item
 * @property {File} file that was given
 * @property {boolean} pressed whether the page pressed it; otherwise it is an .ltp file
 * @property {"waiting" | "working" | "done" | "failed" | "canceled"} state
 * @property {number} progress 0 to 1
 * @property {string} problem a sentence, where it failed
 * @property {Uint8Array | null} bytes of the .ltp file
 * @property {import("../src/encoder.js").Notice | null} notice of the encoder
 * @property {any} header of them
 * @property {any} result pixels and metadata; null where they have to be decoded again
 * @property {string | null} original URL of the picture that was pressed
 * @property {number} pressTime milliseconds
 * @property {number} openTime milliseconds
 * @property {{quality?: number, maxBytes?: number}} settings of the encoder
 * @property {AbortController} controller
 */

/** @type {Item[]} */
export const items = [];
/** @type {Item[]} those with pixels, the last shown at the end */
const kept = [];
/** @type {Item | null} whose pixels were asked for last */
let shown = null;
/** @type {(item: Item) => void} */
let changed = () => {};
/** @type {Promise<void>} */
let queue = Promise.resolve();

/** @param {(item: Item) => void} told is called when something of an item changes */
export function onChange(told) {
  changed = told;
}

/** Take a file in. @param {File} file @param {Item["settings"]} settings */
export async function add(file, settings) {
  // a folder or a file that has gone cannot be read: the work on it says so
  const found = await file.slice(0, MAGIC.length).arrayBuffer().catch(() => new ArrayBuffer(0));
  const start = new Uint8Array(found);
  // what is empty has no first bytes to tell by
  const ltp = !start.length || MAGIC.every((byte, i) => start[i] === byte);
  const item = put(file, !(ltp || /\.ltps?$/i.test(file.name)), settings);
  if (item.pressed) item.original = URL.createObjectURL(file);
  enqueue(item);
  return item;
}

/** Take in a name alone, whose file is not to be had. @param {string} name @param {string} problem */
export function addMissing(name, problem) {
  const item = put(new File([], name), false, {});
  Object.assign(item, { state: "failed", problem });
  changed(item);
  return item;
}

/** @param {File} file @param {boolean} pressed @param {Item["settings"]} settings @returns {Item} */
function put(file, pressed, settings) {
  /** @type {Item} */
  const item = { file, pressed, state: "waiting", progress: 0, problem: "", bytes: null,
    notice: null, header: null, result: null, original: null, pressTime: 0, openTime: 0, settings,
    controller: new AbortController() };
  items.push(item);
  return item;
}

/** Whether there is work on an item, or will be. @param {Item} item */
export const isBusy = (item) => item.state === "waiting" || item.state === "working";

/** Take an item out, its work with it. @param {Item} item */
export function remove(item) {
  item.controller.abort();
  if (item.original) URL.revokeObjectURL(item.original);
  forget(item);
  items.splice(items.indexOf(item), 1);
}

/** Press again, with other settings. @param {Item} item @param {Item["settings"]} settings */
export function again(item, settings) {
  item.controller.abort();
  Object.assign(item, { settings, bytes: null, notice: null });
  forget(item);
  enqueue(item);
}

/** Make sure that the item's pixels are there, or will be. @param {Item} item */
export function needPixels(item) {
  shown = item;
  const isOpenable = !item.pressed || item.bytes !== null;
  if (item.result) keep(item);
  else if (item.state === "done" || (item.state === "canceled" && isOpenable)) enqueue(item);
}

/** @param {Item} item */
function enqueue(item) {
  const controller = item.controller = new AbortController();
  Object.assign(item, { state: "waiting", progress: 0, problem: "" });
  changed(item);
  queue = queue.then(() => (controller.signal.aborted ? undefined : work(item, controller.signal)));
  controller.signal.addEventListener("abort", () => {
    if (item.controller !== controller || !isBusy(item)) return;
    Object.assign(item, { state: "canceled", problem: "Canceled." });
    changed(item);
  });
}

/** @param {Item} item @param {AbortSignal} signal */
async function work(item, signal) {
  item.state = "working";
  changed(item);
  const pressing = item.pressed && !item.bytes;
  /** @param {number} from @param {number} share */
  const part = (from, share) => (/** @type {number} */ done) => {
    if (signal.aborted) return;
    item.progress = from + share * done;
    changed(item);
  };
  try {
    if (pressing) await pressItem(item, { signal, onProgress: part(0, PRESS_SHARE) });
    else item.bytes ??= new Uint8Array(await item.file.arrayBuffer());
    signal.throwIfAborted();
    const from = pressing ? PRESS_SHARE : 0;
    const models = await pageModels();
    const start = performance.now();
    item.header = readHeader(/** @type {Uint8Array} */ (item.bytes));
    const result = await decode(/** @type {Uint8Array} */ (item.bytes),
      { models, workers: pageWorkers, maxPixels: MAX_PIXELS, signal,
        onProgress: part(from, 1 - from) });
    signal.throwIfAborted();
    item.openTime = performance.now() - start;
    item.result = result;
    item.state = "done";
    keep(item);
  } catch (error) {
    if (signal.aborted) return;
    Object.assign(item, { state: "failed", problem: sentence(error) });
  }
  changed(item);
}

/** @param {Item} item @param {{onProgress: (share: number) => void, signal: AbortSignal}} how */
async function pressItem(item, how) {
  if (!hasEncoder) {
    throw new LtpError("image", "this page only opens .ltp files: it has no encoder");
  }
  const start = performance.now();
  const url = /** @type {string} */ (item.original);
  Object.assign(item, await press(item.file, url, item.settings, how));
  item.pressTime = performance.now() - start;
}

/** Keep the pixels of an item, those of others as long as there is room. @param {Item} item */
function keep(item) {
  const at = kept.indexOf(item);
  if (at >= 0) kept.splice(at, 1);
  kept.push(item);
  const stays = shown ? kept.indexOf(shown) : -1;
  if (stays >= 0) kept.push(...kept.splice(stays, 1));
  let pixels = 0;
  for (let i = kept.length - 1; i >= 0; i--) {
    pixels += kept[i].header.width * kept[i].header.height;
    if (pixels > KEPT_PIXELS && i < kept.length - 1) {
      kept[i].result = null;
      kept.splice(i, 1);
    }
  }
}

/** @param {Item} item */
function forget(item) {
  item.result = null;
  const at = kept.indexOf(item);
  if (at >= 0) kept.splice(at, 1);
}
