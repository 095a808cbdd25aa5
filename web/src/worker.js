/** The module that a browser's worker runs. */

import { serve } from "./worker_protocol.js";

const scope = /** @type {any} */ (globalThis);
const handle = serve((message) => scope.postMessage(message));
scope.onmessage = (/** @type {{data: any}} */ { data }) => handle(data);
