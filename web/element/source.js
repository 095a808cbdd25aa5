/** The file of an element: its size from the first bytes, and all of it. */

const HEAD = 64; // bytes that are asked for
const FIXED = 15; // bytes up to the table of the chunks

/**
 * A file that is fetched in one or two steps.
 *
 * @typedef {object} Start
 * @property {{width: number, height: number} | null} size null: these are no .ltp file's bytes
 * @property {Uint8Array | null} whole the file, where the server sent all of it
 */

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Start>} what the first bytes say
 */
export async function fetchStart(url, signal) {
  const response = await get(url, signal, { Range: `bytes=0-${HEAD - 1}` });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { size: sizeOf(bytes), whole: response.status === 206 ? null : bytes };
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Uint8Array>}
 */
export async function fetchWhole(url, signal) {
  return new Uint8Array(await (await get(url, signal)).arrayBuffer());
}

/**
 * @param {Uint8Array} bytes the first ones of a file
 * @returns {{width: number, height: number} | null}
 */
export function sizeOf(bytes) {
  const [L, T, P, version] = bytes;
  if (bytes.length < FIXED || L !== 0x4c || T !== 0x54 || P !== 0x50 || version !== 1) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint16(9, true), view.getUint16(11, true)];
  return width && height ? { width, height } : null;
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {Record<string, string>} [headers]
 */
async function get(url, signal, headers = {}) {
  const response = await fetch(url, { signal, headers });
  if (!response.ok) throw new Error(`${url} cannot be loaded: ${response.status}`);
  return response;
}
