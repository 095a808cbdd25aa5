/** node pressed.js FILE: [{rgba, width, height}] of a JSON file -> [{file, notice}] of encode(). */

import { readFileSync } from "node:fs";

import { encode } from "../../../web/src/node.js";

const results = [];
for (const { rgba, width, height } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  let notice = null;
  const onNotice = (told) => {
    notice = told;
  };
  const data = new Uint8Array(Buffer.from(rgba, "base64"));
  const file = await encode({ width, height, data }, { quality: 60, onNotice });
  results.push({ file: Buffer.from(file).toString("base64"), notice });
}
console.log(JSON.stringify(results));
