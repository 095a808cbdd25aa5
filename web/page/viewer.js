// What is shown of one picture: its pixels, its latent, what the file says, and the saving of it.

import { latent } from "../src/index.js";
import { $, announce, describe } from "./dom.js";
import { facts, summary } from "./facts.js";
import { isBusy, needPixels } from "./items.js";
import { clearLatent, setUpLatent, showLatent } from "./latent_view.js";
import { pageModels, pageWorkers } from "./models.js";
import { png } from "./png.js";
import { renamed, save, webp } from "./save.js";
import { clearStage, setUpStage, showPicture } from "./stage.js";
import { currentTab, setUpTabs } from "./tabs.js";
import { noticed, sentence } from "./words.js";

/** @typedef {import("./items.js").Item} Item */

/** @type {Item | null} */
let shown = null;
/** @type {any} the result that is drawn, and the one whose latent is */
let drawn = null;
/** @type {any} */
let latentOf = null;

/** The item that is shown. */
export const current = () => shown;

/** Show an item, or nothing. @param {Item | null} item */
export function view(item) {
  shown = item;
  $("viewer").hidden = item === null;
  document.body.classList.toggle("full", item !== null);
  if (!item) {  // large pictures take much memory
    drawn = latentOf = null;
    clearStage();
    clearLatent();
    return;
  }
  needPixels(item);
  refresh();
}

/** Show the current item as it is now. */
export function refresh() {
  const item = shown;
  if (!item) return;
  const title = $("viewer-title");
  if (title.textContent !== item.file.name) title.textContent = item.file.name;
  $("problem").hidden = !item.problem;
  $("problem").textContent = item.problem;
  $("shown").hidden = item.result === null;
  preview(isBusy(item) ? item.original : null);
  if (item.result === null || item.result === drawn) return;
  drawn = item.result;
  describe($("summary"), summary(item));
  $("notice").textContent = noticed(item.notice);
  $("notice").hidden = !item.notice;
  describe($("facts"), facts({ ...item, ltpName: ltpName(item) }));
  showPicture(item.result, item.original).catch((error) => fail(error));
  latentOf = null;
  clearLatent();
  if (currentTab() === "latent") openLatent();
}

/** The original, until there is a result. @param {string | null} url */
function preview(url) {
  const image = $("preview");
  if (image.getAttribute("src") === (url ?? "")) return;
  image.hidden = true;
  image.src = url ?? "";
}

/** @param {Item} item */
const ltpName = (item) => (item.pressed ? renamed(item.file.name, ".ltp") : item.file.name);

/** A sentence above the picture. @param {unknown} error */
function fail(error) {
  $("problem").textContent = sentence(error);
  $("problem").hidden = false;
  announce($("problem").textContent);
}

/** Decode the latent of what is shown, once. */
async function openLatent() {
  const item = shown;
  if (!item?.bytes || !item.result || latentOf === item.result) return;
  latentOf = item.result;
  $("latent-text").textContent = "The latent is decoded.";
  try {
    const found = await latent(item.bytes, { models: await pageModels(), workers: pageWorkers });
    if (latentOf === item.result) showLatent(found);
  } catch (error) {
    if (latentOf !== item.result) return;  // another is shown
    latentOf = null;
    clearLatent();
    fail(error);
  }
}

/** @param {string} suffix @param {(item: Item) => Promise<Blob> | Blob} make */
function saver(suffix, make) {
  return async () => {
    const item = shown;
    if (!item?.bytes) return;
    try {
      const blob = await make(item);
      save(blob, renamed(item.file.name, suffix));
      announce(`Saved ${renamed(item.file.name, suffix)}.`);
    } catch (error) {
      fail(error);
    }
  };
}

/** Connect the controls. */
export function setUpViewer() {
  setUpStage();
  $("preview").addEventListener("load", () => { $("preview").hidden = false; });
  setUpLatent();
  setUpTabs((name) => {
    if (name === "latent") openLatent();
  });
  $("save-ltp").addEventListener("click",
    saver(".ltp", (item) => new Blob([/** @type {any} */ (item.bytes)])));
  $("save-png").addEventListener("click", saver(".png", (item) => png(item.result)));
  $("save-webp").addEventListener("click", saver(".webp", (item) => webp(item.result)));
}
