/**
 * The errors that this package throws on purpose.
 *
 * @typedef {"format" | "version" | "limit" | "model" | "image"} ErrorKind
 * format: the bytes are no valid file. version: a newer version of the format wrote it. limit: the
 * picture is larger than the reader takes. model: weights are missing, altered or not those that
 * the file needs. image: a picture cannot be read or written.
 */

/** One sentence for a person, and what kind of thing went wrong. */
export class LtpError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.name = "LtpError";
    /** @type {ErrorKind} */
    this.kind = kind;
  }
}

/**
 * @param {string} message
 * @returns {LtpError} of a file that breaks a rule of the format
 */
export function formatError(message) {
  return new LtpError("format", message);
}
