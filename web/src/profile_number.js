/**
 * The number of the well-known ICC profile that gives the same colors as another ("Profiles by
 * number" of docs/formats/ltp.md). Source of the tags: ICC.1:2022.
 */

import { knownProfile } from "./icc.js";

const HEADER = 128;
const MAX_BYTES = 2 ** 20; // a larger profile is no well-known one
const TABLES = ["A2B", "B2A", "D2B", "B2D"]; // whose colors depend on the intent
const TOLERANCE = 1; // levels of 8 bits
const GRID = 9; // levels a channel of the colors that are compared
const NUMBERS = { RGB: [1, 2, 3], GRAY: [4, 5] };
const HALVINGS = 20; // that find the sample of a light

/** @typedef {(value: number) => number} Curve from 0..1 to 0..1 */

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
    const model = readModel(tags, colors);
    const number = NUMBERS[colors].find((known) => {
      const profile = /** @type {Uint8Array} */ (knownProfile(known));
      return isAlike(model, readModel(readTags(profile), colors));
    });
    return number ?? null;
  } catch (error) {
    if (error instanceof RangeError) return null; // damaged
    throw error;
  }
}

/**
 * @param {Map<string, DataView>} tags
 * @param {"RGB" | "GRAY"} colors
 * @returns {{curves: Curve[], matrix: number[]}} sample to light, and light to the connection space
 *   but for a factor, row by row: of gray one curve and the number 1
 */
function readModel(tags, colors) {
  if (colors === "GRAY") return { curves: [readCurve(tag(tags, "kTRC"))], matrix: [1] };
  const columns = ["rXYZ", "gXYZ", "bXYZ"].map((name) =>
    [8, 12, 16].map((at) => tag(tags, name).getInt32(at)));
  return {
    curves: ["rTRC", "gTRC", "bTRC"].map((name) => readCurve(tag(tags, name))),
    matrix: [0, 1, 2].flatMap((row) => columns.map((column) => column[row])),
  };
}

/**
 * Whether samples that are read by one profile and written by another stay what they were.
 *
 * @param {{curves: Curve[], matrix: number[]}} one
 * @param {{curves: Curve[], matrix: number[]}} other
 */
function isAlike(one, other) {
  const isGray = other.matrix.length === 1;
  const inverse = isGray ? [1] : inverted(other.matrix);
  return (isGray ? grays(1) : [...grays(3), ...grid()]).every((color) => {
    const light = multiplied(inverse, multiplied(one.matrix, color.map((value, i) =>
      one.curves[i](value / 255))));
    return color.every((value, i) => {
      const sample = Math.round(255 * sampleOf(other.curves[i], light[i]));
      return Math.abs(sample - value) <= TOLERANCE;
    });
  });
}

/** @param {number} channels */
function grays(channels) {
  return Array.from({ length: 256 }, (_, value) => new Array(channels).fill(value));
}

function grid() {
  const levels = Array.from({ length: GRID }, (_, i) => Math.round((255 * i) / (GRID - 1)));
  return levels.flatMap((r) => levels.flatMap((g) => levels.map((b) => [r, g, b])));
}

/**
 * @param {Curve} curve rising
 * @param {number} light
 * @returns {number} the sample, 0 to 1
 */
function sampleOf(curve, light) {
  let [low, high] = [0, 1];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (curve(middle) < light) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * @param {number[]} matrix row by row
 * @param {number[]} vector
 */
function multiplied(matrix, vector) {
  const n = vector.length;
  return vector.map((_, row) =>
    vector.reduce((sum, value, i) => sum + matrix[n * row + i] * value, 0));
}

/**
 * @param {number[]} matrix of 3 x 3, row by row
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
    if (count === 1) return (v) => v ** (view.getUint16(12) / 256);
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
