// The worker that presses: the page stays alive meanwhile, and ends it where it is canceled.
// Messages to it: {open: where the models are} once, then {press: {file, settings}}. Messages from
// it: {progress}, {bytes, notice}, {error: {kind, name, message}}.

import { encode } from "../src/encoder.js";
import { openModels } from "./model_source.js";

const scope = /** @type {any} */ (globalThis);
/** @type {Promise<import("../src/models.js").Models>} */
let models;

scope.onmessage = async (/** @type {{data: any}} */ { data }) => {
  if (data.open) {
    models = openModels(data.open);
    models.catch(() => {});  // told to those who press
    return;
  }
  const { file, settings } = data.press;
  try {
    const onProgress = (/** @type {number} */ progress) => scope.postMessage({ progress });
    /** @type {import("../src/encoder.js").Notice | null} */
    let notice = null;
    const onNotice = (/** @type {any} */ told) => { notice = told; };
    const bytes = await encode(file, { ...settings, models: await models, onProgress, onNotice });
    scope.postMessage({ bytes, notice });
  } catch (error) {
    const { kind, name, message } = /** @type {any} */ (error);
    scope.postMessage({ error: { kind, name, message } });
  }
};
