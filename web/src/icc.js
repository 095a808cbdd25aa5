/** The ICC profiles that a file names by a number, made here (docs/formats/ltp.md; ICC.1:2022). */

const ONE = 65536; // of s15Fixed16Number
const HEADER = 128;
const D50 = [63190, 65536, 54061];
// Bradford's adaptation of D65 to D50.
const FROM_D65 = [68674, 1502, -3291, 1939, 64912, -1119, -606, 988, 49262];
const SRGB_CURVE = [3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];
// By number: its name, its curve (function and parameters), and red, green and blue, X Y Z each.
/** @type {Record<number, [string, number[], number[][] | null]>} */
const PROFILES = {
  1: [
    "sRGB",
    SRGB_CURVE,
    [
      [28576, 14581, 912],
      [25239, 46983, 6361],
      [9375, 3972, 46788],
    ],
  ],
  2: [
    "Display P3",
    SRGB_CURVE,
    [
      [33759, 15807, -69],
      [19135, 45366, 2745],
      [10296, 4363, 51385],
    ],
  ],
  3: [
    "compatible with Adobe RGB (1998)",
    [0, 563 / 256],
    [
      [39960, 20389, 1276],
      [13453, 41004, 3989],
      [9777, 4143, 48796],
    ],
  ],
  4: ["Gray, gamma 2.2", [0, 2.2], null],
  5: ["Gray, curve of sRGB", SRGB_CURVE, null],
};
const COPYRIGHT = "No copyright, use freely";

/**
 * @param {number} number
 * @returns {Uint8Array | null} null where the number is unknown
 */
export function knownProfile(number) {
  if (!(number in PROFILES)) return null;
  const [name, [curveType, ...parameters], colorants] = PROFILES[number];
  const fixed = parameters.map((p) => Math.round(p * ONE));
  const curve = [...ascii("para"), ...u32(0), ...u16(curveType), 0, 0, ...fixed.flatMap(u32)];
  /** @type {[string, number[]][]} */
  const tags = [
    ["desc", text(name)],
    ["cprt", text(COPYRIGHT)],
    ["wtpt", xyz(D50)],
    ["chad", [...ascii("sf32"), ...u32(0), ...FROM_D65.flatMap(u32)]],
  ];
  if (colorants) {
    ["rXYZ", "gXYZ", "bXYZ"].forEach((tag, i) => tags.push([tag, xyz(colorants[i])]));
    for (const tag of ["rTRC", "gTRC", "bTRC"]) tags.push([tag, curve]);
  } else {
    tags.push(["kTRC", curve]);
  }
  return pack(colorants ? "RGB " : "GRAY", tags);
}

/**
 * Header, tag table and bodies, equal ones once, at multiples of four.
 *
 * @param {string} space
 * @param {[string, number[]][]} tags
 */
function pack(space, tags) {
  const start = HEADER + 4 + 12 * tags.length;
  const table = [];
  /** @type {number[]} */
  const bodies = [];
  const places = new Map();
  for (const [tag, data] of tags) {
    const key = data.join();
    if (!places.has(key)) {
      places.set(key, start + bodies.length);
      bodies.push(...data, ...new Array(-data.length & 3).fill(0));
    }
    table.push(...ascii(tag), ...u32(places.get(key)), ...u32(data.length));
  }
  const date = [2026, 1, 1, 0, 0, 0].flatMap(u16);
  const header = [...u32(start + bodies.length), ...u32(0), ...u32(0x04300000), ...ascii("mntr")];
  header.push(...ascii(space), ...ascii("XYZ "), ...date, ...ascii("acsp"));
  header.push(...new Array(28).fill(0), ...D50.flatMap(u32));
  const out = new Uint8Array(start + bodies.length);
  out.set(header);
  out.set([...u32(tags.length), ...table, ...bodies], HEADER);
  return out;
}

/** @param {string} value */
const ascii = (value) => Array.from(value, (c) => c.charCodeAt(0));
/** @param {number} value */
const u32 = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
/** @param {number} value */
const u16 = (value) => [value >> 8, value & 255];
/** @param {number[]} values */
const xyz = (values) => [...ascii("XYZ "), ...u32(0), ...values.flatMap(u32)];

/**
 * @param {string} value
 * @returns {number[]} a multiLocalizedUnicodeType with one text
 */
function text(value) {
  const data = ascii(value).flatMap(u16);
  const head = [...ascii("mluc"), ...u32(0), ...u32(1), ...u32(12), ...ascii("enUS")];
  return [...head, ...u32(data.length), ...u32(28), ...data];
}
