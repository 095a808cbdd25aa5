// How numbers and failures are told.

import { MAX_PIXELS } from "../src/index.js";

const UNREADABLE = ["NotFoundError", "NotReadableError"];  // what a Blob's bytes are refused with
const whole = new Intl.NumberFormat("en-US");

/** @param {number} n */
export const count = (n) => whole.format(Math.round(n));

/** Bytes for people: exact below 10 kB. @param {number} n */
export function bytes(n) {
  if (n < 10_000) return `${count(n)} bytes`;
  return n < 1e6 ? `${(n / 1000).toFixed(1)} kB` : `${(n / 1e6).toFixed(2)} MB`;
}

/** @param {number} milliseconds */
export const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

/** Bits a pixel. @param {number} size @param {number} width @param {number} height */
export const bpp = (size, width, height) => `${(8 * size / (width * height)).toFixed(3)} bpp`;

/**
 * What the encoder noticed, as sentences for a person.
 * @param {import("../src/encoder.js").Notice | null} notice
 */
export function noticed(notice) {
  if (notice === "exact") {
    return "The file holds every pixel exactly, in no more bytes than the model would take.";
  }
  if (!notice) return "";
  return "This looks like a screenshot, a drawing or a fine pattern, which the page presses as a " +
    "photograph. latentpress compress, the command, makes a smaller and sharper file of it.";
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";

/**
 * A failure as one sentence for a person.
 * @param {any} error
 */
export function sentence(error) {
  if (isAbort(error)) return "Canceled.";
  const told = String(error?.message ?? error).trim();
  if (error?.kind) return finished(told);  // an LtpError is a sentence already
  if (UNREADABLE.includes(error?.name)) {
    return "The file cannot be read: it is a folder, or has been moved or changed.";
  }
  if (error?.name === "RangeError" || /memory|allocation/i.test(told)) {  // of a worker, too
    return `There is not enough memory for this picture; the page takes up to ${
      MAX_PIXELS / 1e6} megapixels.`;
  }
  if (error instanceof TypeError && /fetch|network|load/i.test(told)) {
    return "The model could not be loaded: check the connection and try again.";
  }
  return finished(`The page failed here: ${told}`);
}

/** With a capital at its start and a stop at its end. @param {string} text */
function finished(text) {
  const stop = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + stop;
}
