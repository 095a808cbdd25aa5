// Parts of the encoder, each against a slow way of doing the same.
import assert from "node:assert/strict";
import test from "node:test";

import { encodeAlpha } from "../src/alpha_encoder.js";
import { bracket, firstAtLeast, TOP_STEP } from "../src/bracket.js";
import { fillHidden } from "../src/hidden_colors.js";
import { decode, encode, packageModels, readHeader } from "../src/node.js";
import { turned } from "../src/picture.js";
import { RansDecoder } from "../src/rans.js";
import { RansEncoder } from "../src/rans_encoder.js";
import { fileWithin } from "../src/size_target.js";
import { NEXT } from "../src/trellis.js";
import { quantizeLanes } from "../src/viterbi.js";

/** Numbers from 0 to 1, the same every time. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("a decoder takes the symbols that were noted", () => {
  const next = random(1);
  for (const length of [0, 1, 2, 5, 5000]) {
    const symbols = Array.from({ length }, () => {
      const count = Math.max(1, Math.floor(2 ** (24 * next())));
      return [Math.floor(next() * (2 ** 24 - count)), count];
    });
    const encoder = new RansEncoder(4);
    for (const [start, count] of symbols) encoder.note(start, count);
    encoder.noteEscaped(-32767);
    const decoder = new RansDecoder(encoder.finish());
    for (const [start, count] of symbols) {
      assert.ok(decoder.low >= start && decoder.low < start + count);
      decoder.step(start, count);
    }
    assert.equal(decoder.take16(), 1);
    decoder.end();
  }
});

test("the stream of no symbols is empty", () => {
  assert.equal(new RansEncoder().finish().length, 0);
});

test("a path is the best of all paths", () => {
  const next = random(2);
  const bits = [3, 1].map((first) => Float32Array.from({ length: 251 }, (_, k) => first + 1.5 * k));
  for (let trial = 0; trial < 12; trial++) {
    const values = Float32Array.from({ length: 5 }, () => 5 * next() - 2.5);
    const symbols = new Int32Array(5);
    quantizeLanes(values, new Uint8Array(5), 1, (quantizer) => bits[quantizer], symbols);
    const best = search(values, bits);
    assert.ok(Math.abs(cost(values, symbols, bits) - best) < 1e-4, `${values} ${symbols}`);
  }
});

/** The error and bits of symbols along their path. */
function cost(values, symbols, bits) {
  let state = 0;
  let sum = 0;
  symbols.forEach((symbol, i) => {
    const odd = state & 1;
    sum += 20 * (values[i] - symbol + (odd * Math.sign(symbol)) / 2) ** 2;
    sum += bits[odd][Math.abs(symbol)];
    state = NEXT[2 * state + (symbol & 1)];
  });
  return sum;
}

/** The least cost of all symbols from -4 to 4. */
function search(values, bits) {
  let least = Infinity;
  for (let n = 0; n < 9 ** 5; n++) {
    const symbols = Array.from({ length: 5 }, (_, i) => (Math.floor(n / 9 ** i) % 9) - 4);
    least = Math.min(least, cost(values, symbols, bits));
  }
  return least;
}

test("lanes do not know of each other", () => {
  const next = random(3);
  const bits = Float32Array.from({ length: 251 }, (_, k) => 1 + k);
  const values = Float32Array.from({ length: 10 }, () => 6 * next() - 3);
  const together = new Int32Array(10);
  quantizeLanes(values, new Uint8Array(10), 2, () => bits, together);
  for (const lane of [0, 1]) {
    const own = values.filter((_, i) => i % 2 === lane);
    const alone = new Int32Array(5);
    quantizeLanes(own, new Uint8Array(5), 1, () => bits, alone);
    assert.deepEqual(alone, together.filter((_, i) => i % 2 === lane));
  }
});

test("values beyond all tables are kept within the range of symbols", () => {
  const symbols = new Int32Array(2);
  const bits = new Float32Array(251);
  quantizeLanes(Float32Array.of(1e9, -1e9), new Uint8Array(2), 1, () => bits, symbols);
  assert.ok(Math.abs(symbols[0]) <= 32767 && Math.abs(symbols[1]) <= 32767);
});

test("a bracket closes around the step where a function passes 0", async () => {
  const axis = Float64Array.from({ length: TOP_STEP + 1 }, (_, i) => i / 1000);
  const options = { start: 5000, axis, slope: 1, aim: () => 0, done: (a, b) => b - a <= 1 };
  for (const zero of [0.5, 1234.5, 9998.5]) {
    const gap = async (step) => (step - zero) / 900;
    assert.deepEqual(await bracket(gap, options), [Math.floor(zero), Math.ceil(zero)]);
  }
  assert.deepEqual(await bracket(async () => 1, options), [-1, 0]);
  assert.deepEqual(await bracket(async () => -1, options), [TOP_STEP, TOP_STEP + 1]);
});

test("values that go up and down lead no secant out of the bracket", async () => {
  const axis = Float64Array.from({ length: TOP_STEP + 1 }, (_, i) => i / 4000);
  const done = (low, high) => high - low <= 1;
  for (let zero = 500; zero < TOP_STEP - 500; zero += 3) {
    const gap = async (step) => axis[step] - axis[zero] + 0.04 * Math.sin(step * step);
    const options = { start: zero + 900, axis, slope: 1, aim: () => -0.005, done };
    const [low] = await bracket(gap, options);
    assert.ok(Math.abs(low - zero) < 400, `${low} for ${zero}`);
  }
});

test("the first number that is not below another", () => {
  const rising = Float64Array.of(1, 2, 2, 5);
  assert.deepEqual([0, 1, 2, 3, 9].map((v) => firstAtLeast(rising, v)), [0, 0, 1, 3, 4]);
});

test("a size is held, and few files are written for it", async () => {
  const next = random(4);
  const noise = Array.from({ length: TOP_STEP + 1 }, () => Math.floor(8 * next()));
  const size = (step) => 60 + Math.round(300 * Math.exp(step / 2500)) + noise[step];
  const estimate = Float64Array.from({ length: TOP_STEP + 1 }, (_, i) => 5.5 + i / 2200);
  for (const limit of [380, 1000, 5000, 12000]) {
    const tried = [];
    const write = async (step) => {
      tried.push(step);
      return new Uint8Array(size(step));
    };
    const { file, fits } = await fileWithin(write, limit, 60, estimate);
    assert.ok(fits && file.length <= limit);
    assert.ok(file.length > 0.97 * limit, `${file.length} of ${limit}`);
    assert.ok(tried.length <= 14);
  }
  const { file, fits } = await fileWithin(async (s) => new Uint8Array(size(s)), 50, 60, estimate);
  assert.ok(!fits && file.length === size(0));
});

test("Exif's eight orientations", () => {
  // a picture of 2 x 3 pixels whose numbers, when upright, are 1 2 / 3 4 / 5 6
  const stored = {
    1: [2, [1, 2, 3, 4, 5, 6]],
    2: [2, [2, 1, 4, 3, 6, 5]],
    3: [2, [6, 5, 4, 3, 2, 1]],
    4: [2, [5, 6, 3, 4, 1, 2]],
    5: [3, [1, 3, 5, 2, 4, 6]],
    6: [3, [2, 4, 6, 1, 3, 5]],
    7: [3, [6, 4, 2, 5, 3, 1]],
    8: [3, [5, 3, 1, 6, 4, 2]],
  };
  for (const [orientation, [width, numbers]] of Object.entries(stored)) {
    const data = new Uint8Array(Uint32Array.from(numbers).buffer);
    const upright = turned({ width, height: 6 / width, data }, Number(orientation));
    assert.deepEqual([upright.width, upright.height], [2, 3]);
    const found = new Uint32Array(upright.data.slice().buffer);
    assert.deepEqual([...found], [1, 2, 3, 4, 5, 6], orientation);
  }
});

test("opacity that is constant is one byte", async () => {
  assert.deepEqual(await encodeAlpha(new Uint8Array(6).fill(9), 3, 2), Uint8Array.of(9));
});

test("hidden colors follow from those beside them", () => {
  const rgba = new Uint8Array(4 * 32 * 32);
  for (let i = 0; i < 32 * 32; i++) {
    const isSeen = i % 32 < 16;
    rgba.set(isSeen ? [200, 40, 10, 255] : [0, 255, 0, 0], 4 * i);
  }
  fillHidden(rgba, 32, 32);
  for (let i = 0; i < 32 * 32; i++) {
    assert.deepEqual([...rgba.subarray(4 * i, 4 * i + 3)], [200, 40, 10]);
  }
});

test("where nothing is seen, hidden colors are neutral", () => {
  const rgba = new Uint8Array(4 * 5).fill(0);
  fillHidden(rgba, 5, 1);
  assert.deepEqual([...rgba.subarray(0, 4)], [128, 128, 128, 0]);
});

test("an encoding can be given up, and the next one is not hurt", async () => {
  const models = packageModels();
  const [width, height] = [320, 400];
  const data = Uint8Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : i));
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("given up"));
  const options = { quality: 30, models };
  const { signal } = controller;
  const given = encode({ width, height, data }, { ...options, signal, onProgress });
  const kept = encode({ width, height, data }, options);
  await assert.rejects(given, /given up/);
  const { width: columns, quality } = readHeader(await kept);
  assert.deepEqual([columns, quality], [width, 30]);
  const again = await encode({ width, height, data }, options);
  assert.deepEqual(again, await kept);
});

test("a senseless density is not kept, which no reader would take", async () => {
  const white = { width: 2, height: 1, data: new Uint8Array(8).fill(255) };
  const models = packageModels();
  const read = async (density) => {
    const file = await encode({ ...white, metadata: { density } }, { models });
    return (await decode(file, { models })).metadata.density;
  };
  assert.deepEqual(await read([0.001, 1e6]), [0.001, 1e6]);
  for (const value of [0, -3, 0.0009, NaN, 1.1e6, Infinity]) {
    assert.equal(await read([value, value]), null);
    assert.equal(await read([96, value]), null);
  }
});

test("what is no picture, and a content that the package has not, are refused", async () => {
  for (const source of [null, "photo.jpg", Buffer.from("\xff\xd8\xff"), { width: 2, height: 2 }]) {
    const message = /no picture that can be read here: give width, height and data/;
    await assert.rejects(encode(source), { name: "LtpError", kind: "image", message });
  }
  const dot = { width: 1, height: 1, data: new Uint8Array(4) };
  await assert.rejects(encode(dot, { content: "screen" }), { name: "RangeError", message: /screen/ });
});
