/** Arrays of NumPy's .npz files, those kinds that the package ships. */

import { LtpError } from "./errors.js";
import { inflate } from "./inflate.js";

const END = 0x06054b50; // "PK\5\6", the end of a ZIP file's directory
/** @type {Record<string, any>} */
const KINDS = {
  "<i8": BigInt64Array,
  "<i4": Int32Array,
  "<u4": Uint32Array,
  "<i2": Int16Array,
  "<u2": Uint16Array,
  "|i1": Int8Array,
  "|u1": Uint8Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
};

/**
 * @param {Uint8Array} bytes of the file
 * @returns {Record<string, any>} flat typed arrays by their names; int64 as float64
 */
export function readNpz(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new LtpError("model", "an .npz file of the model is damaged");
  let at = view.getUint32(end + 16, true);
  /** @type {Record<string, any>} */
  const out = {};
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const packed = bytes.subarray(start, start + size);
    const plain = method === 8 ? inflate(packed, view.getUint32(at + 24, true)) : packed;
    out[name.replace(/\.npy$/, "")] = readNpy(plain);
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return out;
}

/**
 * @param {Uint8Array} data version 1 of the format
 * @returns {any} a flat typed array
 */
function readNpy(data) {
  const headerLength = data[8] | (data[9] << 8);
  const header = new TextDecoder().decode(data.subarray(10, 10 + headerLength));
  const kind = /'descr': '([^']+)'/.exec(header)?.[1] ?? "";
  if (!(kind in KINDS)) throw new LtpError("model", `an array of the model is of type ${kind}`);
  const values = new KINDS[kind](data.slice(10 + headerLength).buffer);
  return kind === "<i8" ? Float64Array.from(values, Number) : values;
}
