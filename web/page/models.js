// Where the page's models come from: its own HTML file, or the server that gave it out.

import { embeddedModels, fetchModels } from "../src/models.js";

/** Files inside this HTML file, as gzip in Base64. @returns {Record<string, string>} */
function embedded() {
  const blocks = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("script[data-file]"));
  return Object.fromEntries([...blocks].map((b) => [b.dataset.file, b.textContent ?? ""]));
}

const files = embedded();
const MOST_WORKERS = 4;

/** Whether everything is inside this HTML file. */
export const isSingle = "model.json" in files;

/** Whether the page can press pictures. */
export const hasEncoder = !isSingle || "analysis.onnx" in files;

/** @type {Promise<import("../src/models.js").Models> | null} */
let opened = null;

/** The models; their manifest is read once. */
export function pageModels() {
  opened ??= open();
  opened.catch(() => { opened = null; });  // the next picture tries again
  return opened;
}

async function open() {
  if (isSingle) {
    const read = await embeddedModels({ model_hash: "", sha256: {} }, files).read("model.json");
    return embeddedModels(JSON.parse(new TextDecoder().decode(read)), files);
  }
  const meta = /** @type {HTMLMetaElement} */ (document.querySelector('meta[name="models"]'));
  const base = new URL(meta.content, document.baseURI);
  return fetchModels(base, { packed: "packed" in meta.dataset });
}

/**
 * Workers of a page that is one file: they run its own script. Elsewhere the decoder makes them.
 * @type {import("../src/decoder.js").Workers | undefined}
 */
export const pageWorkers = isSingle ? singleWorkers() : undefined;

function singleWorkers() {
  const code = document.getElementById("code")?.textContent ?? "";
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
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
