// The list of pictures: a row for each, with its progress and what can be done with it.

import { $, element } from "./dom.js";
import { isBusy, items } from "./items.js";
import { bpp, bytes } from "./words.js";

/** @typedef {import("./items.js").Item} Item */

/** @type {Map<Item, any>} */
const rows = new Map();

/** What a row says below the name. @param {Item} item */
function stateOf(item) {
  if (item.state === "waiting") return "waiting";
  if (item.state === "working") return item.pressed && !item.bytes ? "pressing" : "opening";
  if (item.state !== "done") return item.problem;
  const { width, height } = item.header;
  const size = /** @type {Uint8Array} */ (item.bytes).length;
  return `${bytes(size)}, ${bpp(size, width, height)}`;
}

/**
 * Show an item as it is now.
 * @param {Item} item
 * @param {{pick: (item: Item) => void, drop: (item: Item) => void}} actions
 */
export function showRow(item, actions) {
  let row = rows.get(item);
  if (!row) {
    const pick = element("button", { type: "button", className: "pick" },
      element("span", { className: "name", title: item.file.name }, item.file.name),
      element("span", { className: "state" }));
    pick.addEventListener("click", () => actions.pick(item));
    const drop = element("button", { type: "button", className: "drop-row" });
    drop.addEventListener("click", () => {
      if (isBusy(item)) item.controller.abort();
      else actions.drop(item);
    });
    const bar = element("progress", { max: 1 });
    bar.setAttribute("aria-label", `Progress of ${item.file.name}`);
    row = { pick, drop, bar, li: element("li", {}, pick, drop, bar) };
    rows.set(item, row);
    $("list").append(row.li);
  }
  row.li.classList.toggle("failed", item.state === "failed" || item.state === "canceled");
  const state = row.pick.querySelector(".state");
  const told = stateOf(item);
  if (state.textContent !== told) state.textContent = told;
  const action = isBusy(item) ? "Cancel" : "Remove";
  if (row.drop.textContent !== action) {
    row.drop.textContent = action;
    row.drop.setAttribute("aria-label", `${action} ${item.file.name}`);
  }
  row.bar.hidden = item.state !== "working";
  row.bar.value = item.progress;
  $("list-part").hidden = items.length === 0;
}

/** Mark the item that is shown. @param {Item | null} item */
export function markRow(item) {
  for (const [other, { pick }] of rows) pick.setAttribute("aria-current", String(other === item));
}

/** Let the keyboard go on at what an item's row does. @param {Item} item */
export function focusRow(item) {
  rows.get(item)?.drop.focus();
}

/** @param {Item} item */
export function removeRow(item) {
  rows.get(item)?.li.remove();
  rows.delete(item);
  $("list-part").hidden = rows.size === 0;
}
