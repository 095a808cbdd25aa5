/** The parts that stand alone: numbers, checksums, the coder, and models. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";

import { pack, unpack } from "../src/container.js";
import { crc32c } from "../src/crc32c.js";
import { inflate, inflateZlib } from "../src/inflate.js";
import { decodeMetadata, readDensity, readTexts } from "../src/metadata.js";
import { embeddedModels, fetchModels, readVerified } from "../src/models.js";
import { packageModels } from "../src/node_models.js";
import { RansDecoder } from "../src/rans.js";
import { sha256 } from "../src/sha256.js";
import { readVarint, writeVarint } from "../src/varint.js";
import { encodeSteps, golden } from "./helpers.js";

const bytes = (...values) => Uint8Array.from(values);
const isFormatError = { name: "LtpError", kind: "format" };

test("CRC-32C of the nine digits", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(bytes()), 0);
});

test("numbers of 1 to 5 bytes", () => {
  for (const value of [0, 1, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28, 2 ** 31]) {
    const written = writeVarint(value);
    assert.deepEqual(readVarint(bytes(...written, 9), 0), [value, written.length]);
  }
  const most = [0xff, 0xff, 0xff, 0xff, 0x7f];
  const wrong = [[], [0x80], [0x80, 0], most, [0x81, 0x80, 0x80, 0x80, 8]];
  for (const data of wrong) assert.throws(() => readVarint(bytes(...data), 0), isFormatError);
});

test("a file is packed as it was", () => {
  const data = golden("metadata");
  const { header, chunks } = unpack(data);
  const quality = Math.round(100 * header.quality);
  assert.deepEqual(pack({ ...header, quality }, [...chunks]), data);
});

test("a metadata chunk without bytes counts as none", () => {
  const chunks = new Map([0x41, 0x42, 0x43].map((type) => [type, bytes()]));
  const { icc, exif, xmp } = decodeMetadata(chunks);
  assert.deepEqual([icc, exif, xmp], [null, null, null]);
});

test("the coder takes what was put there", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (const length of [0, 1, 2, 3, 5000]) {
    const steps = [];
    for (let i = 0; i < length; i++) {
      const count = 1 + Math.floor(2 ** 24 * random() ** 8 * 0.99);
      steps.push(Math.floor(random() * (2 ** 24 - count)), count);
    }
    const coder = new RansDecoder(encodeSteps(steps));
    for (let i = 0; i < steps.length; i += 2) {
      const offset = coder.low - steps[i];
      assert.ok(offset >= 0 && offset < steps[i + 1]);
      coder.step(steps[i], steps[i + 1]);
    }
    coder.end();
  }
  assert.throws(() => new RansDecoder(bytes(1, 0)), isFormatError);
  assert.throws(() => new RansDecoder(bytes(1)).end(), isFormatError);
});

test("SHA-256 is that of Node", () => {
  for (const size of [0, 1, 55, 56, 63, 64, 65, 1000]) {
    const data = new Uint8Array(randomBytes(size));
    assert.equal(
      Buffer.from(sha256(data)).toString("hex"),
      createHash("sha256").update(data).digest("hex"),
    );
  }
});

test("deflate streams of every kind of block, and damaged ones", () => {
  const noise = new Uint8Array(randomBytes(70000));
  const soft = Uint8Array.from({ length: 70000 }, (_, i) => (i * i) >> 9);
  for (const plain of [noise, soft, bytes(), bytes(7)]) {
    for (const level of [0, 1, 9]) {
      const packed = new Uint8Array(deflateRawSync(plain, { level }));
      assert.deepEqual(inflate(packed, plain.length), plain);
      assert.throws(() => inflate(bytes(...packed.subarray(0, 60), 0), plain.length));
      assert.throws(() => inflate(Uint8Array.from([...packed, 0]), plain.length));
      assert.throws(() => inflate(packed, plain.length + 1));
      if (plain.length) assert.throws(() => inflate(packed, plain.length - 1));
    }
    const packed = new Uint8Array(deflateSync(plain));
    assert.deepEqual(inflateZlib(packed, plain.length), plain);
    packed[packed.length - 1] ^= 1;
    assert.throws(() => inflateZlib(packed, plain.length));
  }
});

test("texts and densities", () => {
  const part = (text) => [...writeVarint(Buffer.from(text).length), ...Buffer.from(text)];
  const plain = bytes(...part("Title"), ...part("Grüße"), ...part("Author"), ...part(""));
  assert.deepEqual(readTexts(plain), [
    ["Title", "Grüße"],
    ["Author", ""],
  ]);
  const wrong = [
    [...part("Title")],
    [...part(" Title"), ...part("x")],
    [...part("Ti  tle"), ...part("x")],
    [...part(""), ...part("x")],
    [...part("Title"), ...part("a\0")],
    [...part("Title"), ...part("a"), ...part("Title"), ...part("b")],
    [...part("Title"), 2, 0xc3, 0x28],
    [...part("Title"), 9, 0x20],
  ];
  for (const data of wrong) assert.throws(() => readTexts(bytes(...data)), isFormatError);
  assert.deepEqual(readDensity(bytes(...writeVarint(300000))), [300, 300]);
  assert.deepEqual(readDensity(bytes(...writeVarint(300000), 1)), [300, 0.001]);
  for (const data of [[], [0], [1, 1], [1, 2, 3], writeVarint(1e9 + 1)]) {
    assert.throws(() => readDensity(bytes(...data)), isFormatError);
  }
});

test("altered models are refused, embedded ones read", async () => {
  const own = packageModels();
  const levels = new Uint8Array(await own.read("levels.npz"));
  const inside = embeddedModels(own.manifest, {
    "levels.npz": gzipSync(levels).toString("base64"),
    "features.onnx": levels,
    "tables.npz": levels,
  });
  assert.deepEqual(await readVerified(inside, "levels.npz"), levels);
  for (const name of ["features.onnx", "tables.npz", "context.onnx"]) {
    await assert.rejects(readVerified(inside, name), { name: "LtpError", kind: "model" });
  }
});

test("what cannot be loaded whole, or is no model, is told", async () => {
  const cut = new ReadableStream({ start: (stream) => stream.error(new TypeError("cut")) });
  const bad = gzipSync("weights").subarray(0, 12);
  const files = { "a/model.json": "{}", "a/cut": cut, "a/bad.gz": bad, "b/model.json": "<html>" };
  const fetch = async (url) => (url in files ? new Response(files[url]) : Response.error());
  const plain = await fetchModels("a", { fetch });
  const packed = await fetchModels("a", { fetch, packed: true });
  const told = (message) => ({ name: "LtpError", kind: "model", message });
  await assert.rejects(plain.read("cut"), told("the model's file cut cannot be loaded"));
  await assert.rejects(packed.read("bad"), told("the model's file bad is damaged"));
  await assert.rejects(fetchModels("b", { fetch }), told("the model's file model.json is damaged"));
  await assert.rejects(plain.read("none"), told("the model's file none cannot be loaded: 0"));
});
