// What a file says of itself, and how it was made, as rows of names and values.

import { bpp, bytes, count, seconds } from "./words.js";

/** The short result below the picture. @param {any} item @returns {[string, string][]} */
export function summary(item) {
  const { header, bytes: data } = item;
  const rows = [
    ["Pixels", `${header.width} × ${header.height}`],
    ["Bytes", count(data.length)],
    ["Rate", bpp(data.length, header.width, header.height)],
    ["Quality", item.notice === "exact" ? "exact" : String(header.quality)],
  ];
  if (item.pressed) {
    rows.push(["Original", bytes(item.file.size)]);
    rows.push(["Pressed in", seconds(item.pressTime)]);
  }
  if (item.openTime) rows.push(["Opened in", seconds(item.openTime)]);
  return /** @type {[string, string][]} */ (rows);
}

/** Everything. @param {any} item @returns {[string, string][]} */
export function facts(item) {
  const { header, result } = item;
  const rows = [
    ["Name", item.ltpName],
    ["Size", `${count(item.bytes.length)} bytes`],
    ["Picture", `${header.width} × ${header.height} pixels, ${kind(result?.channels)}`],
    ["Rate", bpp(item.bytes.length, header.width, header.height)],
    ["Quality", String(header.quality)],
    ["Latent space", String(header.space)],
    ["Model", String(header.modelHash)],
    ["Chunks", header.chunks.map(chunk).join(", ")],
  ];
  const metadata = result?.metadata ?? {};
  const density = metadata.density ?? [];
  rows.push(["ICC profile", metadata.icc?.length ? bytes(metadata.icc.length) : "none: sRGB"]);
  if (metadata.exif?.length) rows.push(["EXIF", bytes(metadata.exif.length)]);
  if (metadata.xmp?.length) rows.push(["XMP", bytes(metadata.xmp.length)]);
  if (density.length) {
    rows.push(["Dots an inch", density.map((/** @type {number} */ n) => n.toFixed(1)).join(" × ")]);
  }
  for (const [keyword, value] of metadata.text ?? []) rows.push([keyword, value]);
  return /** @type {[string, string][]} */ (rows);
}

/** @param {{name: string, size: number}} row of the chunk table */
const chunk = ({ name, size }) => `${name} ${bytes(size)}`;

/** @param {number | undefined} channels */
function kind(channels) {
  return ["", "gray", "gray with opacity", "color", "color with opacity"][channels ?? 0] || "color";
}
