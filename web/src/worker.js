/** The module that a browser's worker runs. */

import { serve } from "./worker_protocol.js";

const scope = /** @type {any} */ (globalThis);
const handle = serve((message, transfer) => scope.postMessage(message, transfer));
scope.onmessage = (/** @type {{data: any}} */ { data }) => handle(data);
