/**
 * Both ends of a worker. Messages to it: {id, open: files}, {id, segment: job}, {strip: of the next
 * box}, {id, box: job}, {cancel: id}. Messages from it: {id, rows: first, rgba}, {id, result}, {id,
 * error: {kind, name, message}}.
 *
 * Arrays are copied and then freed, never transferred: Chromium keeps the memory of a transferred
 * array with its message until garbage is collected, also where the array has long been freed.
 *
 * @typedef {object} Port a worker, as the page sees it
 * @property {(message: any) => void} postMessage
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onerror
 * @property {() => void} terminate
 * @property {() => void} [ref] keep the process alive, as while there is work
 * @property {() => void} [unref]
 */

import { LtpError } from "./errors.js";
import { LocalRunner } from "./runner.js";
import { discard } from "./strips.js";

/**
 * The worker's end.
 *
 * @param {(message: any) => void} post
 * @returns {(message: any) => Promise<void>} to be called for each message
 */
export function serve(post) {
  /** @type {LocalRunner} */
  let runner;
  /** @type {Map<number, AbortController>} */
  const jobs = new Map();
  /** @type {Float32Array[]} */
  let strips = [];
  return async (message) => {
    if ("cancel" in message) {
      jobs.get(message.cancel)?.abort();
      return;
    }
    if ("strip" in message) {
      strips.push(message.strip);
      return;
    }
    const { id } = message;
    const job = new AbortController();
    jobs.set(id, job);
    try {
      if (message.open) {
        runner = await LocalRunner.open(message.open);
        for (const file of Object.values(message.open)) discard(file);
        post({ id, result: true });
      } else if (message.segment) {
        const latent = await runner.segment(message.segment, job.signal);
        post({ id, result: latent });
        discard(latent);
      } else {
        const rows = (/** @type {number} */ first, /** @type {Uint8Array} */ rgba) => {
          post({ id, rows: first, rgba });
          discard(rgba);
        };
        const box = { ...message.box, strips };
        strips = [];
        await runner.box(box, rows, job.signal);
        post({ id, result: true });
      }
    } catch (error) {
      const { kind, name, message: text } = /** @type {any} */ (error);
      post({ id, error: { kind, name, message: text } });
    } finally {
      jobs.delete(id);
    }
  };
}

/** The page's end: a runner whose work is done by a worker. */
export class WorkerRunner {
  /**
   * @param {Port} worker
   * @param {import("./core.js").Files} files
   * @returns {Promise<WorkerRunner>}
   */
  static async open(worker, files) {
    const runner = new WorkerRunner(worker);
    await runner.ask({ open: files });
    return runner;
  }

  /** @param {Port} worker */
  constructor(worker) {
    this.worker = worker;
    this.next = 0;
    /** @type {Map<number, {resolve: Function, reject: Function, onRows?: Function}>} */
    this.waiting = new Map();
    this.onEnd = () => {}; // called when the worker has ended by itself
    /** @type {Error | null} why it answers no more */
    this.ended = null;
    worker.onmessage = ({ data }) => this.receive(data);
    worker.onerror = (event) => {
      this.giveUp(new Error(event?.message ?? "the worker could not be started"));
      this.onEnd();
    };
  }

  /** @param {Error} error for all who wait, and who ask from now on */
  giveUp(error) {
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  /** @param {any} message */
  receive({ id, rows, rgba, result, error }) {
    const job = this.waiting.get(id);
    if (!job) return;
    if (rgba) {
      job.onRows?.(rows, rgba);
      return;
    }
    this.waiting.delete(id);
    if (!error) job.resolve(result);
    else if (error.kind) job.reject(new LtpError(error.kind, error.message));
    else job.reject(Object.assign(new Error(error.message), { name: error.name }));
  }

  /**
   * @param {object} message
   * @param {{onRows?: import("./runner.js").OnRows, signal?: AbortSignal}} [how]
   * @returns {Promise<any>}
   */
  ask(message, { onRows, signal } = {}) {
    if (this.ended) return Promise.reject(this.ended);
    const id = this.next++;
    const cancel = () => {
      const job = this.waiting.get(id);
      this.waiting.delete(id);
      this.worker.postMessage({ cancel: id });
      job?.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onRows });
      this.worker.ref?.();
      this.worker.postMessage({ id, ...message });
    }).finally(() => {
      signal?.removeEventListener("abort", cancel);
      if (!this.waiting.size) this.worker.unref?.();
    });
  }

  /**
   * @param {import("./runner.js").SegmentJob} job
   * @param {AbortSignal} [signal]
   * @returns {Promise<Float32Array>}
   */
  segment(job, signal) {
    return this.ask({ segment: { ...job, data: job.data.slice() } }, { signal });
  }

  /**
   * @param {import("./runner.js").BoxJob} job its strips are freed
   * @param {import("./runner.js").OnRows} onRows
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  box({ strips, ...job }, onRows, signal) {
    for (const strip of strips) {
      this.worker.postMessage({ strip });
      discard(strip);
    }
    return this.ask({ box: job }, { onRows, signal });
  }

  /** End the worker. */
  close() {
    this.onEnd = () => {};
    this.worker.terminate();
    this.giveUp(new Error("the decoder has been closed"));
  }
}
