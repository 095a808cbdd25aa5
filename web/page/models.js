// Where the page's models come from: its own HTML file, or the server that gave it out.

import { openModels } from "./model_source.js";

const MOST_WORKERS = 4;
const files = embedded();

/** Whether everything is inside this HTML file. */
export const isSingle = "model.json" in files;

/** Whether the page can press pictures. */
export const hasEncoder = !isSingle || "analysis.onnx" in files;

/** Of the models. @type {import("./model_source.js").ModelSource} */
export const source = isSingle ? { files } : folder();

/**
 * Workers of a page that is one file: they run its own script. Elsewhere the decoder makes them.
 * @type {import("../src/decoder.js").Workers | undefined}
 */
export const pageWorkers = isSingle ? singleWorkers() : undefined;

/** @type {ReturnType<typeof openModels> | null} */
let opened = null;

/** The models; their manifest is read once. */
export function pageModels() {
  opened ??= openModels(source);
  opened.catch(() => { opened = null; });  // the next picture tries again
  return opened;
}

/** A worker that presses. @returns {Worker} */
export function pressWorker() {
  if (isSingle) return new Worker(ownScript(), { name: "press" });
  const url = new URL("./press_worker.js", import.meta.url);
  return new Worker(url, { type: "module", name: "press" });
}

/** Files inside this HTML file, as gzip in Base64. @returns {Record<string, string>} */
function embedded() {
  const blocks = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("script[data-file]"));
  return Object.fromEntries([...blocks].map((b) => [b.dataset.file, b.textContent ?? ""]));
}

function folder() {
  const meta = /** @type {HTMLMetaElement} */ (document.querySelector('meta[name="models"]'));
  const base = String(new URL(meta.content, document.baseURI));
  return { base, packed: "packed" in meta.dataset };
}

function ownScript() {
  const code = document.getElementById("code")?.textContent ?? "";
  return URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
}

function singleWorkers() {
  const url = ownScript();
  const count = Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1);
  return { count, create: () => /** @type {any} */ (new Worker(url)) };
}

/** Pictures inside this HTML file. @returns {File[]} */
export function embeddedPictures() {
  const blocks = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("script[data-picture]"));
  return [...blocks].map((block) => {
    const bytes = Uint8Array.from(atob(block.textContent ?? ""), (c) => c.charCodeAt(0));
    return new File([bytes], JSON.parse(block.dataset.picture ?? '""'));
  });
}
