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
  const compare = (got, expected) => {
    if (got.length !== expected.length) throw new Error("another size");
    compared += got.length;
    got.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - expected[i]));
    });
  };
  const check = ({ hz, wz, h, w }, { bias, z, ...dumps }) => {
    const n = h * w;
    const { features, head } = core.networks.features(z, hz, wz, bias, h, w);
    compare(features, swapped(dumps.features, 128, n));
    compare(head, dumps.head1);
    const given = core.engine.array(Int16Array, 128 * n);
    given.set(swapped(dumps.given, 128, n));
    const white = swapped(dumps.white, 320, n);
    core.networks.contextRows(given, white, h, w, (place, count, row) => {
      const expected = Int32Array.from({ length: 640 * count }, (_, i) => {
        return dumps.head2[(i % 640) * n + place + 2 * Math.floor(i / 640)];
      });
      compare(row.subarray(0, expected.length), expected);
    });
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
