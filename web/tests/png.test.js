/** PNG files that the page writes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { png } from "../page/png.js";

test("a page in the background, whose timers are slow, draws its picture, too", async () => {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = () => assert.fail("a timer");
  const [width, height] = [3, 600];
  const pixels = new Uint8ClampedArray(4 * width * height);
  const file = await png({ width, height, channels: 3, pixels });
  globalThis.setTimeout = setTimeout;
  assert.equal(file.type, "image/png");
});
