// The page: files come in, and the parts are connected.

import { hasSimd } from "../src/engine.js";
import { MAX_PIXELS } from "../src/index.js";
import { $, announce } from "./dom.js";
import { add, addMissing, again, items, onChange, remove } from "./items.js";
import { focusRow, markRow, removeRow, showRow } from "./list.js";
import { embeddedPictures, hasEncoder, isSingle } from "./models.js";
import { workOffline } from "./offline.js";
import { current, refresh, setUpViewer, view } from "./viewer.js";
import { bpp, count, noticed } from "./words.js";

/** @typedef {import("./items.js").Item} Item */

const KILO = 1000;
const NOT_GIVEN = "The file cannot be loaded: it has been moved, or latentpress web has ended.";
const NARROW = "(max-width: 52rem)";  // where page.css puts the picture below the list
const NEEDED = ["DecompressionStream", "createImageBitmap", "OffscreenCanvas"];
const CURRENT = "Chrome or Edge from version 103, Firefox from 114 and Safari from 16.4";
const actions = { pick: show, drop };
let wasGiven = false;  // whether there are pictures that a reload would lose

/** What the encoder is asked for now. @returns {Item["settings"]} */
function settings() {
  if ($("by-size").checked) return { maxBytes: Math.floor(KILO * Number($("size").value)) };
  return { quality: Number($("quality").value) };
}

/** @param {Item | null} item */
function show(item) {
  view(item);
  markRow(item);
  $("again").hidden = !item?.pressed;
}

/** @param {Item} item */
function drop(item) {
  const at = items.indexOf(item);
  const wasShown = current() === item;
  remove(item);
  removeRow(item);
  const next = items[Math.min(at, items.length - 1)] ?? null;
  if (wasShown) show(next);
  if (next) focusRow(next);
  else $("files").focus();
}

/** @param {Iterable<File>} files */
async function take(files) {
  let first = null;
  for (const file of files) {
    const item = await add(file, settings());
    first ??= item;
  }
  if (!first) return;
  show(first);
  if (matchMedia(NARROW).matches) $("viewer").scrollIntoView({ block: "start" });
}

onChange((item) => {
  if (!items.includes(item)) return;
  showRow(item, actions);
  if (item === current()) refresh();
  if (item.state === "done") {
    const { width, height } = item.header;
    const size = /** @type {Uint8Array} */ (item.bytes).length;
    announce(`${item.file.name} is ${item.pressed ? "pressed" : "open"}: ${width} by ${height} ` +
      `pixels, ${count(size)} bytes, ${bpp(size, width, height)}. ${noticed(item.notice)}`.trim());
  } else if (item.problem) {
    announce(`${item.file.name}: ${item.problem}`);
  }
});

/** Files that the user hands over to the page as it is. @param {Iterable<File>} files */
async function receive(files) {
  const given = [...files];
  if (given.length) wasGiven = true;
  await take(given);
}

/** Files that are chosen, dropped, pasted or opened by the system. */
function setUpInput() {
  $("files").addEventListener("change", () => {
    receive($("files").files);
    $("files").value = "";  // the same file may be chosen again
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    receive(event.dataTransfer?.files ?? []);
  });
  addEventListener("paste", (event) => receive(event.clipboardData?.files ?? []));
  /** @type {any} */ (globalThis).launchQueue?.setConsumer(async (/** @type {any} */ launch) => {
    receive(await Promise.all(
      launch.files.map((/** @type {any} */ handle) => handle.getFile())));
  });
}

/** The quality, the size and pressing again. */
function setUpSettings() {
  $("quality").addEventListener("input", () => {
    $("quality-value").value = $("quality").value;
    $("by-quality").checked = true;
  });
  $("size").addEventListener("input", () => { $("by-size").checked = true; });
  $("again").addEventListener("click", () => {
    const item = current();
    const isValid = !$("by-size").checked || $("size").reportValidity();
    if (item?.pressed && isValid) again(item, settings());
  });
  $("input").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    $("again").click();
  });
  for (const part of document.querySelectorAll("[data-encoder]")) {
    /** @type {HTMLElement} */ (part).hidden = !hasEncoder;
  }
}

/** What the page opens by itself. */
async function openGiven() {
  if (isSingle) return take(embeddedPictures());
  const asked = new URLSearchParams(location.search).getAll("open");
  const own = asked.filter((path) => /^open\/\d+\/[^/]+$/.test(path));
  const found = await Promise.all(own.map(given));
  const missing = own.filter((_, i) => !found[i]).map((path) => addMissing(nameOf(path), NOT_GIVEN));
  await take(found.filter((file) => file !== null));
  if (!current() && missing.length) show(missing[0]);
}

/** @param {string} path */
const nameOf = (path) => path.split("/")[2];

/** @param {string} path @returns {Promise<File | null>} null where the server does not give it */
async function given(path) {
  const [folder, number, name] = path.split("/");
  try {
    const response = await fetch(`${folder}/${number}/${encodeURIComponent(name)}`);
    return response.ok ? new File([await response.blob()], name) : null;
  } catch {
    return null;
  }
}

/** Say what this browser lacks, or that the page has started. */
function greet() {
  const missing = NEEDED.filter((name) => !(name in globalThis));
  if (!hasSimd()) missing.unshift("SIMD in WebAssembly");
  $("unready").hidden = !missing.length;
  $("unready").style.animation = "none";  // from now on it waits for nothing
  $("unready").textContent =
    `This browser lacks ${missing.join(", ")}, without which pictures are not opened; ${CURRENT} ` +
    "have what the page needs, unless a mode of theirs switches it off.";
}

setUpInput();
setUpSettings();
setUpViewer();
$("limit").textContent = count(MAX_PIXELS / 1e6);
if (!hasEncoder) $("drop-hint").textContent = "or drop them anywhere here: it opens .ltp files.";
greet();
openGiven();
if (!isSingle && "serviceWorker" in navigator && isSecureContext) {
  workOffline(() => wasGiven && items.length > 0).catch(() => {});  // the page works without it
}
