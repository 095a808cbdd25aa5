/** Metadata behind the browser's own deflate coder (docs/formats/ltp.md, Deflated bodies). */
import { writeVarint } from "./varint.js";

const MAX_PLAIN = 2 ** 26;

/**
 * @param {Uint8Array} bytes
 * @param {"deflate" | "deflate-raw"} format
 * @returns {Promise<Uint8Array>}
 */
export async function compressed(bytes, format) {
  const stream = streamOf(bytes).pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {Uint8Array} bytes
 * @param {"deflate" | "deflate-raw"} format
 * @param {number} most bytes of the result
 * @returns {Promise<Uint8Array | null>} null where they are damaged or too many
 */
export async function decompressed(bytes, format, most) {
  const stream = streamOf(bytes).pipeThrough(new DecompressionStream(format));
  const reader = stream.getReader();
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) {
        await reader.cancel();
        return null;
      }
      parts.push(value);
    }
  } catch {
    return null;
  }
  return joined(parts);
}

/** @param {Uint8Array} bytes */
function streamOf(bytes) {
  return new Blob([/** @type {any} */ (bytes)]).stream();
}

/**
 * @param {ArrayLike<number>[]} parts
 * @returns {Uint8Array}
 */
export function joined(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * The chunk of a kind of metadata that takes the fewest bytes.
 * @param {Uint8Array} plain
 * @param {number} plainType of the chunk that holds the bytes as they are
 * @param {number} deflatedType
 * @returns {Promise<[number, Uint8Array]>} type and body
 */
export async function smallestChunk(plain, plainType, deflatedType) {
  if (plain.length <= MAX_PLAIN) {
    const packed = await deflatedBody(plain);
    if (packed.length < plain.length) return [deflatedType, packed];
  }
  return [plainType, plain];
}

/**
 * @param {Uint8Array} plain
 * @returns {Promise<Uint8Array>} its length as LEB128, then the raw deflate stream
 */
export async function deflatedBody(plain) {
  return joined([writeVarint(plain.length), await compressed(plain, "deflate-raw")]);
}
