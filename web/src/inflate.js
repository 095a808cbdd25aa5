/** Deflate streams by the platform's own DecompressionStream, with a limit on what comes out. */

/**
 * @param {Uint8Array} data
 * @param {number} size of the plain bytes
 * @param {"deflate-raw" | "deflate" | "gzip"} [form]
 * @returns {Promise<Uint8Array>} exactly `size` bytes; the promise is rejected where the stream is
 *   damaged, cut off, followed by bytes, or of another length. Never more than a little above
 *   `size` bytes are made.
 */
export async function inflateRaw(data, size, form = "deflate-raw") {
  const stream = new DecompressionStream(form);
  const writer = stream.writable.getWriter();
  // Errors of the writer come again from the reader, where they are awaited.
  writer.write(/** @type {any} */ (data)).catch(() => {});
  writer.close().catch(() => {});
  const out = new Uint8Array(size);
  const reader = stream.readable.getReader();
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > size) {
      reader.cancel().catch(() => {});
      throw new RangeError("more bytes than promised");
    }
    out.set(value, filled);
    filled += value.length;
  }
  if (filled !== size) throw new RangeError("fewer bytes than promised");
  return out;
}
