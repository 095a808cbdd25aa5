// A PNG with the picture's profile and metadata. A canvas would drop them, and may alter samples.

import { joined } from "../src/deflate.js";
import { SIGNATURE, chunk } from "../src/png_chunks.js";
import { pause } from "../src/runner.js";

/** @typedef {Partial<import("../src/metadata.js").Metadata>} Metadata */

const STEP = 256;  // rows between two pauses, in which the page stays alive
const COLOR_TYPES = [0, 0, 4, 2, 6];  // by the number of channels
const METERS_IN_INCH = 0.0254;

const latin = (/** @type {string} */ text) => Uint8Array.from(text, (c) => c.charCodeAt(0) & 255);
const utf8 = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** @param {BlobPart[]} parts */
async function deflated(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * A row, filtered by that of Sub, Up and Paeth whose bytes are the smallest in sum.
 * @param {Uint8Array} row @param {Uint8Array} above @param {number} n bytes a pixel
 * @param {Uint8Array[]} room three rows to work in
 */
function filtered(row, above, n, room) {
  const sums = [0, 0, 0];
  for (let i = 0; i < row.length; i++) {
    const a = i < n ? 0 : row[i - n];
    const b = above[i];
    const c = i < n ? 0 : above[i - n];
    const pa = Math.abs(b - c);
    const pb = Math.abs(a - c);
    const pc = Math.abs(a + b - 2 * c);
    const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    const sub = room[0][i + 1] = row[i] - a;
    const up = room[1][i + 1] = row[i] - b;
    const best = room[2][i + 1] = row[i] - paeth;
    sums[0] += Math.abs(sub << 24 >> 24);
    sums[1] += Math.abs(up << 24 >> 24);
    sums[2] += Math.abs(best << 24 >> 24);
  }
  return room[sums.indexOf(Math.min(...sums))];
}

/**
 * @param {{width: number, height: number, channels: number, pixels: Uint8ClampedArray,
 *   metadata?: Metadata}} picture RGBA samples; channels: 1 gray, 2 gray with alpha, 3, 4
 * @returns {Promise<Blob>}
 */
export async function png({ width, height, channels, pixels, metadata = {} }) {
  const from = [[], [0], [0, 3], [0, 1, 2], [0, 1, 2, 3]][channels];
  const length = width * channels;
  const room = [1, 2, 4].map((type) => {
    const filter = new Uint8Array(1 + length);
    filter[0] = type;
    return filter;
  });
  let [row, above] = [new Uint8Array(length), new Uint8Array(length)];
  const parts = [];
  for (let y = 0; y < height; y++) {
    let at = 0;
    for (let p = 4 * y * width; p < 4 * (y + 1) * width; p += 4) {
      for (const k of from) row[at++] = pixels[p + k];
    }
    parts.push(filtered(row, above, channels, room).slice());
    [row, above] = [above, row];
    if (y % STEP === STEP - 1) await pause();
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOR_TYPES[channels], 0, 0, 0], 8);
  const body = await deflated(parts);
  return new Blob([SIGNATURE, chunk("IHDR", header), ...await ancillary(metadata),
    chunk("IDAT", body), chunk("IEND", new Uint8Array())], { type: "image/png" });
}

/** @param {Metadata} metadata */
async function ancillary({ icc, exif, xmp, text, density }) {
  const found = [];
  if (icc?.length) {
    const body = await deflated([/** @type {any} */ (icc)]);
    found.push(chunk("iCCP", joined([latin("ICC profile\0\0"), body])));
  }
  if (density) {
    const [x, y] = density;
    const body = new Uint8Array(9);
    const view = new DataView(body.buffer);
    view.setUint32(0, Math.round(x / METERS_IN_INCH));
    view.setUint32(4, Math.round(y / METERS_IN_INCH));
    body[8] = 1;
    found.push(chunk("pHYs", body));
  }
  if (exif?.length) found.push(chunk("eXIf", exif));
  if (xmp?.length) found.push(chunk("iTXt", joined([latin("XML:com.adobe.xmp\0\0\0\0\0"), xmp])));
  for (const [keyword, value] of text ?? []) {
    found.push(chunk("iTXt", joined([latin(`${keyword}\0\0\0\0\0`), utf8(value)])));
  }
  return found;
}
