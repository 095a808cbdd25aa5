/**
 * Header and chunks <-> the bytes of a file ("The container" of docs/formats/ltp.md).
 *
 * @typedef {{type: number, name: string, size: number, offset: number}} ChunkRow
 * @typedef {object} Header
 * @property {number} version of the format
 * @property {string} space name of the latent space
 * @property {number} spaceId its byte
 * @property {string} modelHash eight hexadecimal digits
 * @property {number} width in pixels
 * @property {number} height in pixels
 * @property {number} quality 0 to 100, in hundredths
 * @property {number} bpp bits of the whole file a pixel
 * @property {number} size bytes of the whole file
 * @property {ChunkRow[]} chunks in the order of the file
 * @property {Record<string, number>} metadata bytes of each kind of metadata that is there
 */

import { crc32c, readU32, u32Bytes } from "./crc32c.js";
import { formatError, LtpError } from "./errors.js";
import { readVarint, writeVarint } from "./varint.js";

export const SPACES = /** @type {Record<number, string>} */ ({
  1: "lp1",
  16: "sd15",
  17: "sdxl",
  18: "sd3",
  19: "flux1",
});
export const LATENT_TYPES = [1, 2, 3, 4, 5, 6];
export const TYPE = {
  rounded: 0x02,
  trellis: 0x04,
  masked: 0x05,
  continued: 0x06,
  alpha: 0x08,
  gray: 0x09,
  screen: 0x0a,
  screenWhole: 0x0b,
  icc: 0x41,
  exif: 0x42,
  xmp: 0x43,
  restoration: 0x44,
  iccNumber: 0x45,
  iccDeflated: 0x46,
  exifDeflated: 0x47,
  xmpDeflated: 0x48,
  text: 0x49,
  density: 0x4a,
};
const LP1_LATENTS = [TYPE.rounded, TYPE.trellis, TYPE.masked, TYPE.continued];
const NAMES = new Map([
  ...LATENT_TYPES.map((type) => /** @type {[number, string]} */ ([type, "latent"])),
  [TYPE.alpha, "alpha"],
  [TYPE.gray, "gray"],
  [TYPE.screen, "screen"],
  [TYPE.screenWhole, "screen"],
  [TYPE.icc, "icc"],
  [TYPE.exif, "exif"],
  [TYPE.xmp, "xmp"],
  [TYPE.restoration, "restoration"],
  [TYPE.iccNumber, "icc"],
  [TYPE.iccDeflated, "icc"],
  [TYPE.exifDeflated, "exif"],
  [TYPE.xmpDeflated, "xmp"],
  [TYPE.text, "text"],
  [TYPE.density, "dpi"],
]);
const METADATA = ["icc", "exif", "xmp", "text", "dpi"];
const FIXED = 15;
const VERSION = 1;
const MAX_CHUNKS = 16;
const TOP_QUALITY = 10000;
const LAST = 0x80;
const SKIPPABLE = 0x40;

/**
 * @param {Uint8Array} data
 * @param {number} at
 */
const u16 = (data, at) => data[at] | (data[at + 1] << 8);

/**
 * What a file says of itself; the checksum of the header is verified, those of the chunks are not.
 *
 * @param {Uint8Array} data the whole file
 * @returns {Header}
 */
export function parseHeader(data) {
  checkMagic(data);
  const rows = [];
  let at = FIXED;
  for (let last = false; !last; ) {
    if (at >= data.length || rows.length === MAX_CHUNKS) {
      throw formatError("the chunk table is cut off or too long");
    }
    const byte = data[at];
    const [size, next] = readVarint(data, at + 1);
    rows.push({ type: byte & ~LAST, size });
    last = byte >= LAST;
    at = next;
  }
  if (at + 4 > data.length || readU32(data, at) !== crc32c(data.subarray(0, at))) {
    throw formatError("the header is damaged: its checksum does not match");
  }
  const spaceId = data[4];
  const [width, height, quality] = [u16(data, 9), u16(data, 11), u16(data, 13)];
  if (!(spaceId in SPACES)) {
    throw formatError(
      `the file is in latent space ${spaceId}, which this version of latentpress does not know`,
    );
  }
  if (!width || !height || quality > TOP_QUALITY) {
    throw formatError("the header holds an impossible size or quality");
  }
  let offset = at + 4;
  const chunks = rows.map(({ type, size }) => {
    const row = { type, name: NAMES.get(type) ?? "unknown", size, offset };
    offset += size + 4;
    return row;
  });
  checkRows(chunks, SPACES[spaceId]);
  if (offset !== data.length) {
    throw formatError(
      offset > data.length ? "the file is cut off" : "bytes follow the end of the file",
    );
  }
  const metadata = chunks.filter((row) => METADATA.includes(row.name));
  return {
    version: VERSION,
    space: SPACES[spaceId],
    spaceId,
    modelHash: hex(data.subarray(5, 9)),
    width,
    height,
    quality: quality / 100,
    bpp: (8 * data.length) / (width * height),
    size: data.length,
    chunks,
    metadata: Object.fromEntries(metadata.map((row) => [row.name, row.size])),
  };
}

/**
 * @param {Uint8Array} data the whole file
 * @returns {{header: Header, chunks: Map<number, Uint8Array>}} bodies by their types, every
 *   checksum verified
 */
export function unpack(data) {
  const header = parseHeader(data);
  const chunks = new Map();
  for (const { type, name, size, offset } of header.chunks) {
    const body = data.subarray(offset, offset + size);
    if (readU32(data, offset + size) !== crc32c(body)) {
      throw formatError(`the ${name} chunk is damaged: its checksum does not match`);
    }
    chunks.set(type, body);
  }
  return { header, chunks };
}

/**
 * @param {{spaceId: number, modelHash: string, width: number, height: number, quality: number}}
 *   fields quality in hundredths
 * @param {[number, Uint8Array][]} chunks type and body, the latent among them
 * @returns {Uint8Array} the file
 */
export function pack({ spaceId, modelHash, width, height, quality }, chunks) {
  const head = [0x4c, 0x54, 0x50, VERSION, spaceId];
  for (let i = 0; i < 8; i += 2) head.push(parseInt(modelHash.slice(i, i + 2), 16));
  for (const value of [width, height, quality]) head.push(value & 0xff, value >> 8);
  chunks.forEach(([type, body], i) => {
    head.push(type | (i === chunks.length - 1 ? LAST : 0), ...writeVarint(body.length));
  });
  head.push(...u32Bytes(crc32c(Uint8Array.from(head))));
  const bodies = chunks.reduce((sum, [, body]) => sum + body.length + 4, 0);
  const out = new Uint8Array(head.length + bodies);
  out.set(head);
  let at = head.length;
  for (const [, body] of chunks) {
    out.set(body, at);
    out.set(u32Bytes(crc32c(body)), at + body.length);
    at += body.length + 4;
  }
  return out;
}

/** @param {Uint8Array} data */
function checkMagic(data) {
  const magic = [0x4c, 0x54, 0x50];
  if (!data.length) throw formatError("the file is empty");
  if (data.length >= 4 && data[3] === 0x53 && magic.every((byte, i) => data[i] === byte)) {
    throw formatError("a .ltps file of latents, which `latentpress latents info` reads");
  }
  if (magic.some((byte, i) => i < data.length && data[i] !== byte)) {
    throw formatError("not an .ltp file");
  }
  if (data.length < FIXED) throw formatError("the file is cut off within its header");
  if (data[3] !== VERSION) {
    const wrote = `written in version ${data[3]} of the format`;
    throw new LtpError("version", `${wrote}; this latentpress reads version ${VERSION}`);
  }
}

/**
 * @param {ChunkRow[]} chunks
 * @param {string} space
 */
function checkRows(chunks, space) {
  const types = chunks.map((row) => row.type);
  for (const { type, name } of chunks) {
    if (name === "unknown" && !(type & SKIPPABLE)) {
      throw formatError(
        `the file needs chunk type ${type}, which this version of latentpress does not know`,
      );
    }
  }
  const whole = [...LATENT_TYPES, TYPE.screenWhole];
  const wholes = types.filter((type) => whole.includes(type)).length;
  if (new Set(types).size < types.length || wholes !== 1) {
    throw formatError(
      "the chunk table must hold each type once, and one latent or a screen layer instead",
    );
  }
  const latent = types.find((type) => LATENT_TYPES.includes(type));
  if (latent && LP1_LATENTS.includes(latent) !== (space === "lp1")) {
    throw formatError(`latents of space ${space} are not coded this way`);
  }
  if (types.includes(TYPE.screen) && types.includes(TYPE.screenWhole)) {
    throw formatError("the chunk table holds two screen layers");
  }
  const metadata = chunks.map((row) => row.name).filter((name) => METADATA.includes(name));
  if (new Set(metadata).size < metadata.length) {
    throw formatError("the chunk table holds one kind of metadata in two ways of coding");
  }
  if (chunks.some((row) => row.type === TYPE.gray && row.size)) {
    throw formatError("the gray chunk holds bytes, and must be empty");
  }
  if (chunks.some((row) => row.type === TYPE.restoration && row.size !== 1)) {
    throw formatError("the restoration chunk must be one byte, the number of its weights");
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} two hexadecimal digits a byte
 */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
