/** Models of a checkout that a server offers as it is: for tests and measurements in browsers. */

const source = new URL("../../src/latentpress/", import.meta.url);

/** @returns {Promise<import("../src/models.js").Models>} */
export async function checkoutModels() {
  const folder = new URL("models/lp1/", source);
  const manifest = await (await fetch(new URL("model.json", folder))).json();
  return {
    manifest,
    async read(name) {
      let url = new URL(name, folder);
      if (name === "tables.npz") url = new URL("entropy/tables.npz", source);
      if (name === "engine.wasm") url = new URL("../src/engine.wasm", import.meta.url);
      return (await fetch(url)).arrayBuffer();
    },
  };
}
