// The latent's channels as gray pictures: one large, all of them small.

import { $ } from "./dom.js";

/** @typedef {{channels: number, rows: number, columns: number, data: Float32Array}} Latent */

const GAP = 1;
const MOSAIC_WIDTH = 1600;  // pixels, at most, of all channels side by side
const MOST_SIDE = 200;  // pixels of a channel there, so that no browser's canvas is too small
/** @type {Latent | null} */
let shown = null;
/** @type {{channel: number, spread: number}[]} */
let order = [];

/** @param {number} channel @param {Latent} latent */
function plane(channel, { rows, columns, data }) {
  return data.subarray(channel * rows * columns, (channel + 1) * rows * columns);
}

/** Of an array: least, greatest, mean and standard deviation. @param {Float32Array} values */
function statistics(values) {
  let [least, most, sum, squares] = [Infinity, -Infinity, 0, 0];
  for (const v of values) {
    if (v < least) least = v;
    if (v > most) most = v;
    sum += v;
    squares += v * v;
  }
  const mean = sum / values.length;
  return { least, most, mean, spread: Math.sqrt(Math.max(0, squares / values.length - mean ** 2)) };
}

/** Gray samples of a channel, each stretched from its least value to its greatest.
 * @param {number} channel @param {Latent} latent @param {ImageData} into
 * @param {number} left @param {number} top @param {number} step from one that is shown to the next
 */
function paint(channel, latent, into, left, top, step) {
  const values = plane(channel, latent);
  const { least, most } = statistics(values);
  const scale = most > least ? 255 / (most - least) : 0;
  for (let y = 0; y < latent.rows; y += step) {
    let at = 4 * ((top + y / step) * into.width + left);
    for (let x = 0; x < latent.columns; x += step, at += 4) {
      const v = scale ? (values[y * latent.columns + x] - least) * scale : 127;
      into.data[at] = into.data[at + 1] = into.data[at + 2] = v;
      into.data[at + 3] = 255;
    }
  }
}

/** One channel, large. @param {number} rank of it, by its standard deviation */
function showChannel(rank) {
  if (!shown) return;
  const { channel } = order[rank];
  const canvas = $("channel-picture");
  [canvas.width, canvas.height] = [shown.columns, shown.rows];
  const context = canvas.getContext("2d");
  const image = context.createImageData(shown.columns, shown.rows);
  paint(channel, shown, image, 0, 0, 1);
  context.putImageData(image, 0, 0);
  const { least, most, spread } = statistics(plane(channel, shown));
  $("channel-value").value = String(channel);
  $("latent-text").textContent = `The quantized latent has ${shown.channels} channels of ${
    shown.columns} × ${shown.rows} numbers, here by falling spread. Channel ${channel}: ${
    least.toFixed(2)} to ${most.toFixed(2)}, standard deviation ${spread.toFixed(2)}.`;
}

/** @param {Latent} latent */
function layout(latent) {
  const step = Math.ceil(Math.max(latent.rows, latent.columns) / MOST_SIDE);
  const [tall, cell] = [latent.rows, latent.columns].map((side) => Math.ceil(side / step) + GAP);
  return { columns: Math.min(Math.floor(MOSAIC_WIDTH / cell), 32), cell, tall, step };
}

/** All channels, those of the largest spread first. @param {Latent} latent */
export function showLatent(latent) {
  shown = latent;
  order = Array.from({ length: latent.channels }, (_, channel) =>
    ({ channel, spread: statistics(plane(channel, latent)).spread }));
  order.sort((a, b) => b.spread - a.spread);
  const { columns, cell, tall, step } = layout(latent);
  const canvas = $("channels");
  canvas.width = columns * cell;
  canvas.height = Math.ceil(latent.channels / columns) * tall;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  order.forEach(({ channel }, rank) => {
    const [left, top] = [(rank % columns) * cell, Math.floor(rank / columns) * tall];
    paint(channel, latent, image, left, top, step);
  });
  context.putImageData(image, 0, 0);
  $("channel").max = String(latent.channels - 1);
  $("channel").value = "0";
  showChannel(0);
}

/** Forget the latent, and what is drawn of it. */
export function clearLatent() {
  shown = null;
  $("channel-picture").width = $("channels").width = 0;
  $("latent-text").textContent = "";
}

/** Connect the controls. */
export function setUpLatent() {
  $("channel").addEventListener("input", () => showChannel(Number($("channel").value)));
  $("channels").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    if (!shown) return;
    const canvas = $("channels");
    const scale = canvas.width / canvas.clientWidth;
    const { columns, cell, tall } = layout(shown);
    const rank = Math.floor(event.offsetY * scale / tall) * columns
      + Math.floor(event.offsetX * scale / cell);
    if (rank >= shown.channels) return;
    $("channel").value = String(rank);
    showChannel(rank);
  });
}
