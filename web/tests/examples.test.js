/** The examples of the documents beside the package run as they stand. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { GOLDEN } from "./helpers.js";

const WEB = fileURLToPath(new URL("..", import.meta.url));
// what an example takes for granted: a file and its bytes, and of a browser what Node has not
const GIVEN = `
globalThis.bytes = new Uint8Array((await import("node:fs")).readFileSync(process.argv[1]));
globalThis.fetch = async () => ({ arrayBuffer: async () => bytes.slice().buffer });
globalThis.canvas = { getContext: () => ({ drawImage() {} }) };
globalThis.ImageData = class {};
globalThis.createImageBitmap = async (image) => image;
const given = await (await import("latentpress")).decode(bytes);
globalThis.file = { width: given.width, height: given.height, data: given.pixels };
`;

for (const page of ["README.md", "encoding.md"]) {
  const text = readFileSync(`${WEB}${page}`, "utf8");
  const blocks = [...text.matchAll(/^```js\n(.*?)^```$/gms)];
  assert.notEqual(blocks.length, 0);
  for (const { 1: code, index } of blocks) {
    const line = text.slice(0, index).split("\n").length;
    test(`the example in line ${line} of ${page} runs`, () => {
      // imports are hoisted; what the example declares stands in a block behind what is given
      const imports = code.match(/^import .*$/gm).join("\n");
      const rest = code.replace(/^import .*$/gm, "");
      const program = `${imports}\n${GIVEN}\n{${rest}}\nprocess.exit(0);`;
      const options = ["--input-type=module", "-e", program, `${GOLDEN}q20.ltp`];
      const done = spawnSync(process.execPath, options, { cwd: WEB, encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
    });
  }
}
