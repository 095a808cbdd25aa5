/** What opacity costs, of a file of a few bytes that promises many pixels. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeGreenWebp, decodeWebp, webpFits } from "../src/webp.js";

const SIDE = 4000;

/** A lossless WebP of one color, whose green is 77: no pixel takes a bit. */
function oneColor() {
  const bits = [0, 0, 0, 1, 0, 1]; // no transform, no cache, no groups; one symbol of eight bits
  for (let i = 0; i < 8; i++) bits.push((77 >> i) & 1);
  for (let code = 0; code < 4; code++) bits.push(1, 0, 0, 0); // of red, blue, alpha, distances
  const body = new Uint8Array(30);
  body.set(new TextEncoder().encode("RIFF"));
  body.set(new TextEncoder().encode("WEBPVP8L"), 8);
  const view = new DataView(body.buffer);
  view.setUint32(4, 22, true);
  view.setUint32(16, 9, true);
  body[20] = 0x2f;
  view.setUint32(21, ((SIDE - 1) << 14) | (SIDE - 1), true);
  bits.forEach((bit, i) => (body[25 + (i >> 3)] |= bit << (i & 7)));
  return body;
}

test("the green of a WebP takes little time and memory beside its colors", () => {
  const body = oneColor();
  assert.ok(webpFits(body, SIDE, SIDE));
  const start = performance.now();
  decodeWebp(body, SIDE, SIDE);
  const colors = performance.now() - start;
  const green = decodeGreenWebp(body, SIDE, SIDE);
  const whole = performance.now() - start - colors;
  assert.equal(green.length, SIDE * SIDE);
  assert.ok(green.every((value) => value === 77));
  assert.ok(whole < 5 * colors + 200, `${whole} ms, of which the colors took ${colors}`);
});
