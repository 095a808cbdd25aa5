/** The prior's networks against dumps of what Python gives, in Node and in browsers. */

const MEMORY = 2 ** 25; // bytes that the networks' arrays take, and more
const KINDS = ["bias", "z", "features", "head1", "given", "white", "head2"];

const swapped = (data, c, n) =>
  Int16Array.from({ length: c * n }, (_, i) => data[(i % c) * n + Math.floor(i / c)]);

/**
 * @param {import("../../../web/src/core.js").Core} core
 * @param {(name: string) => Promise<Uint8Array>} read a file of the dumps; index.json lists them
 * @returns {Promise<{compared: number, worst: number}>} how many integers, and how far they are
 */
export async function compareNetworks(core, read) {
  let [compared, worst] = [0, 0];
  const compare = (got, expected, skip = () => false) => {
    if (got.length !== expected.length) throw new Error("another size");
    for (let i = 0; i < got.length; i++) {
      if (skip(i)) continue;
      compared++;
      worst = Math.max(worst, Math.abs(got[i] - expected[i]));
    }
  };
  const check = ({ hz, wz, h, w }, { bias, z, ...dumps }) => {
    const n = h * w;
    const { features, head } = core.networks.features(z, hz, wz, bias, h, w);
    compare(features, swapped(dumps.features, 128, n));
    compare(head, dumps.head1);
    const [given, white] = [swapped(dumps.given, 128, n), swapped(dumps.white, 320, n)];
    const isAnchor = (i) => (Math.floor((i % n) / w) + ((i % n) % w)) % 2 === 0;
    compare(core.networks.context(given, white, h, w), dumps.head2, isAnchor);
  };
  const index = JSON.parse(new TextDecoder().decode(await read("index.json")));
  for (const network of index) {
    const dumps = {};
    for (const kind of KINDS) {
      dumps[kind] = new Int32Array((await read(`${network.name}.${kind}`)).slice().buffer);
    }
    core.engine.within(MEMORY, () => check(network, dumps));
  }
  return { compared, worst };
}
