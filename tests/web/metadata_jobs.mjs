// Reads what stands beside the pixels of picture files, as the browser's encoder does: a JSON list
// of {file, width, height} on standard input, a JSON list of what was found on standard output.
// width, height: of the upright picture.
import { readFileSync } from "node:fs";

import { exifOrientation, uprightExif } from "../../web/src/exif.js";
import { encodeMetadata } from "../../web/src/metadata_encoder.js";
import { readSourceFile } from "../../web/src/source_file.js";
import { uprightXmp, xmpOrientation } from "../../web/src/xmp.js";

const base64 = (bytes) => bytes && Buffer.from(bytes).toString("base64");

async function runMetadata({ file, width, height }) {
  const found = await readSourceFile(new Uint8Array(readFileSync(file)));
  const orientation = (found.exif && exifOrientation(found.exif))
    || (found.xmp && xmpOrientation(found.xmp)) || 1;
  const chunks = await encodeMetadata({ ...found, exif: null, xmp: null });
  return {
    orientation,
    bare: base64(found.bare),
    icc: base64(found.icc),
    exif: found.exif && base64(uprightExif(found.exif, width, height)),
    xmp: found.xmp && base64(uprightXmp(found.xmp, width, height)),
    density: found.density,
    text: found.text,
    chunks: chunks.map(([type, body]) => [type, base64(body)]),
  };
}

const jobs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await Promise.all(jobs.map(runMetadata))));
