/**
 * Decodes the files that are named on standard input, a line each: the number of workers, a space
 * and the path. Prints {ready: 1}, then {cpu, wall} in seconds, a line each, for
 * benchmarks/tables/web_speed.py.
 */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { Decoder, nodeWorkers, packageModels } from "../src/node.js";

const models = packageModels();
const decoders = new Map();
console.log(JSON.stringify({ ready: 1 }));
for await (const line of createInterface({ input: process.stdin })) {
  const [workers, path] = [Number(line.split(" ", 1)[0]), line.slice(line.indexOf(" ") + 1)];
  if (!decoders.has(workers)) {
    const threads = workers ? nodeWorkers(workers) : undefined;
    decoders.set(workers, new Decoder({ models, workers: threads }));
  }
  const bytes = readFileSync(path);
  await decoders.get(workers).runners();
  const [start, before] = [performance.now(), process.cpuUsage()];
  await decoders.get(workers).decode(bytes);
  const { user, system } = process.cpuUsage(before);
  const wall = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ cpu: (user + system) / 1e6, wall }));
}
for (const decoder of decoders.values()) await decoder.close();
