/** node networks.js FOLDER: the largest difference from each output that index.json lists. */

import { readFileSync } from "node:fs";

import { Core, readFiles } from "../../../web/src/core.js";
import { packageModels } from "../../../web/src/node_models.js";

const folder = process.argv[2];
const core = await Core.create(await readFiles(packageModels()));
const load = (name) => {
  const bytes = readFileSync(`${folder}/${name}`);
  return new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const swapped = (data, c, n) =>
  Int16Array.from({ length: c * n }, (_, i) => data[(i % c) * n + Math.floor(i / c)]);
let [compared, worst] = [0, 0];
const compare = (got, expected, skip = () => false) => {
  if (got.length !== expected.length) throw new Error("another size");
  for (let i = 0; i < got.length; i++) {
    if (skip(i)) continue;
    compared++;
    worst = Math.max(worst, Math.abs(got[i] - expected[i]));
  }
};
const MEMORY = 2 ** 25; // bytes that the networks' arrays take, and more
const check = ({ name, hz, wz, h, w }) => {
  const n = h * w;
  const bias = load(`${name}.bias`);
  const { features, head } = core.networks.features(load(`${name}.z`), hz, wz, bias, h, w);
  compare(features, swapped(load(`${name}.features`), 128, n));
  compare(head, load(`${name}.head1`));
  const given = swapped(load(`${name}.given`), 128, n);
  const white = swapped(load(`${name}.white`), 320, n);
  const isAnchor = (i) => (Math.floor((i % n) / w) + ((i % n) % w)) % 2 === 0;
  compare(core.networks.context(given, white, h, w), load(`${name}.head2`), isAnchor);
};
for (const network of JSON.parse(readFileSync(`${folder}/index.json`, "utf8"))) {
  core.engine.within(MEMORY, () => check(network));
}
console.log(JSON.stringify({ compared, worst }));
