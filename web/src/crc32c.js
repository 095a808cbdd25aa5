/** The cyclic redundancy check of Castagnoli (RFC 3720, appendix B.4), eight bytes a step. */

const TABLES = Array.from({ length: 8 }, () => new Int32Array(256));
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  TABLES[0][i] = crc;
}
for (let t = 1; t < 8; t++) {
  for (let i = 0; i < 256; i++) {
    const crc = TABLES[t - 1][i];
    TABLES[t][i] = (crc >>> 8) ^ TABLES[0][crc & 0xff];
  }
}
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES;

/**
 * @param {Uint8Array} data
 * @returns {number} below 2^32
 */
export function crc32c(data) {
  let crc = -1;
  let i = 0;
  for (; i + 8 <= data.length; i += 8) {
    crc ^= data[i] | (data[i + 1] << 8) | (data[i + 2] << 16) | (data[i + 3] << 24);
    crc =
      T7[crc & 0xff] ^
      T6[(crc >>> 8) & 0xff] ^
      T5[(crc >>> 16) & 0xff] ^
      T4[crc >>> 24] ^
      T3[data[i + 4]] ^
      T2[data[i + 5]] ^
      T1[data[i + 6]] ^
      T0[data[i + 7]];
  }
  for (; i < data.length; i++) crc = T0[(crc ^ data[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * @param {Uint8Array} data
 * @param {number} at
 * @returns {number} the four little-endian bytes there
 */
export function readU32(data, at) {
  const low = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16);
  return (low | (data[at + 3] << 24)) >>> 0;
}

/**
 * @param {number} value below 2^32
 * @returns {number[]} its four bytes, little-endian
 */
export function u32Bytes(value) {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
