/** Metadata of a picture -> the bodies of its chunks (docs/formats/ltp.md, Metadata). */
import { TYPE } from "./container.js";
import { deflatedBody, smallestChunk } from "./deflate.js";
import { isKeyword } from "./metadata.js";
import { profileNumber } from "./profile_number.js";
import { writeVarint } from "./varint.js";

const MAX_TEXT = 2 ** 22; // bytes of all texts of a picture
const DENSITY_UNIT = 1000; // steps in one dot an inch
const MAX_DENSITY = 1e6; // dots an inch
// Keywords of programs that tell of the file alone, and those that Pillow uses for other things.
const TOOLS = [
  "date:", "exif:", "icc:", "jpeg:", "png:", "tiff:", "pdf:", "photoshop:", "xmp:", "dng:",
  "Raw profile type", "Thumb::",
];
const TAKEN = new Set((
  "aspect background blend compression default_image disposal dpi duration exif extension gamma "
  + "icc_profile interlace jfif loop mp mpoffset photoshop progressive resolution sizes srgb "
  + "timestamp transparency version xmp adobe adobe_transform chromaticity filename hotspot "
  + "id_section jfif_density jfif_unit jfif_version no_jp2 optimize orientation palette rle "
  + "append_images bbox").split(" "));

/** @typedef {Partial<import("./metadata.js").Metadata>} Metadata of an upright picture */

/**
 * @param {Metadata} metadata
 * @returns {Promise<[number, Uint8Array][]>} types and bodies of the chunks, of what there is
 */
export async function encodeMetadata({ icc, exif, xmp, text, density }) {
  /** @type {[number, Uint8Array][]} */
  const chunks = [];
  const number = icc ? profileNumber(icc) : null;
  if (number !== null) chunks.push([TYPE.iccNumber, Uint8Array.of(number)]);
  else if (icc?.length) chunks.push(await smallestChunk(icc, TYPE.icc, TYPE.iccDeflated));
  if (exif?.length) chunks.push(await smallestChunk(exif, TYPE.exif, TYPE.exifDeflated));
  if (xmp?.length) chunks.push(await smallestChunk(xmp, TYPE.xmp, TYPE.xmpDeflated));
  const packed = packText(text ?? []);
  if (packed.length && packed.length <= MAX_TEXT) {
    chunks.push([TYPE.text, await deflatedBody(packed)]);
  }
  if (density && isDensity(density)) chunks.push([TYPE.density, packDensity(density)]);
  return chunks;
}

/**
 * @param {[string, string][]} text
 * @returns {Uint8Array} of each text that is kept its keyword and its value, behind their lengths
 */
function packText(text) {
  const kept = new Map();
  for (const [key, value] of text) {
    const plain = value.replaceAll("\0", "");
    if (plain.trim() && isKept(key)) kept.set(key, plain);
  }
  const encoder = new TextEncoder();
  const out = [];
  for (const pair of kept) {
    for (const part of pair) {
      const bytes = encoder.encode(part);
      for (const byte of writeVarint(bytes.length)) out.push(byte);
      for (const byte of bytes) out.push(byte);
    }
  }
  return Uint8Array.from(out);
}

/**
 * @param {string} key
 * @returns {boolean} whether PNG allows it, and no program has it for itself
 */
function isKept(key) {
  return isKeyword(key) && !TAKEN.has(key) && !TOOLS.some((start) => key.startsWith(start));
}

/**
 * @param {[number, number]} density dots an inch, across and down
 * @returns {boolean} whether the format can say it; a senseless one is not kept
 */
export function isDensity(density) {
  return density.every((value) => value >= 1 / DENSITY_UNIT && value <= MAX_DENSITY);
}

/**
 * @param {[number, number]} density dots an inch, across and down
 * @returns {Uint8Array} thousandths of them, the second where it is another number
 */
function packDensity(density) {
  const [across, down] = density.map((value) => Math.round(value * DENSITY_UNIT));
  return Uint8Array.from([
    ...writeVarint(across), ...(down === across ? [] : writeVarint(down)),
  ]);
}
