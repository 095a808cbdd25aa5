/**
 * The screen layer of a file ("Screen layer" in docs/formats/ltp.md): pixels of some cells, or of
 * the whole picture.
 *
 * AV1 is decoded by the platform: in a browser as an AVIF picture, elsewhere by the function that
 * the caller passes in.
 *
 * @typedef {{width: number, height: number, data: ArrayLike<number>}} Rgba
 * @typedef {(file: Uint8Array, type: string) => Promise<Rgba>} DecodeImage the pixels of an image
 *   file of a media type
 * @typedef {{left: number, top: number, right: number, bottom: number, bytes: Uint8Array}} Piece
 * @typedef {{mask: Uint8Array, columns: number, pieces: Piece[]}} Layer mask: a byte a cell
 */

import { TYPE } from "./container.js";
import { formatError, LtpError } from "./errors.js";
import { inflateBody } from "./metadata.js";
import { readVarint } from "./varint.js";
import { decodeWebp, webpFits } from "./webp.js";

const CELL = 32; // pixels a side
const TILE = 64; // cells a side
const TOO_LONG = "the screen chunk is cut off";

/**
 * @param {Map<number, Uint8Array>} chunks
 * @param {number} width
 * @param {number} height
 * @returns {Layer | null} null where the file has none
 */
export function readLayer(chunks, width, height) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / CELL));
  const masked = chunks.get(TYPE.screen);
  let body = masked ?? chunks.get(TYPE.screenWhole);
  if (!body) return null;
  const mask = new Uint8Array(rows * columns).fill(1);
  if (masked) {
    const [length, at] = readVarint(masked, 0);
    if (at + length > masked.length) throw formatError(TOO_LONG);
    const size = Math.ceil(mask.length / 8);
    const plain = inflateBody(masked.subarray(at, at + length), "screen", size);
    const bit = (/** @type {number} */ i) => (plain[i >> 3] >> (7 - (i & 7))) & 1;
    const behind = plain.length === size && (plain[size - 1] << (mask.length & 7)) & 0xff;
    if (plain.length !== size || (mask.length & 7 && behind) || plain.every((byte) => !byte)) {
      throw formatError("the mask of the screen chunk does not fit the picture");
    }
    for (let i = 0; i < mask.length; i++) mask[i] = bit(i);
    body = masked.subarray(at + length);
  }
  const pieces = boxes(mask, rows, columns, width, height);
  let at = 0;
  pieces.forEach((piece, i) => {
    let length = body.length - at;
    if (i < pieces.length - 1) [length, at] = readVarint(body, at);
    if (at + length > body.length) throw formatError(TOO_LONG);
    piece.bytes = body.subarray(at, at + length);
    checkPiece(piece.bytes, piece.right - piece.left, piece.bottom - piece.top);
    at += length;
  });
  return { mask, columns, pieces };
}

/**
 * Put the layer over a picture.
 *
 * @param {Layer} layer
 * @param {number} width of the picture
 * @param {Uint8ClampedArray} pixels RGBA, whose opacity stays
 * @param {DecodeImage | undefined} decodeImage by default the browser's
 * @param {() => Promise<void>} rest called before each piece
 */
export async function pasteLayer({ mask, columns, pieces }, width, pixels, decodeImage, rest) {
  for (const { left, top, right, bottom, bytes } of pieces) {
    await rest();
    const rgba = await decodePiece(bytes, right - left, bottom - top, decodeImage);
    for (let y = top; y < bottom; y++) {
      const row = Math.floor(y / CELL) * columns;
      for (let x = left; x < right; x++) {
        if (!mask[row + Math.floor(x / CELL)]) continue;
        const from = 4 * ((y - top) * (right - left) + x - left);
        const to = 4 * (y * width + x);
        for (let k = 0; k < 3; k++) pixels[to + k] = rgba[from + k];
      }
    }
  }
}

/**
 * @param {Uint8Array} mask
 * @param {number} rows
 * @param {number} columns
 * @param {number} width
 * @param {number} height
 * @returns {Piece[]} without their bytes
 */
function boxes(mask, rows, columns, width, height) {
  const found = [];
  for (let y = 0; y < rows; y += TILE) {
    for (let x = 0; x < columns; x += TILE) {
      let [left, top, right, bottom] = [columns, rows, 0, 0];
      for (let b = y; b < Math.min(rows, y + TILE); b++) {
        for (let a = x; a < Math.min(columns, x + TILE); a++) {
          if (!mask[b * columns + a]) continue;
          [left, top] = [Math.min(left, a), Math.min(top, b)];
          [right, bottom] = [Math.max(right, a + 1), Math.max(bottom, b + 1)];
        }
      }
      if (!right) continue;
      found.push({
        left: CELL * left,
        top: CELL * top,
        right: Math.min(CELL * right, width),
        bottom: Math.min(CELL * bottom, height),
        bytes: new Uint8Array(),
      });
    }
  }
  return found;
}

/** @param {Uint8Array} bytes */
const isWebp = (bytes) => [0x52, 0x49, 0x46, 0x46].every((byte, i) => bytes[i] === byte);

/**
 * What is told before anything is decoded.
 *
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 */
function checkPiece(bytes, width, height) {
  if (bytes.length === 3) return;
  if (isWebp(bytes)) {
    if (!webpFits(bytes, width, height)) {
      throw formatError("the screen chunk does not fit the picture");
    }
  } else {
    readAv1(bytes, width, height);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 * @param {DecodeImage} [decodeImage]
 * @returns {Promise<ArrayLike<number>>} RGBA
 */
async function decodePiece(bytes, width, height, decodeImage) {
  if (bytes.length === 3) {
    const [red, green, blue] = bytes;
    const out = new Uint8Array(4 * width * height);
    for (let i = 0; i < out.length; i += 4) out.set([red, green, blue, 255], i);
    return out;
  }
  if (isWebp(bytes)) {
    try {
      return rgbaOf(decodeWebp(bytes, width, height));
    } catch {
      throw formatError("the screen chunk is damaged");
    }
  }
  const decode = decodeImage ?? (typeof createImageBitmap === "undefined" ? null : byBrowser);
  if (!decode) {
    throw new LtpError(
      "image",
      "the file holds an AV1 picture, which only browsers decode by themselves: pass the option " +
        "decodeImage",
    );
  }
  const file = boxed(bytes, width, height);
  const image = await decode(file, "image/avif").catch((cause) => {
    const reader = decodeImage ? "decodeImage" : "this browser";
    const error = formatError(`the screen chunk is damaged, or ${reader} reads no AVIF`);
    throw Object.assign(error, { cause });
  });
  if (image.width !== width || image.height !== height) {
    throw formatError("the screen chunk does not fit the picture");
  }
  return image.data;
}

/** @type {DecodeImage} */
async function byBrowser(file, type) {
  const blob = new Blob([/** @type {any} */ (file)], { type });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

/** @param {Uint32Array} pixels each of which is alpha, red, green, blue from the highest byte on */
function rgbaOf(pixels) {
  const out = new Uint8Array(4 * pixels.length);
  pixels.forEach((argb, i) => out.set([argb >>> 16, argb >>> 8, argb, 255], 4 * i));
  return out;
}

/**
 * The fields of an AV1 piece that a box av1C wants ("As AV1" of the format).
 *
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 * @returns {{profile: number, level: number, chroma: number}}
 */
function readAv1(bytes, width, height) {
  const wrong = () => formatError("the screen chunk holds no AV1 picture that fits");
  if (bytes[0] !== 0x12 || bytes[1] !== 0 || bytes[2] !== 0x0a) throw wrong();
  const [length, start] = readVarint(bytes, 3);
  const frame = start + length;
  if (frame >= bytes.length || bytes[frame] !== 0x32) throw wrong();
  const [size, body] = readVarint(bytes, frame + 1);
  if (body + size !== bytes.length) throw wrong();
  let at = 8 * start;
  const take = (/** @type {number} */ count) => {
    let value = 0;
    for (let i = 0; i < count; i++, at++) {
      if (at >= 8 * frame) throw wrong();
      value = 2 * value + ((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const [profile, still, level] = [take(3), take(2), take(5)];
  const [wide, high] = [take(4) + 1, take(4) + 1];
  const [columns, rows] = [take(wide) + 1, take(high) + 1];
  take(6);
  const isDeep = take(1);
  const monochrome = profile === 0 ? take(1) : 0;
  const colors = [take(1), take(8), take(8), take(8), take(1)];
  if (!monochrome) take(profile === 0 ? 3 : 1);
  const grain = take(1);
  const isKind = profile <= 1 && still === 3 && !isDeep && !grain;
  if (!isKind || String(colors) !== "1,1,13,6,1" || columns !== width || rows !== height) {
    throw wrong();
  }
  return { profile, level, chroma: 4 * monochrome + (profile === 0 ? 3 : 0) };
}

/**
 * An AV1 piece as an AVIF file.
 *
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array}
 */
function boxed(bytes, width, height) {
  const { profile, level, chroma } = readAv1(bytes, width, height);
  const planes = chroma & 4 ? 1 : 3;
  const av1 = [0x81, (profile << 5) | level, chroma << 2, 0];
  const properties = [
    ...full("ispe", [...u32(width), ...u32(height)]),
    ...full("pixi", [planes, ...Array(planes).fill(8)]),
    ...box("av1C", av1),
    ...box("colr", [...text("nclx"), 0, 1, 0, 13, 0, 6, 0x80]),
  ];
  const use = [0, 0, 0, 1, 0, 1, 4, 1, 2, 0x83, 4];
  const head = (/** @type {number} */ offset) => [
    ...box("ftyp", [...text("avif"), 0, 0, 0, 0, ...text("avifmif1miaf")]),
    ...full("meta", [
      ...full("hdlr", [0, 0, 0, 0, ...text("pict"), ...Array(13).fill(0)]),
      ...full("pitm", [0, 1]),
      ...full("iloc", [0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1, ...u32(offset), ...u32(bytes.length)]),
      ...full("iinf", [0, 1, ...full("infe", [0, 1, 0, 0, ...text("av01"), 0], 2)]),
      ...box("iprp", [...box("ipco", properties), ...full("ipma", use)]),
    ]),
  ];
  const before = [...head(head(0).length + 8), ...u32(8 + bytes.length), ...text("mdat")];
  const file = new Uint8Array(before.length + bytes.length);
  file.set(before);
  file.set(bytes, before.length);
  return file;
}

/** @param {string} letters */
const text = (letters) => [...letters].map((letter) => letter.charCodeAt(0));
/** @param {number} value */
const u32 = (value) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
/**
 * @param {string} name
 * @param {number[]} body
 */
const box = (name, body) => [...u32(8 + body.length), ...text(name), ...body];
/**
 * @param {string} name
 * @param {number[]} body
 * @param {number} [version]
 */
const full = (name, body, version = 0) => box(name, [version, 0, 0, 0, ...body]);
