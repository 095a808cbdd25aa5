// Short names for what the page asks of the document.

/** The element of an id. @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {string} tag @param {Record<string, any>} properties @param {(Node | string)[]} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Rows of a description list. @param {HTMLElement} list @param {[string, string][]} rows */
export function describe(list, rows) {
  list.replaceChildren(...rows.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** Tell a screen reader. @param {string} text */
export function announce(text) {
  $("status").textContent = "";
  setTimeout(() => { $("status").textContent = text; }, 50);  // said even if it was said before
}
