/** Pictures in boxes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { boxesOf, wholeBox } from "../src/boxes.js";
import { Core, readFiles } from "../src/core.js";
import { packageModels } from "../src/node.js";
import { rowOf } from "../src/strips.js";
import { FACTOR } from "../src/synthesis.js";

test("boxes hold every position once, and keep all threads busy", () => {
  for (const [width, height, threads, count] of [
    [768, 512, 1, 1],
    [768, 512, 2, 2],
    [2560, 64, 2, 1], // too low for two bands
    [4000, 3000, 2, 2],
    [6000, 4000, 2, 6],
    [6000, 4000, 3, 3],
    [3000, 4000, 4, 4],
    [5, 65535, 4, 4],
  ]) {
    const [rows, columns] = [height, width].map((side) => Math.ceil(side / FACTOR));
    const seen = new Uint8Array(rows * columns);
    const boxes = boxesOf({ width, height }, threads);
    assert.equal(boxes.length, count, `${width} x ${height} for ${threads} threads`);
    for (const { top, left, down, across } of boxes) {
      for (let y = down[0]; y < down[1]; y++) {
        for (let x = across[0]; x < across[1]; x++) seen[(top + y) * columns + left + x]++;
      }
    }
    assert.ok(seen.every((times) => times === 1));
  }
});

test("pixels depend on the boxes by rounding alone", async () => {
  const core = await Core.create(await readFiles(packageModels()));
  const size = { width: 16 * 163 - 5, height: 16 * 17 - 3 };
  const value = (y, x, c) => ((y * 7919 + x * 104729 + c * 1299709) % 65) / 16 - 2;
  const paint = (boxes) => {
    const pixels = new Uint8Array(4 * size.width * size.height);
    for (const { top, left, rows, columns, down, across, strips } of boxes) {
      for (let y = 0; y < rows; y++) {
        const row = rowOf(strips, columns, y);
        row.forEach((_, i) => {
          row[i] = value(top + y, left + Math.floor(i / 320), i % 320);
        });
      }
      const wanted = {
        left: FACTOR * across[0],
        right: Math.min(size.width - FACTOR * left, FACTOR * across[1]),
        first: FACTOR * down[0],
        end: Math.min(size.height - FACTOR * top, FACTOR * down[1]),
      };
      const emit = (y, rgba) => {
        const to = (FACTOR * top + y) * size.width + FACTOR * left + wanted.left;
        pixels.set(rgba, 4 * to);
      };
      for (const _ of core.synthesis.run(strips, rows, columns, wanted, emit));
    }
    return pixels;
  };
  const [whole, cut] = [[wholeBox(size)], boxesOf(size, 4)];
  assert.equal(cut.length, 4);
  const [a, b] = [paint(cut), paint(whole)];
  const apart = a.map((sample, i) => Math.abs(sample - b[i]));
  assert.ok(apart.every((difference) => difference <= 1));
  assert.ok(apart.filter((difference) => difference).length < a.length / 1000);
});
