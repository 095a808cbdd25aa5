/**
 * Both ends of a worker. Messages to it: {id, open: files}, {id, segment: job}, {id, box: job},
 * {cancel: id}. Messages from it: {id, rows: first, rgba}, {id, result}, {id, error: {kind, name,
 * message}}.
 *
 * @typedef {object} Port a worker, as the page sees it
 * @property {(message: any, transfer?: any[]) => void} postMessage
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
 * @param {(message: any, transfer: any[]) => void} post
 * @returns {(message: any) => Promise<void>} to be called for each message
 */
export function serve(post) {
  /** @type {LocalRunner} */
  let runner;
  /** @type {Map<number, AbortController>} */
  const jobs = new Map();
  return async (message) => {
    if ("cancel" in message) {
      jobs.get(message.cancel)?.abort();
      return;
    }
    const { id } = message;
    const job = new AbortController();
    jobs.set(id, job);
    try {
      if (message.open) {
        runner = await LocalRunner.open(message.open);
        for (const file of Object.values(message.open)) discard(file);
        post({ id, result: true }, []);
      } else if (message.segment) {
        const latent = await runner.segment(message.segment, job.signal);
        post({ id, result: latent }, [latent.buffer]);
      } else {
        const rows = (/** @type {number} */ first, /** @type {Uint8Array} */ rgba) =>
          post({ id, rows: first, rgba }, [rgba.buffer]);
        await runner.box(message.box, rows, job.signal);
        post({ id, result: true }, []);
      }
    } catch (error) {
      const { kind, name, message: text } = /** @type {any} */ (error);
      post({ id, error: { kind, name, message: text } }, []);
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
    const copies = Object.entries(files).map(([name, file]) => [name, file.slice()]);
    const transfer = copies.map(([, file]) => /** @type {Uint8Array} */ (file).buffer);
    await runner.ask({ open: Object.fromEntries(copies) }, { transfer });
    return runner;
  }

  /** @param {Port} worker */
  constructor(worker) {
    this.worker = worker;
    this.next = 0;
    /** @type {Map<number, {resolve: Function, reject: Function, onRows?: Function}>} */
    this.waiting = new Map();
    worker.onmessage = ({ data }) => this.receive(data);
    worker.onerror = (event) => {
      const error = new Error(event?.message ?? "the worker could not be started");
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
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
   * @param {{transfer?: any[], onRows?: import("./runner.js").OnRows, signal?: AbortSignal}} [how]
   * @returns {Promise<any>}
   */
  ask(message, { transfer = [], onRows, signal } = {}) {
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
      this.worker.postMessage({ id, ...message }, transfer);
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
   * @param {import("./runner.js").BoxJob} job its strips are handed over
   * @param {import("./runner.js").OnRows} onRows
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  box(job, onRows, signal) {
    const transfer = job.strips.map(({ buffer }) => buffer);
    return this.ask({ box: job }, { transfer, onRows, signal });
  }

  /** End the worker. */
  close() {
    this.worker.terminate();
  }
}
