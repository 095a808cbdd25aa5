/** Files with a screen layer: what needs no decoder of AV1, what one gets, and what is refused. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { pack, TYPE, unpack } from "../src/container.js";
import { readLayer } from "../src/layer.js";
import { decode, LtpError, packageModels, readHeader } from "../src/node.js";
import { readPng } from "./helpers.js";

const FOLDER = fileURLToPath(new URL("../../tests/golden/screen_v1/", import.meta.url));
const models = packageModels();
const file = (name) => new Uint8Array(readFileSync(`${FOLDER}${name}.ltp`));

/** The largest difference between a decoded picture and the PNG of a golden file. */
function worst({ width, height, channels, pixels }, name, { within = () => true } = {}) {
  const expected = readPng(`${FOLDER}${name}.png`);
  const size = { width: expected.width, height: expected.height, channels: expected.channels };
  assert.deepEqual({ width, height, channels }, size);
  let most = 0;
  for (let i = 0; i < width * height; i++) {
    if (!within(i % width, Math.floor(i / width))) continue;
    for (let k = 0; k < channels; k++) {
      const isAlpha = channels % 2 === 0 && k === channels - 1;
      const got = pixels[4 * i + (isAlpha ? 3 : k)];
      most = Math.max(most, Math.abs(got - expected.data[channels * i + k]));
    }
  }
  return most;
}

for (const name of ["whole-color", "whole-webp", "whole-webp-gray", "color-piece"]) {
  test(`${name} decodes without help`, async () => {
    const rows = new Set();
    const decoded = await decode(file(name), {
      models,
      workers: 0,
      onRows: ({ first, count }) => rows.add(`${first} ${count}`),
    });
    assert.ok(worst(decoded, name) <= 1);
    assert.ok(rows.size >= 1);
  });
}

test("AV1 asks for a decoder, and says so", async () => {
  await assert.rejects(decode(file("whole-av1"), { models, workers: 0 }), (error) => {
    return error instanceof LtpError && error.kind === "image" && /decodeImage/.test(error.message);
  });
});

test("a layer is given up as a latent is", async () => {
  const options = { models, workers: 0 };
  const signal = AbortSignal.abort();
  await assert.rejects(decode(file("whole-webp"), { ...options, signal }), { name: "AbortError" });
  const controller = new AbortController();
  const { width, height } = readHeader(file("whole-av1"));
  const decodeImage = async () => {
    controller.abort();
    return { width, height, data: new Uint8Array(4 * width * height) };
  };
  const stopped = { ...options, signal: controller.signal, decodeImage };
  await assert.rejects(decode(file("whole-av1"), stopped), { name: "AbortError" });
});

test("AV1 comes from the decoder passed in, as an AVIF file of the piece's size", async () => {
  const expected = readPng(`${FOLDER}whole-av1.png`);
  const decodeImage = async (avif, type) => {
    assert.equal(type, "image/avif");
    assert.equal(Buffer.from(avif.subarray(4, 12)).toString(), "ftypavif");
    const { width, height } = expected;
    const data = new Uint8Array(4 * width * height);
    for (let i = 0; i < width * height; i++) {
      data.set([...expected.data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    }
    return { width, height, data };
  };
  const decoded = await decode(file("whole-av1"), { models, workers: 0, decodeImage });
  assert.equal(worst(decoded, "whole-av1"), 0);
});

test("the layer stands where the mask says, and the latent elsewhere", async () => {
  const decodeImage = async (avif) => {
    const at = Buffer.from(avif).indexOf("ispe") + 8;
    const [width, height] = [0, 4].map((i) => Buffer.from(avif).readUInt32BE(at + i));
    return { width, height, data: new Uint8Array(4 * width * height).fill(77) };
  };
  const decoded = await decode(file("photo-and-text"), { models, workers: 0, decodeImage });
  assert.ok(worst(decoded, "photo-and-text", { within: (x) => x < 64 }) <= 1);
  for (let i = 0; i < decoded.width * decoded.height; i++) {
    if (i % decoded.width >= 64) assert.equal(decoded.pixels[4 * i], 77);
  }
});

test("a decoder that fails says why", async () => {
  const cause = new Error("no AVIF in this build");
  const decodeImage = async () => { throw cause; };
  await assert.rejects(decode(file("whole-av1"), { models, workers: 0, decodeImage }), (error) => {
    return error.cause === cause && error.message.endsWith("or decodeImage reads no AVIF");
  });
});

test("a decoder that gives another size is not believed", async () => {
  const decodeImage = async () => ({ width: 3, height: 3, data: new Uint8Array(36) });
  await assert.rejects(decode(file("whole-av1"), { models, workers: 0, decodeImage }), LtpError);
});

test("damaged layers are refused before anything is decoded", () => {
  for (const name of ["photo-and-text", "holes", "two-tiles", "whole-av1", "whole-webp"]) {
    const { header, chunks } = unpack(file(name));
    const type = chunks.has(TYPE.screen) ? TYPE.screen : TYPE.screenWhole;
    const body = chunks.get(type);
    const read = (bytes) => readLayer(new Map([[type, bytes]]), header.width, header.height);
    assert.ok(read(body));
    for (const wrong of [
      body.subarray(0, 0),
      body.subarray(0, body.length - 1),
      Uint8Array.from([...body, 0]),
    ]) {
      assert.throws(() => read(wrong), LtpError, name);
    }
    assert.throws(() => readLayer(new Map([[type, body]]), header.width + 32, header.height));
  }
});

test("a file has a latent or a whole layer", () => {
  const fields = { spaceId: 1, modelHash: "d8af0931", width: 40, height: 40, quality: 5000 };
  const color = Uint8Array.of(1, 2, 3);
  for (const chunks of [
    [[TYPE.screen, color]],
    [
      [TYPE.masked, color],
      [TYPE.screenWhole, color],
    ],
  ]) {
    assert.throws(() => unpack(pack(fields, chunks)), /chunk table/);
  }
  assert.equal(unpack(pack(fields, [[TYPE.screenWhole, color]])).chunks.size, 1);
});

test("a restoration chunk is one byte, also beside a whole layer", () => {
  const fields = { spaceId: 1, modelHash: "d8af0931", width: 40, height: 40, quality: 5000 };
  const layer = [TYPE.screenWhole, Uint8Array.of(1, 2, 3)];
  const read = (body) => unpack(pack(fields, [layer, [TYPE.restoration, Uint8Array.from(body)]]));
  assert.equal(read([7]).chunks.size, 2);
  for (const body of [[], [1, 1]]) assert.throws(() => read(body), /restoration chunk/);
});
