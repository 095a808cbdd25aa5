/** Workers for Node, as threads. */

import { Worker } from "node:worker_threads";

/** @type {Map<number, import("./decoder.js").Workers>} */
const known = new Map();

/**
 * @param {number} count
 * @returns {import("./decoder.js").Workers} the same for the same count, since `decode` keeps the
 *   threads of what it is given
 */
export function nodeWorkers(count) {
  const workers = known.get(count) ?? { count, create };
  known.set(count, workers);
  return workers;
}

/** @returns {import("./worker_protocol.js").Port} */
function create() {
  const worker = new Worker(new URL("./node_worker.js", import.meta.url));
  /** @type {import("./worker_protocol.js").Port} */
  const port = {
    postMessage: (message) => worker.postMessage(message),
    onmessage: null,
    onerror: null,
    terminate: () => void worker.terminate(),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
  worker.on("message", (data) => port.onmessage?.({ data }));
  worker.on("error", (error) => port.onerror?.(error));
  worker.on("exit", () => port.onerror?.(new Error("the worker has ended")));
  return port;
}
