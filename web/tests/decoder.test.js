/** Limits, refusals and interruptions. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { pack, unpack } from "../src/container.js";
import { decode, Decoder, latent, nodeWorkers, packageModels } from "../src/node.js";
import { golden } from "./helpers.js";

const models = packageModels();
const options = { models, workers: 0 };

/** The file with other fields or chunks, its checksums right. */
function altered(data, fields, change = (chunks) => chunks) {
  const { header, chunks } = unpack(data);
  const quality = Math.round(100 * header.quality);
  return pack({ ...header, quality, ...fields }, change([...chunks]));
}

test("a picture above the limit is refused before anything is allocated", async () => {
  const huge = altered(golden("q20"), { width: 65535, height: 65535 });
  await assert.rejects(decode(huge, options), { kind: "limit", message: /65535 x 65535 pixels/ });
  await assert.rejects(decode(golden("q20"), { ...options, maxPixels: 160 * 120 - 1 }), {
    kind: "limit",
  });
  await decode(golden("pixel"), { ...options, maxPixels: 1 });
});

test("each kind of bad file has its own kind of error", async () => {
  const file = golden("q20");
  const later = file.slice();
  later[3] = 2;
  const cases = [
    [new Uint8Array(), "format", /empty/],
    [new TextEncoder().encode("GIF89a and more"), "format", /not an \.ltp file/],
    [file.subarray(0, 9), "format", /cut off/],
    [later, "version", /version 2/],
    [altered(file, { modelHash: "deadbeef" }), "model", /deadbeef/],
    [golden("sd15"), "model", /sd15/],
    [altered(file, { spaceId: 16 }), "format", /not coded this way/],
    [altered(file, {}, (chunks) => [...chunks, [0x44, Uint8Array.of(1, 2)]]), "format", /restor/],
    [altered(file, {}, (chunks) => [...chunks, [0x45, Uint8Array.of(9)]]), "version", /profile/],
    [altered(file, {}, (chunks) => [...chunks, [0x08, Uint8Array.of(1, 2)]]), "format", /alpha/],
    [altered(file, { width: 900, height: 100 }), "format", /./],
  ];
  for (const [data, kind, message] of cases) {
    await assert.rejects(decode(data, options), { name: "LtpError", kind, message });
  }
});

test("unknown chunks that may be skipped are skipped", async () => {
  const more = altered(golden("q20"), {}, (chunks) => [...chunks, [0x7f, Uint8Array.of(1)]]);
  const [plain, other] = [await decode(golden("q20"), options), await decode(more, options)];
  assert.deepEqual(other.pixels, plain.pixels);
});

test("an aborted decoding stops, and the next one works", async () => {
  for (const workers of [undefined, nodeWorkers(1)]) {
    const decoder = new Decoder({ models, workers });
    const controller = new AbortController();
    const stopped = decoder.decode(golden("segments"), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await assert.rejects(stopped, { name: "AbortError" });
    assert.equal((await decoder.decode(golden("q20"))).width, 160);
    await decoder.close();
  }
});

test("a thread that ends by itself is told, and the next picture gets another", async () => {
  const { count, create } = nodeWorkers(2);
  const ports = [];
  const counted = () => ports[ports.push(create()) - 1];
  const decoder = new Decoder({ models: packageModels(), workers: { count, create: counted } });
  const bytes = golden("segments");
  const { pixels } = await decoder.decode(bytes);
  const failing = decoder.decode(bytes, { onProgress: () => ports[0].terminate() });
  await assert.rejects(failing, /ended|closed/);
  assert.deepEqual((await decoder.decode(bytes)).pixels, pixels);
  ports[2].terminate(); // between two pictures
  while (decoder.opened) await new Promise((go) => setTimeout(go, 10));
  assert.deepEqual((await decoder.decode(bytes)).pixels, pixels);
  await decoder.close();
});

test("threads of which one fails are ended, and the one that calls does the work", async () => {
  const { create } = nodeWorkers(1);
  const none = () => {
    throw new Error("no more threads");
  };
  const dying = () => {
    const port = create();
    port.terminate();
    return port;
  };
  for (const second of [none, dying]) {
    const ended = [];
    const created = () => {
      const port = ended.length === 1 ? second() : create();
      const place = ended.push(false) - 1;
      const { terminate } = port;
      port.terminate = () => {
        ended[place] = true;
        terminate();
      };
      return port;
    };
    const decoder = new Decoder({ models, workers: { count: 3, create: created } });
    assert.equal((await decoder.decode(golden("q20"))).width, 160);
    assert.equal((await decoder.runners()).length, 1);
    assert.ok(ended.length && ended.every(Boolean));
  }
});

test("what is given up while the model is loaded is not begun", async () => {
  const asked = [];
  const create = () => {
    const port = nodeWorkers(1).create();
    const { postMessage } = port;
    port.postMessage = (message) => {
      asked.push(...Object.keys(message));
      postMessage(message);
    };
    return port;
  };
  const decoder = new Decoder({ models, workers: { count: 2, create } });
  for (const task of ["decode", "latent"]) {
    const controller = new AbortController();
    const given = decoder[task](golden("segments"), { signal: controller.signal });
    controller.abort();
    await assert.rejects(given, { name: "AbortError" });
  }
  await decoder.close();
  assert.deepEqual(new Set(asked), new Set(["id", "open"]));
});

test("a decoder that is closed leaves no picture waiting", async () => {
  const decoder = new Decoder({ models: packageModels(), workers: nodeWorkers(1) });
  const onProgress = () => void decoder.close();
  await assert.rejects(decoder.decode(golden("segments"), { onProgress }), /closed/);
});

test("pictures that ask for as many threads share them", async () => {
  let opened = 0;
  const count = () => opened++;
  process.on("worker", count);
  for (let i = 0; i < 3; i++) {
    await decode(golden("pixel"), { models, workers: nodeWorkers(3) });
  }
  process.off("worker", count);
  assert.equal(opened, 3);
});

test("models that are left open are the package's", async () => {
  const { pixels } = await decode(golden("pixel"), { models: undefined, workers: 0 });
  assert.deepEqual(pixels, (await decode(golden("pixel"), options)).pixels);
});

test("the latent is in planes", async () => {
  const { channels, rows, columns, data } = await latent(golden("odd"), options);
  assert.deepEqual([channels, rows, columns, data.length], [320, 3, 4, 320 * 12]);
  assert.ok(data.every(Number.isFinite));
});
