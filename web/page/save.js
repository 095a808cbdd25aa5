// Files for the user: the bytes as they are, or the picture in another format.

import { png } from "./png.js";

const WEBP_QUALITY = 0.9;

/**
 * A name with another suffix; a dot at its start begins none.
 * @param {string} name
 * @param {string} suffix
 */
export const renamed = (name, suffix) => name.replace(/(.)\.[^.]*$/s, "$1") + suffix;

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * The picture as something that can be drawn, in the colors of its profile.
 * @param {any} result what decode gave
 * @returns {Promise<HTMLCanvasElement | HTMLImageElement>}
 */
export async function drawable(result) {
  if (result.metadata?.icc?.length) {
    // the browser reads the profile of an image, not that of a canvas
    const image = new Image();
    image.src = URL.createObjectURL(await png(result));
    try {
      await image.decode();
    } finally {
      image.dataset.url = image.src;
    }
    return image;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [result.width, result.height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.putImageData(new ImageData(result.pixels, result.width, result.height), 0, 0);
  return canvas;
}

/** @param {any} result @returns {Promise<Blob>} a WebP in sRGB, without metadata */
export async function webp(result) {
  const source = await drawable(result);
  let canvas = /** @type {HTMLCanvasElement} */ (source);
  if (source instanceof HTMLImageElement) {
    canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [result.width, result.height];
    canvas.getContext("2d")?.drawImage(source, 0, 0);
    URL.revokeObjectURL(source.src);
  }
  /** @type {Blob | null} */
  const blob = await new Promise((done) => canvas.toBlob(done, "image/webp", WEBP_QUALITY));
  if (blob?.type !== "image/webp") {
    const error = new Error("this browser writes no WebP, or none as large as this picture");
    throw Object.assign(error, { kind: "image" });
  }
  return blob;
}
