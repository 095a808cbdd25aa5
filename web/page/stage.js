// The picture and its original on top of each other, at a zoom.

import { $, element } from "./dom.js";
import { drawable } from "./save.js";

const STEPS = [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];
const LEAST_SIDE = 8;  // CSS pixels of a side, so that a picture of one row is seen
const PIXELS_FROM = 2;  // zoom at which samples are shown as squares
const NOTCH = 40;  // of a wheel's turn, less than any mouse has; a pinch comes in small parts

let size = { width: 1, height: 1 };
let zoom = 1;
let fits = true;
let turn = 0;  // of the wheel since the last step
/** What is to be shown, and may have yet to be drawn. @type {any} */
let wanted = null;
/** @type {HTMLElement | null} */
let before = null;
/** @type {HTMLElement | null} */
let after = null;
/** @type {HTMLElement} */
let seam;

/**
 * @param {any} result what decode gave
 * @param {string | null} original URL of the picture that was pressed
 */
export async function showPicture(result, original) {
  clearStage();  // so that it never stands below the name of another
  wanted = result;
  const drawn = await drawable(result);
  if (wanted !== result) {
    if (drawn.dataset.url) URL.revokeObjectURL(drawn.dataset.url);
    return;
  }
  after = drawn;
  seam = element("div", { className: "seam" });
  $("layers").replaceChildren(after);
  after.setAttribute("role", "img");
  after.setAttribute("aria-label", "The picture that the file holds");
  if (original !== null) {
    before = element("img", { src: original, alt: "The original", className: "before" });
    $("layers").append(before, seam);
  }
  $("compare").hidden = original === null;
  $("layers").classList.toggle("divided", original !== null);
  size = { width: result.width, height: result.height };
  if (fits) fit();
  else apply();
  divide();
}

/** Forget the picture, and what is drawn of it. */
export function clearStage() {
  wanted = before = after = null;
  for (const old of $("layers").querySelectorAll("[data-url]")) {
    URL.revokeObjectURL(old.dataset.url);
  }
  $("layers").replaceChildren();
}

/** The original's share, from the left; where both have opacity, neither shows through the other. */
function divide() {
  const share = Number($("divide").value);
  if (before && after) {
    before.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    after.style.clipPath = `inset(0 0 0 ${share}%)`;
  }
  if (seam) seam.style.left = `${share}%`;
}

/** The mouse draws the seam. @param {PointerEvent} event */
function draw(event) {
  if (!before || event.pointerType !== "mouse" || !(event.buttons & 1)) return;
  const { left, width } = $("layers").getBoundingClientRect();
  $("divide").value = String(100 * (event.clientX - left) / width);
  divide();
  event.preventDefault();
}

/** Set the zoom, keeping the middle of what is seen. */
function apply(next = zoom) {
  const stage = $("stage");
  const middle = [(stage.scrollLeft + stage.clientWidth / 2) / zoom,
    (stage.scrollTop + stage.clientHeight / 2) / zoom];
  zoom = next;
  $("layers").style.width = `${size.width * zoom}px`;
  $("layers").style.height = `${size.height * zoom}px`;
  $("layers").classList.toggle("pixels", zoom >= PIXELS_FROM);
  $("zoom-value").value = `${Math.round(100 * zoom)} %`;
  stage.scrollTo(
    middle[0] * zoom - stage.clientWidth / 2, middle[1] * zoom - stage.clientHeight / 2);
}

/** The largest zoom, at most 100 %, that shows everything; very narrow pictures are larger. */
function fit() {
  fits = true;
  const stage = $("stage");
  const most = parseFloat(getComputedStyle(stage).maxHeight);
  const whole = Math.min(stage.clientWidth / size.width, most / size.height);
  apply(Math.min(1, Math.max(whole, LEAST_SIDE / Math.min(size.width, size.height))));
}

/** @param {number} direction */
function step(direction) {
  fits = false;
  const next = direction > 0
    ? STEPS.find((s) => s > zoom * 1.001)
    : STEPS.findLast((s) => s < zoom * 0.999);
  if (next) apply(next);
}

/** Connect the controls. */
export function setUpStage() {
  $("divide").addEventListener("input", divide);
  $("layers").addEventListener("pointerdown", draw);
  $("layers").addEventListener("pointermove", draw);
  $("layers").addEventListener("dragstart", (/** @type {Event} */ event) => event.preventDefault());
  $("zoom-in").addEventListener("click", () => step(1));
  $("zoom-out").addEventListener("click", () => step(-1));
  $("zoom-fit").addEventListener("click", fit);
  $("zoom-full").addEventListener("click", () => {
    fits = false;
    apply(1);
  });
  $("stage").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "+" || event.key === "=") step(1);
    else if (event.key === "-") step(-1);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  });
  $("stage").addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
    if (!event.ctrlKey) return;  // without it the wheel scrolls
    event.preventDefault();
    turn = turn * event.deltaY < 0 ? event.deltaY : turn + event.deltaY;
    if (Math.abs(turn) < NOTCH) return;
    step(-turn);
    turn = 0;
  }, { passive: false });
  new ResizeObserver(() => { if (fits && $("stage").clientWidth) fit(); }).observe($("stage"));
}
