/**
 * The number of the well-known ICC profile that gives the same colors as another ("Profiles by
 * number" of docs/formats/ltp.md). Source of the tags: ICC.1:2022.
 */

const HEADER = 128;
const MAX_BYTES = 2 ** 20; // a larger profile is no well-known one
const TABLES = ["A2B", "B2A", "D2B", "B2D"]; // whose colors depend on the intent
const TOLERANCE = 1; // levels of 8 bits
const GRID = 9; // levels a channel of the colors that are compared

/** @typedef {(value: number) => number} Curve from 0..1 to 0..1 */

/** @type {{to: Curve, from: Curve}} sample to light and back */
const SRGB = {
  to: (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4),
  from: (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055),
};
/**
 * @param {number} gamma
 * @returns {{to: Curve, from: Curve}}
 */
const power = (gamma) => ({ to: (v) => v ** gamma, from: (v) => v ** (1 / gamma) });
// Red, green and blue in the connection space, X Y Z each, in 1/65,536.
const KNOWN_RGB = [
  { number: 1, curve: SRGB, matrix: [28576, 14581, 912, 25239, 46983, 6361, 9375, 3972, 46788] },
  { number: 2, curve: SRGB, matrix: [33759, 15807, -69, 19135, 45366, 2745, 10296, 4363, 51385] },
  {
    number: 3,
    curve: power(563 / 256),
    matrix: [39960, 20389, 1276, 13453, 41004, 3989, 9777, 4143, 48796],
  },
];
const KNOWN_GRAY = [
  { number: 4, curve: power(2.2) },
  { number: 5, curve: SRGB },
];

/**
 * @param {Uint8Array} icc
 * @returns {"RGB" | "GRAY" | null} the colors of its pictures; null where it is no profile, or one
 *   for others
 */
export function profileColors(icc) {
  if (icc.length < HEADER + 4 || signature(icc, 36) !== "acsp") return null;
  const colors = signature(icc, 16).trim();
  return colors === "RGB" || colors === "GRAY" ? colors : null;
}

/**
 * @param {Uint8Array} icc
 * @returns {number | null} null where none gives the same colors
 */
export function profileNumber(icc) {
  const colors = profileColors(icc);
  if (!colors || icc.length > MAX_BYTES || signature(icc, 20) !== "XYZ ") return null;
  try {
    const tags = readTags(icc.slice()); // a tag beyond the end is then a RangeError
    if ([...tags.keys()].some((name) => TABLES.includes(name.slice(0, 3)))) return null;
    return colors === "RGB" ? rgbNumber(tags) : grayNumber(tags);
  } catch (error) {
    if (error instanceof RangeError) return null; // damaged
    throw error;
  }
}

/** @param {Map<string, DataView>} tags */
function rgbNumber(tags) {
  const curves = ["rTRC", "gTRC", "bTRC"].map((name) => readCurve(tag(tags, name)));
  const matrix = ["rXYZ", "gXYZ", "bXYZ"].flatMap((name) =>
    [8, 12, 16].map((at) => tag(tags, name).getInt32(at)));
  const levels = Array.from({ length: GRID }, (_, i) => Math.round((255 * i) / (GRID - 1)));
  const colors = Array.from({ length: 256 }, (_, v) => [v, v, v]);
  for (const r of levels) for (const g of levels) for (const b of levels) colors.push([r, g, b]);
  const seen = colors.map((color) => {
    const light = color.map((value, i) => curves[i](value / 255));
    return [0, 1, 2].map((k) => light.reduce((sum, l, i) => sum + l * matrix[3 * i + k], 0));
  });
  const found = KNOWN_RGB.find((known) => {
    const inverse = inverted(known.matrix);
    return colors.every((color, n) => color.every((value, i) => {
      const light = seen[n].reduce((sum, xyz, k) => sum + xyz * inverse[3 * k + i], 0);
      return isNear(known.curve.from(clipped(light)), value);
    }));
  });
  return found?.number ?? null;
}

/** @param {Map<string, DataView>} tags */
function grayNumber(tags) {
  const curve = readCurve(tag(tags, "kTRC"));
  const values = Array.from({ length: 256 }, (_, v) => v);
  const found = KNOWN_GRAY.find((known) =>
    values.every((value) => isNear(known.curve.from(clipped(curve(value / 255))), value)));
  return found?.number ?? null;
}

/**
 * @param {number} sample 0 to 1
 * @param {number} level 0 to 255
 */
function isNear(sample, level) {
  return Math.abs(Math.round(255 * sample) - level) <= TOLERANCE;
}

/** @param {number} value */
function clipped(value) {
  return Math.min(Math.max(value, 0), 1);
}

/**
 * @param {number[]} m a matrix of 3 x 3, row by row
 * @returns {number[]}
 */
function inverted([a, b, c, d, e, f, g, h, i]) {
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    e * i - f * h, c * h - b * i, b * f - c * e,
    f * g - d * i, a * i - c * g, c * d - a * f,
    d * h - e * g, b * g - a * h, a * e - b * d,
  ].map((value) => value / determinant);
}

/**
 * @param {Uint8Array} icc
 * @returns {Map<string, DataView>} RangeError where the table is cut off
 */
function readTags(icc) {
  const view = new DataView(icc.buffer, icc.byteOffset, icc.length);
  const tags = new Map();
  for (let i = 0; i < view.getUint32(HEADER); i++) {
    const at = HEADER + 4 + 12 * i;
    const start = view.getUint32(at + 4);
    const size = view.getUint32(at + 8);
    tags.set(signature(icc, at), new DataView(icc.buffer, icc.byteOffset + start, size));
  }
  return tags;
}

/**
 * @param {Map<string, DataView>} tags
 * @param {string} name
 */
function tag(tags, name) {
  const found = tags.get(name);
  if (!found) throw new RangeError(`the profile has no ${name}`);
  return found;
}

/**
 * @param {DataView} view a curveType or a parametricCurveType (ICC.1:2022, 10.6 and 10.18)
 * @returns {Curve} sample to light
 */
function readCurve(view) {
  const type = view.getUint32(0);
  if (type === 0x63757276) { // curv
    const count = view.getUint32(8);
    if (count === 0) return (v) => v;
    if (count === 1) return power(view.getUint16(12) / 256).to;
    const values = Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i) / 65535);
    return (v) => {
      const i = Math.min(Math.floor(v * (count - 1)), count - 2);
      const share = v * (count - 1) - i;
      return values[i] * (1 - share) + values[i + 1] * share;
    };
  }
  const lengths = [1, 3, 4, 5, 7];
  const kind = view.getUint16(8);
  if (type !== 0x70617261 || kind >= lengths.length) throw new RangeError("an unknown curve");
  const p = Array.from({ length: lengths[kind] }, (_, i) => view.getInt32(12 + 4 * i) / 65536);
  const [g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = p;
  if (kind === 0) return (v) => v ** g;
  if (kind === 1) return (v) => (v >= -b / a ? (a * v + b) ** g : 0);
  if (kind === 2) return (v) => (v >= -b / a ? (a * v + b) ** g + c : c);
  return (v) => (v >= d ? (a * v + b) ** g + e : c * v + f);
}

/**
 * @param {Uint8Array} icc
 * @param {number} at
 */
function signature(icc, at) {
  return String.fromCharCode(...icc.subarray(at, at + 4));
}
