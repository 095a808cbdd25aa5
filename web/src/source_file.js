/**
 * What a JPEG, PNG or WebP file holds beside its picture, and the file without it. A browser that
 * is given the bare file neither turns the picture nor converts its colors, so what it decodes are
 * the samples that are stored. Sources: ITU-T T.81; PNG, third edition; RFC 9649 (WebP).
 */
import { decompressed, joined } from "./deflate.js";
import { exifResolution } from "./exif.js";
import { isDensity } from "./metadata_encoder.js";

const MOST = 2 ** 26; // bytes of a compressed part of a file
const XMP_KEY = "XML:com.adobe.xmp";
const EXIF_KEY = "Raw profile type exif"; // ImageMagick's, from before PNG had a chunk for it
// how comments of JPEG files begin that encoders write of themselves
const SIGNATURES = [
  "AppleMark", "Compressed by", "Created by OpenJPEG", "Created with GIMP", "CREATOR:",
  "File source:", "File written by", "Intel(R) JPEG Library", "Kakadu", "LEAD Technologies",
  "Lavc", "Optimized by", "Software:",
];

/**
 * @typedef {object} SourceFile
 * @property {Uint8Array} bare the file without its metadata
 * @property {Uint8Array} [icc]
 * @property {Uint8Array} [exif] a TIFF stream
 * @property {Uint8Array} [xmp]
 * @property {[string, string][]} text keywords and texts
 * @property {[number, number]} [density] dots an inch, across and down, as stored
 * @property {boolean} [isOpaque] whether a whole file of its kind has no opacity
 * @property {boolean} [isCut] whether its end is missing
 */

/**
 * @param {Uint8Array} file
 * @returns {Promise<SourceFile>} a file of any other kind as it is, with nothing beside it
 */
export async function readSourceFile(file) {
  if (file[0] === 0xff && file[1] === 0xd8) return readJpeg(file);
  if (ascii(file, 1, 3) === "PNG") return readPng(file);
  if (ascii(file, 0, 4) === "RIFF" && ascii(file, 8, 4) === "WEBP") return readWebp(file);
  return { bare: file, text: [] };
}

/**
 * @param {Uint8Array} file
 * @returns {SourceFile}
 */
function readJpeg(file) {
  /** @type {SourceFile} */
  const found = { bare: file, text: [], isOpaque: true };
  const kept = [file.subarray(0, 2)];
  /** @type {{number: number, data: Uint8Array}[]} */
  const profile = [];
  const profileSegments = [];
  /** @type {Uint8Array[]} */
  const exif = [];
  let comment = "";
  let hasDensity = false;
  let components = 3;
  let at = 2;
  while (at + 4 <= file.length && file[at] === 0xff) {
    const marker = file[at + 1];
    if (marker === 0xff) { // a fill byte
      at++;
      continue;
    }
    if (marker === 0xda) break; // the samples begin
    const end = at + 2 + u16(file, at + 2);
    const body = file.subarray(at + 4, end);
    const segment = file.subarray(at, end);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) components = body[5];
    if (marker === 0xe1) {
      if (ascii(body, 0, 6) === "Exif\0\0") exif.push(body.subarray(6)); // a long one goes on
      const key = "http://ns.adobe.com/xap/1.0/\0";
      if (ascii(body, 0, key.length) === key) found.xmp = body.slice(key.length);
    } else if (marker === 0xe2) {
      if (ascii(body, 0, 12) === "ICC_PROFILE\0") {
        profile.push({ number: body[12], data: body.subarray(14) });
        profileSegments.push(segment);
      }
    } else {
      if (marker === 0xe0 && ascii(body, 0, 5) === "JFIF\0" && [1, 2].includes(body[7])) {
        hasDensity = true;
        found.density = jfifDensity(body);
      }
      if (marker === 0xfe) comment = commentText(body);
      kept.push(segment);
    }
    at = end;
  }
  if (components === 4) {
    kept.splice(1, 0, ...profileSegments); // inks: the browser converts them through their profile
  } else if (profile.length) {
    profile.sort((a, b) => a.number - b.number);
    found.icc = joined(profile.map((part) => part.data));
  }
  if (exif.length) {
    found.exif = withoutPrefix(joined(exif));
    const dots = exifResolution(found.exif);
    if (!hasDensity) found.density = density(dots, dots);
  }
  const isSigned = SIGNATURES.some((start) => comment.startsWith(start));
  if (comment && !isSigned) found.text.push(["Comment", comment]);
  found.bare = joined([...kept, file.subarray(at)]);
  found.isCut = !hasEnd(file, at);
  return found;
}

/**
 * Whether a JPEG has the marker of its end, which no samples look like.
 * @param {Uint8Array} file
 * @param {number} at where its samples begin
 */
function hasEnd(file, at) {
  for (let i = file.indexOf(0xff, at); i >= 0; i = file.indexOf(0xff, i + 1)) {
    if (file[i + 1] === 0xd9) return true;
  }
  return false;
}

/** @param {Uint8Array} body of a JFIF segment that tells a density */
function jfifDensity(body) {
  const unit = body[7] === 2 ? 2.54 : 1; // dots a centimeter, dots an inch
  return density(u16(body, 8) * unit, u16(body, 10) * unit);
}

/**
 * @param {Uint8Array} file
 * @returns {Promise<SourceFile>}
 */
async function readPng(file) {
  /** @type {SourceFile} */
  const found = { bare: file, text: [] };
  /** @type {[string, Uint8Array][]} */
  const kept = [];
  /** @type {Uint8Array | undefined} */
  let textualExif;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 8; at + 12 <= file.length;) {
    const size = view.getUint32(at);
    const type = ascii(file, at + 4, 4);
    const body = file.subarray(at + 8, at + 8 + size);
    if (type === "iCCP") {
      const [, rest] = keyed(body);
      found.icc = (await decompressed(rest.subarray(1), "deflate", MOST)) ?? undefined;
    } else if (type === "eXIf") {
      found.exif = withoutPrefix(body);
    } else if (type === "pHYs" && body[8] === 1) {
      const pixels = new DataView(body.buffer, body.byteOffset, body.length);
      found.density = density(pixels.getUint32(0) * 0.0254, pixels.getUint32(4) * 0.0254);
    } else if (["tEXt", "zTXt", "iTXt"].includes(type)) {
      const [key, value] = await readText(type, body);
      if (key === XMP_KEY) found.xmp = value ?? undefined;
      else if (key === EXIF_KEY) textualExif = value ? rawProfile(value) : undefined;
      else if (value) found.text.push([key, type === "iTXt" ? utf8(value) : latin1(value)]);
    }
    kept.push([type, file.subarray(at, at + 12 + size)]);
    at += 12 + size;
  }
  found.exif ??= textualExif;
  const has = (/** @type {string[]} */ ...types) => kept.some(([type]) => types.includes(type));
  found.isOpaque = has("IHDR") && [0, 2, 3].includes(file[25]) && !has("tRNS", "acTL");
  if (has("cICP")) found.icc = undefined; // which counts before it (PNG, third edition, 4.3)
  // Where there is a profile it tells the colors alone; else the browser converts them to sRGB.
  const colors = found.icc ? ["iCCP", "gAMA", "cHRM", "sRGB"] : [];
  const dropped = ["eXIf", "tEXt", "zTXt", "iTXt", ...colors];
  const parts = kept.filter(([type]) => !dropped.includes(type)).map(([, bytes]) => bytes);
  found.bare = joined([file.subarray(0, 8), ...parts]);
  return found;
}

/**
 * @param {string} type of the chunk
 * @param {Uint8Array} body
 * @returns {Promise<[string, Uint8Array | null]>} null where the text is damaged
 */
async function readText(type, body) {
  const [key, rest] = keyed(body);
  if (type === "tEXt") return [key, rest];
  if (type === "zTXt") return [key, await decompressed(rest.subarray(1), "deflate", MOST)];
  const [, behindLanguage] = keyed(rest.subarray(2));
  const [, value] = keyed(behindLanguage);
  return [key, rest[0] ? await decompressed(value, "deflate", MOST) : value];
}

/**
 * @param {Uint8Array} file
 * @returns {SourceFile}
 */
function readWebp(file) {
  /** @type {SourceFile} */
  const found = { bare: file, text: [] };
  const kept = [];
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 12; at + 8 <= file.length;) {
    const type = ascii(file, at, 4);
    const size = view.getUint32(at + 4, true);
    const body = file.slice(at + 8, at + 8 + size);
    const end = Math.min(at + 8 + size + (size % 2), file.length);
    if (type === "ICCP") found.icc = body;
    else if (type === "EXIF") found.exif = withoutPrefix(body);
    else if (type === "XMP ") found.xmp = body;
    else kept.push(file.slice(at, end));
    if (type === "VP8X") kept[kept.length - 1][8] &= ~(0x20 | 0x08 | 0x04); // what is not there
    at = end;
  }
  found.bare = joined([file.slice(0, 12), ...kept]);
  new DataView(found.bare.buffer).setUint32(4, found.bare.length - 8, true);
  return found;
}

/**
 * Bytes behind their keyword and a zero.
 * @param {Uint8Array} body
 * @returns {[string, Uint8Array]}
 */
function keyed(body) {
  const end = body.indexOf(0);
  if (end < 0) return [latin1(body), body.subarray(body.length)];
  return [latin1(body.subarray(0, end)), body.subarray(end + 1)];
}

/**
 * @param {Uint8Array} text ImageMagick's: a line for the kind and one for the length, each behind a
 *   line's end, then lines of hexadecimal digits
 * @returns {Uint8Array | undefined} the EXIF that it spells
 */
function rawProfile(text) {
  const digits = latin1(text).split("\n").slice(3).join("");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return undefined;
  return withoutPrefix(Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    parseInt(digits.slice(2 * i, 2 * i + 2), 16)));
}

/**
 * @param {Uint8Array} exif
 * @returns {Uint8Array} a copy from the TIFF stream on; some programs write the prefix twice
 */
function withoutPrefix(exif) {
  let start = 0;
  while (ascii(exif, start, 6) === "Exif\0\0") start += 6;
  return exif.slice(start);
}

/**
 * @param {number} across
 * @param {number} down
 * @returns {[number, number] | undefined} undefined for a senseless one, for the 72 that stands
 *   where nobody has chosen, and for the 1 that means square pixels
 */
function density(across, down) {
  /** @type {[number, number]} */
  const values = [across, down];
  if (!isDensity(values)) return undefined;
  const isUnsaid = values.every((value) => Math.abs(value - 72) <= 0.5)
    || values.every((value) => value === 1);
  return isUnsaid ? undefined : values;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function u16(bytes, at) {
  return bytes[at] * 256 + bytes[at + 1];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} length
 */
function ascii(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** @param {Uint8Array} bytes */
function latin1(bytes) {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/**
 * A comment, whose file does not name its encoding: UTF-8, or else Latin-1, which takes any.
 * @param {Uint8Array} bytes
 */
function commentText(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return latin1(bytes);
  }
}

/** @param {Uint8Array} bytes */
function utf8(bytes) {
  return new TextDecoder().decode(bytes);
}
