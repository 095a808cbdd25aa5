/** The module that a worker thread of Node runs. */

import { parentPort } from "node:worker_threads";

import { serve } from "./worker_protocol.js";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
const handle = serve((message) => port.postMessage(message));
port.on("message", (message) => handle(message));
