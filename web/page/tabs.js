// The three views of a picture, as tabs: arrow keys move between them.

import { $ } from "./dom.js";

const NAMES = ["picture", "latent", "file"];

/** @param {string} name @param {(name: string) => void} [shown] */
function choose(name, shown) {
  for (const other of NAMES) {
    const tab = $(`tab-${other}`);
    tab.setAttribute("aria-selected", String(other === name));
    tab.tabIndex = other === name ? 0 : -1;
    $(`view-${other}`).hidden = other !== name;
  }
  shown?.(name);
}

/** The view that is shown. */
export const currentTab = () => NAMES.find((name) => !$(`view-${name}`).hidden) ?? NAMES[0];

/** Connect the tabs. @param {(name: string) => void} shown is told which view was chosen */
export function setUpTabs(shown) {
  choose(NAMES[0]);
  NAMES.forEach((name, i) => {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => choose(name, shown));
    tab.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = NAMES[(i + step + NAMES.length) % NAMES.length];
      choose(next, shown);
      $(`tab-${next}`).focus();
    });
  });
}
