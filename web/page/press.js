// A picture -> the bytes of an .ltp file, in a worker.

import { LtpError, MAX_PIXELS } from "../src/index.js";
import { pressWorker, source } from "./models.js";
import { count } from "./words.js";

const LARGE = 4_000_000;  // pixels, after which the worker is ended to give its memory back

/** @type {Worker | null} */
let worker = null;

/**
 * @param {File} file
 * @param {string} url of the file
 * @param {{quality?: number, maxBytes?: number}} settings
 * @param {{onProgress: (share: number) => void, signal: AbortSignal}} options
 * @returns {Promise<{bytes: Uint8Array, notice: import("../src/encoder.js").Notice | null}>}
 */
export async function press(file, url, settings, { onProgress, signal }) {
  if (settings.maxBytes !== undefined && !(settings.maxBytes >= 1)) {
    throw new LtpError("image", "the size to press to is a number of kB above 0");
  }
  if (typeof Worker === "undefined") {
    throw new LtpError("image", "this browser lacks web workers, in which pictures are pressed");
  }
  const pixels = await checkSize(url);
  signal.throwIfAborted();
  if (!worker) {
    worker = pressWorker();
    worker.postMessage({ open: source });
  }
  const own = worker;
  /** The worker is in the middle of something: another takes its place. */
  const end = () => {
    own.terminate();
    if (worker === own) worker = null;
  };
  return new Promise((resolve, reject) => {
    const settled = new AbortController();
    signal.addEventListener("abort", () => {
      end();
      reject(signal.reason);
    }, { signal: settled.signal });
    own.onerror = (event) => {
      settled.abort();
      end();
      reject(new Error(event.message || "the worker that presses could not be started"));
    };
    own.onmessage = ({ data: { progress, bytes, notice, error } }) => {
      if (progress !== undefined) return onProgress(progress);
      settled.abort();  // from now on the worker may be busy with another picture
      if (!bytes || pixels > LARGE) end();
      if (bytes) return resolve({ bytes, notice });
      reject(error.kind ? new LtpError(error.kind, error.message)
        : Object.assign(new Error(error.message), { name: error.name }));
    };
    own.postMessage({ press: { file, settings } });
  });
}

/** Refuse what is too large before it is decoded. @param {string} url @returns its pixels */
async function checkSize(url) {
  const image = new Image();
  const loaded = new Promise((done) => { image.onload = image.onerror = done; });
  image.src = url;
  await loaded;
  const { naturalWidth: width, naturalHeight: height } = image;
  // 0 where it is no picture, which the encoder says
  if (width * height <= MAX_PIXELS) return width * height;
  const size = `${width} x ${height} pixels`;
  const told = `the picture has ${size}, more than the limit of ${count(MAX_PIXELS)} here`;
  throw new LtpError("limit", told);
}
