/**
 * Stage 1 of the encoder: a source -> upright 8-bit RGBA, its opacity apart, whether it is gray,
 * and its metadata.
 */
import { LtpError } from "./errors.js";
import { exifOrientation, uprightExif } from "./exif.js";
import { fillHidden } from "./hidden_colors.js";
import { profileColors } from "./profile_number.js";
import { readSourceFile } from "./source_file.js";
import { straightPng } from "./straight_png.js";
import { straightWebp } from "./straight_webp.js";
import { uprightXmp, xmpOrientation } from "./xmp.js";

const MAX_SIDE = 65535; // pixels; what the header of an .ltp file can say
const CUT = "the file is cut off or damaged: no browser reads all of it";

/**
 * @typedef {object} Pixels
 * @property {number} width
 * @property {number} height
 * @property {Uint8ClampedArray | Uint8Array} data RGBA, not premultiplied
 *
 * @typedef {Pixels & {metadata?: import("./metadata_encoder.js").Metadata}} PixelSource
 *   metadata: of the upright picture
 *
 * @typedef {PixelSource | Blob | ImageBitmap | HTMLImageElement | HTMLCanvasElement |
 *   OffscreenCanvas} Source
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {Uint8ClampedArray | Uint8Array} rgba hidden colors are filled
 * @property {Uint8Array | null} alpha null where all is opaque
 * @property {boolean} isGray
 * @property {import("./metadata_encoder.js").Metadata} metadata
 */

/**
 * @param {Source} source
 * @returns {Promise<Picture>}
 */
export async function readPicture(source) {
  if (typeof Blob !== "undefined" && source instanceof Blob) return readFile(source);
  const isSized = Object(source) === source && "width" in source;
  if (isSized && "data" in source) {
    const { metadata = {} } = /** @type {PixelSource} */ (source);
    return assemble(/** @type {Pixels} */ (source), metadata, false);
  }
  if (!isSized || typeof OffscreenCanvas === "undefined") {
    throw new LtpError(
      "image",
      "the source is no picture that can be read here: give width, height and data of its pixels, "
        + "or in a browser a Blob, an image or a canvas",
    );
  }
  return assemble(drawn(/** @type {any} */ (source)), {}, true);
}

/**
 * A file that the browser decodes; what stands beside its pixels in JPEG, PNG and WebP is kept.
 * @param {Blob} file
 */
async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x4c && bytes[1] === 0x54 && bytes[2] === 0x50) {
    throw new LtpError("image", "the file is an .ltp file already");
  }
  if (typeof createImageBitmap !== "function") {
    throw new LtpError("image", "picture files are decoded by browsers alone: give pixels here");
  }
  const found = await readSourceFile(bytes);
  if (found.isCut) throw new LtpError("image", CUT); // where Firefox gives what there is
  const straight = (await straightPng(bytes, checkSize)) ?? straightWebp(bytes, checkSize);
  const stored = straight ?? (await byBrowser(found.bare, file.type));
  const orientation = (found.exif && exifOrientation(found.exif))
    || (found.xmp && xmpOrientation(found.xmp)) || 1;
  const upright = turned(stored, orientation);
  const density = found.density;
  const picture = assemble(upright, {
    icc: found.icc,
    exif: found.exif && uprightExif(found.exif, upright.width, upright.height),
    xmp: found.xmp && uprightXmp(found.xmp, upright.width, upright.height),
    text: found.text,
    density: density && orientation >= 5 ? [density[1], density[0]] : density,
  }, true);
  // as WebKit leaves what it cannot decode
  if (picture.alpha && found.isOpaque) throw new LtpError("image", CUT);
  return picture;
}

/**
 * @param {Uint8Array} file
 * @param {string} type its media type
 * @returns {Promise<Pixels>}
 */
async function byBrowser(file, type) {
  let bitmap;
  try {
    const blob = new Blob([/** @type {any} */ (file)], { type });
    bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none" });
  } catch {
    throw new LtpError("image", "the file is no picture that this browser can read");
  }
  return drawn(bitmap, true);
}

/**
 * The pixels of what a canvas can draw. What is done with is freed at once: three copies of a large
 * picture would be there otherwise.
 * @param {ImageBitmap | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas} image
 * @param {boolean} [isOwn] whether it may be closed
 * @returns {Pixels}
 */
function drawn(image, isOwn = false) {
  const isElement = "naturalWidth" in image;
  const width = isElement ? image.naturalWidth : image.width;
  const height = isElement ? image.naturalHeight : image.height;
  checkSize(width, height);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (!context) throw new LtpError("image", "the picture is too large for this browser's canvas");
  context.drawImage(image, 0, 0);
  if (isOwn) /** @type {ImageBitmap} */ (image).close();
  try {
    return context.getImageData(0, 0, width, height);
  } catch {
    throw new LtpError("image", "the picture's pixels cannot be read from this browser's canvas");
  } finally {
    canvas.width = 0;
  }
}

/**
 * @param {Pixels} pixels
 * @param {import("./metadata_encoder.js").Metadata} metadata
 * @param {boolean} isOwn whether the pixels may be changed
 * @returns {Picture}
 */
function assemble({ width, height, data }, metadata, isOwn) {
  checkSize(width, height);
  if (data.length !== 4 * width * height) {
    throw new LtpError(
      "image",
      `${width} x ${height} pixels in RGBA are ${4 * width * height} bytes, not ${data.length}`,
    );
  }
  const { alpha, hidesSome, isGray } = survey(data);
  const colors = metadata.icc ? profileColors(metadata.icc) : null;
  const fits = colors === "RGB" || (colors === "GRAY" && isGray);
  let rgba = data;
  if (hidesSome) {
    rgba = isOwn ? data : data.slice();
    fillHidden(rgba, width, height);
  }
  return {
    width,
    height,
    rgba,
    alpha,
    isGray: isGray && !(fits && colors === "RGB"),
    metadata: { ...metadata, icc: fits ? metadata.icc : null },
  };
}

/**
 * @param {Uint8ClampedArray | Uint8Array} rgba
 * @returns {{alpha: Uint8Array | null, hidesSome: boolean, isGray: boolean}} isGray: whether all
 *   pixels that are seen are
 */
function survey(rgba) {
  let least = 255;
  let isGray = true;
  for (let at = 0; at < rgba.length; at += 4) {
    if (rgba[at + 3] < least) least = rgba[at + 3];
    if (isGray && (rgba[at] !== rgba[at + 1] || rgba[at] !== rgba[at + 2])) {
      isGray = rgba[at + 3] === 0;
    }
  }
  const alpha = least === 255 ? null : new Uint8Array(rgba.length / 4);
  if (alpha) for (let i = 0; i < alpha.length; i++) alpha[i] = rgba[4 * i + 3];
  return { alpha, hidesSome: least === 0, isGray };
}

/**
 * @param {number} width
 * @param {number} height
 */
function checkSize(width, height) {
  const isSide = (/** @type {number} */ side) =>
    Number.isInteger(side) && side >= 1 && side <= MAX_SIDE;
  if (!isSide(width) || !isSide(height)) {
    throw new LtpError(
      "image",
      `${width} x ${height} pixels; each side must be 1 to ${MAX_SIDE} long`,
    );
  }
}

/**
 * @param {Pixels} stored
 * @param {number} orientation Exif's number, 1 to 8
 * @returns {Pixels} the upright picture
 */
export function turned({ width, height, data }, orientation) {
  if (orientation === 1) return { width, height, data };
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(from.length);
  const isTurned = orientation >= 5; // rows become columns
  const [across, down] = isTurned ? [height, width] : [width, height];
  const flipsX = [2, 3, 7, 8].includes(orientation); // of the stored columns
  const flipsY = [3, 4, 6, 7].includes(orientation); // of the stored rows
  for (let y = 0, at = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      let column = isTurned ? y : x;
      let row = isTurned ? x : y;
      if (flipsX) column = width - 1 - column;
      if (flipsY) row = height - 1 - row;
      to[at++] = from[row * width + column];
    }
  }
  return { width: across, height: down, data: new Uint8ClampedArray(to.buffer) };
}
