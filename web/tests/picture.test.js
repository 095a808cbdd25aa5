/** That what a browser could not decode is not taken for opacity. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readPicture } from "../src/picture.js";

/** A browser that leaves the last row clear, as WebKit does with files that are cut off. */
class Canvas {
  getContext() {
    const data = new Uint8ClampedArray(16).fill(255, 0, 8);
    return { drawImage() {}, getImageData: () => ({ width: 2, height: 2, data }) };
  }
}
Object.assign(globalThis, {
  createImageBitmap: async () => ({ width: 2, height: 2, close() {} }),
  OffscreenCanvas: Canvas,
});

const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 7, 7, 0xff, 0xd9);
const PNG = Uint8Array.of(
  0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 2, 0, 0, 0,
  2, 8, 2, 0, 0, 0, 0, 0, 0, 0,
);

for (const [name, file] of Object.entries({ JPEG, PNG })) {
  test(`a ${name} file that is left clear is refused`, async () => {
    await assert.rejects(readPicture(new Blob([file])), /cut off or damaged/);
  });
}

test("a JPEG whose end is missing is refused, whatever the browser makes of it", async () => {
  const { getContext } = Canvas.prototype;
  const data = new Uint8ClampedArray(16).fill(255);
  const getImageData = () => ({ width: 2, height: 2, data });
  Canvas.prototype.getContext = () => ({ drawImage() {}, getImageData });
  assert.equal((await readPicture(new Blob([JPEG]))).alpha, null);
  const stuffed = Uint8Array.of(...JPEG.subarray(0, -2), 0xff, 0, 0xff, 0xd0, 0xd9);
  for (const file of [JPEG.subarray(0, -1), stuffed]) {
    await assert.rejects(readPicture(new Blob([file])), /cut off or damaged/);
  }
  Canvas.prototype.getContext = getContext;
});

test("a file whose kind may have opacity keeps it", async () => {
  const gif = new Blob([Uint8Array.of(0x47, 0x49, 0x46, 0x38)]);
  assert.ok((await readPicture(gif)).alpha);
});
