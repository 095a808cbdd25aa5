// Runs jobs of the browser's encoder in Node: a JSON list on standard input, a JSON list on
// standard output. A job {pixels, width, height, quality, maxBytes, metadata, out}: `pixels` is a
// file of RGBA bytes, `metadata` holds bytes as base64, `out` is the file that is written.
import { readFileSync, writeFileSync } from "node:fs";

import { encode, packageModels } from "../../web/src/node.js";

const models = packageModels();

async function runEncode({ pixels, width, height, quality, maxBytes, out, metadata }) {
  const data = new Uint8Array(readFileSync(pixels));
  const plain = metadata && Object.fromEntries(Object.entries(metadata).map(([name, value]) =>
    [name, typeof value === "string" ? new Uint8Array(Buffer.from(value, "base64")) : value]));
  const shares = [];
  const file = await encode({ width, height, data, metadata: plain }, {
    quality, maxBytes, models, content: "photo", onProgress: (share) => shares.push(share),
  });
  writeFileSync(out, file);
  return { bytes: file.length, shares };
}

const results = [];
for (const job of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    results.push(await runEncode(job));
  } catch (error) {
    results.push({ error: error.message, kind: error.kind, least: error.least });
  }
}
process.stdout.write(JSON.stringify(results));
