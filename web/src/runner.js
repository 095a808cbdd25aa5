/**
 * The work of a decoder in pieces that any thread can do: segments of the latent, and boxes of
 * pixels.
 *
 * @typedef {object} SegmentJob
 * @property {Uint8Array} data
 * @property {number} h
 * @property {number} w
 * @property {number} quality in hundredths
 * @property {number} type of the latent chunk
 * @property {import("./hyperprior.js").Sides} sides where another segment lies
 *
 * @typedef {object} BoxJob
 * @property {Float32Array[]} strips of the latent (strips.js), with the positions about the box
 *   that it needs; they are freed
 * @property {number} rows
 * @property {number} columns
 * @property {import("./synthesis.js").Wanted} wanted pixels
 *
 * @typedef {(first: number, rgba: Uint8Array) => void} OnRows rows of the box from `first` on; the
 *   bytes are the receiver's
 *
 * @typedef {object} Runner
 * @property {(job: SegmentJob, signal?: AbortSignal) => Promise<Float32Array>} segment its latent,
 *   (h, w, 320)
 * @property {(job: BoxJob, onRows: OnRows, signal?: AbortSignal) => Promise<void>} box
 * @property {() => void} close
 */

import { Core } from "./core.js";

const SLICE_MS = 40; // of work, after which others get a turn
const MOST_ROWS = 64; // of pixels that are handed over at once

/** Works in the thread that calls it, and lets it breathe. */
export class LocalRunner {
  /**
   * @param {import("./core.js").Files} files
   * @returns {Promise<LocalRunner>}
   */
  static async open(files) {
    return new LocalRunner(await Core.create(files));
  }

  /** @param {Core} core */
  constructor(core) {
    this.core = core;
    /** @type {Promise<unknown>} */
    this.busy = Promise.resolve(); // the engine's memory is one job's at a time
  }

  /**
   * @param {SegmentJob} job
   * @param {AbortSignal} [signal]
   */
  segment({ data, h, w, quality, type, sides }, signal) {
    return this.alone(async () => {
      await pause();
      signal?.throwIfAborted();
      return this.core.hyperprior(quality, type).decodeSegment(data, h, w, sides).latent;
    });
  }

  /**
   * @param {BoxJob} job
   * @param {OnRows} onRows
   * @param {AbortSignal} [signal]
   */
  box({ strips, rows, columns, wanted }, onRows, signal) {
    return this.alone(async () => {
      const rowBytes = 4 * (wanted.right - wanted.left);
      const store = new Uint8Array(rowBytes * MOST_ROWS);
      let [from, ready] = [wanted.first, 0];
      const send = () => {
        if (!ready) return;
        onRows(from, store.slice(0, rowBytes * ready));
        from += ready;
        ready = 0;
      };
      const emit = (/** @type {number} */ _y, /** @type {Uint8Array} */ row) => {
        store.set(row, rowBytes * ready++);
        if (ready === MOST_ROWS) send();
      };
      let turn = performance.now();
      for (const _ of this.core.synthesis.run(strips, rows, columns, wanted, emit)) {
        if (performance.now() - turn < SLICE_MS) continue;
        send();
        await pause();
        signal?.throwIfAborted();
        turn = performance.now();
      }
      send();
    });
  }

  /**
   * @template T
   * @param {() => Promise<T>} job
   * @returns {Promise<T>}
   */
  alone(job) {
    const run = this.busy.then(job);
    this.busy = run.catch(() => {});
    return run;
  }

  /** Free what can be freed. */
  close() {}
}

/**
 * Let timers, messages and clicks have their turn. A message to oneself is not slowed down in
 * pages that lie in the background, as timers are.
 *
 * @returns {Promise<void>}
 */
export function pause() {
  if (typeof setImmediate === "function") return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
