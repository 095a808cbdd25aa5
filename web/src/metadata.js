/**
 * Metadata of a file ("Metadata" in docs/formats/ltp.md).
 *
 * @typedef {object} Metadata
 * @property {Uint8Array | null} icc
 * @property {Uint8Array | null} exif a TIFF stream
 * @property {Uint8Array | null} xmp
 * @property {[string, string][]} text keywords and values
 * @property {[number, number] | null} density dots an inch, across and down
 */

import { TYPE } from "./container.js";
import { formatError, LtpError } from "./errors.js";
import { knownProfile } from "./icc.js";
import { inflate } from "./inflate.js";
import { readVarint } from "./varint.js";

const MAX_PLAIN = 2 ** 26;
const MAX_TEXT = 2 ** 22;
const MAX_DENSITY = 1e9; // thousandths of dots an inch

/**
 * @param {Map<number, Uint8Array>} chunks
 * @returns {Metadata}
 */
export function decodeMetadata(chunks) {
  const stored = (/** @type {number} */ type, /** @type {number} */ deflated, name = "") => {
    const packed = chunks.get(deflated);
    const plain = chunks.get(type);
    if (packed) return inflateBody(packed, name);
    return plain?.length ? plain.slice() : null;
  };
  let icc = stored(TYPE.icc, TYPE.iccDeflated, "icc");
  const number = chunks.get(TYPE.iccNumber);
  if (number) {
    if (number.length !== 1) {
      throw formatError("the chunk of the ICC profile's number must hold one byte");
    }
    icc = knownProfile(number[0]);
    if (!icc) {
      throw new LtpError(
        "version",
        `the file names the ICC profile number ${number[0]}, which this version of latentpress ` +
          "does not know",
      );
    }
  }
  const text = chunks.get(TYPE.text);
  const density = chunks.get(TYPE.density);
  return {
    icc,
    text: text ? readTexts(inflateBody(text, "text", MAX_TEXT)) : [],
    density: density ? readDensity(density) : null,
    exif: stored(TYPE.exif, TYPE.exifDeflated, "exif"),
    xmp: stored(TYPE.xmp, TYPE.xmpDeflated, "xmp"),
  };
}

/**
 * @param {Uint8Array} body the plain length, then one raw deflate stream of just so many bytes
 * @param {string} name of the chunk
 * @param {number} [most]
 * @returns {Uint8Array}
 */
export function inflateBody(body, name, most = MAX_PLAIN) {
  const [size, start] = readVarint(body, 0);
  if (size < 1 || size > most) {
    throw formatError(`the ${name} chunk promises ${size} bytes; 1 to ${most} are allowed`);
  }
  try {
    return inflate(body.subarray(start), size);
  } catch {
    throw formatError(`the ${name} chunk is damaged: its bytes cannot be inflated`);
  }
}

/**
 * @param {Uint8Array} plain
 * @returns {[string, string][]}
 */
export function readTexts(plain) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** @type {string[]} */
  const parts = [];
  for (let at = 0; at < plain.length; ) {
    const [size, next] = readVarint(plain, at);
    if (size > plain.length - next) {
      throw formatError("the text chunk is damaged: a text is cut off");
    }
    try {
      parts.push(decoder.decode(plain.subarray(next, next + size)));
    } catch {
      throw formatError("the text chunk is damaged: a text is not in UTF-8");
    }
    at = next + size;
  }
  const keywords = parts.filter((_, i) => i % 2 === 0);
  const isDamaged =
    parts.length % 2 ||
    new Set(keywords).size < keywords.length ||
    parts.some((part) => part.includes("\0")) ||
    !keywords.every(isKeyword);
  if (isDamaged) {
    throw formatError("the text chunk is damaged: its keywords are not what they must be");
  }
  return keywords.map((keyword, i) => [keyword, parts[2 * i + 1]]);
}

/**
 * @param {string} keyword
 * @returns {boolean} whether PNG allows it (third edition, 11.3.3.1)
 */
export function isKeyword(keyword) {
  const isPrintable = /^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword);
  return isPrintable && !/^ | $| {2}/.test(keyword);
}

/**
 * @param {Uint8Array} body
 * @returns {[number, number]} dots an inch, across and down
 */
export function readDensity(body) {
  const values = [];
  for (let at = 0; at < body.length; ) {
    const [value, next] = readVarint(body, at);
    values.push(value);
    at = next;
  }
  const isPair = values.length === 2 && values[0] !== values[1];
  if (values.length !== 1 && !isPair) throw formatError("the density chunk is damaged");
  if (values.some((value) => value < 1 || value > MAX_DENSITY)) {
    throw formatError("the density chunk holds an impossible density");
  }
  return [values[0] / 1000, values[values.length - 1] / 1000];
}
