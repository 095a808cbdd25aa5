/** That hostile blocks end in time, too. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { uprightExif } from "../src/exif.js";

const SECONDS = 5; // filling every range took half a minute

test("a thumbnail of very many strips, each the whole block, takes no time", () => {
  const strips = 500_000;
  const exif = new Uint8Array(44 + 8 * strips);
  const view = new DataView(exif.buffer);
  exif.set([0x49, 0x49, 42, 0, 8]); // an empty IFD at 8, the thumbnail's behind it
  view.setUint32(10, 14, true);
  view.setUint16(14, 2, true);
  [[0x0111, 44], [0x0117, 44 + 4 * strips]].forEach(([tag, place], i) => {
    view.setUint16(16 + 12 * i, tag, true);
    view.setUint16(18 + 12 * i, 4, true);
    view.setUint32(20 + 12 * i, strips, true);
    view.setUint32(24 + 12 * i, place, true);
  });
  for (let i = 0; i < strips; i++) view.setUint32(44 + 4 * (strips + i), exif.length, true);
  const start = performance.now();
  assert.equal(uprightExif(exif, 3, 2).length, 14);
  assert.ok(performance.now() - start < 1000 * SECONDS);
});
