/** The golden files decode to what they always were, and so they do in several workers. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, Decoder, nodeWorkers, packageModels, readHeader } from "../src/node.js";
import { Core, readFiles } from "../src/core.js";
import { unpack } from "../src/container.js";
import { BUILTIN, GOLDEN, golden, INDEX, readPng } from "./helpers.js";

const models = packageModels();

test("all golden files of the shipped model are there", () => {
  assert.equal(BUILTIN.length, 13);
});

for (const name of BUILTIN) {
  test(`${name} decodes within a level`, async () => {
    const { width, height, channels, pixels } = await decode(golden(name), { models, workers: 0 });
    const expected = readPng(`${GOLDEN}${name}.png`);
    const size = { width: expected.width, height: expected.height, channels: expected.channels };
    assert.deepEqual({ width, height, channels }, size);
    let worst = 0;
    for (let i = 0; i < width * height; i++) {
      for (let k = 0; k < channels; k++) {
        const isAlpha = channels % 2 === 0 && k === channels - 1;
        const got = pixels[4 * i + (isAlpha ? 3 : k)];
        worst = Math.max(worst, Math.abs(got - expected.data[channels * i + k]));
      }
    }
    assert.ok(worst <= 1, `a difference of ${worst} levels`);
  });
}

test("the symbols have the checksums of the index", async () => {
  const core = await Core.create(await readFiles(models));
  for (const name of BUILTIN) {
    const { header, chunks } = unpack(golden(name));
    const type = [2, 4, 5, 6].find((t) => chunks.has(t));
    const [rows, columns] = [header.height, header.width].map((side) => Math.ceil(side / 16));
    if (columns > 64) continue; // whose index tells of another segment's bytes
    const prior = core.hyperprior(Math.round(100 * header.quality), type);
    const { crc } = prior.decodeSegment(chunks.get(type), rows, columns);
    const stored = Buffer.alloc(4);
    stored.writeUInt32LE(crc);
    assert.equal(stored.toString("hex"), INDEX[name].symbols_crc32c, name);
  }
});

test("two workers give the same pixels, rows and progress", async () => {
  for (const name of ["continued", "segments", "q60"]) {
    const alone = await decode(golden(name), { models, workers: 0 });
    const decoder = new Decoder({ models, workers: nodeWorkers(2) });
    const progress = [];
    const painted = new Uint8Array(alone.pixels.length);
    const shared = await decoder.decode(golden(name), {
      onProgress: (fraction) => progress.push(fraction),
      onRows: ({ first, pixels }) => painted.set(pixels, 4 * first * alone.width),
    });
    assert.equal((await decoder.runners()).length, 2);
    await decoder.close();
    assert.deepEqual(shared.pixels, alone.pixels);
    assert.deepEqual(painted, new Uint8Array(alone.pixels));
    assert.equal(progress.at(-1), 1);
    assert.deepEqual(progress, [...progress].sort((a, b) => a - b));
  }
});

test("metadata comes back", async () => {
  const { metadata, header } = await decode(golden("metadata"), { models, workers: 0 });
  const text = (bytes) => Buffer.from(bytes).toString("latin1");
  assert.equal(text(metadata.xmp), "<x/>");
  assert.equal(text(metadata.icc), "not a real profile");
  assert.ok(text(metadata.exif).includes("golden"));
  assert.deepEqual(header, readHeader(golden("metadata")));
  assert.deepEqual(Object.keys(header.metadata).sort(), ["exif", "icc", "xmp"]);
});
