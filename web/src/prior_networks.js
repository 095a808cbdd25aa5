/**
 * The two networks of lp1's prior in integers (models/lp1/features.onnx, context.onnx): the same
 * results on every machine.
 */

/**
 * @typedef {object} Plane 16-bit integers of c channels, with a border of zeros
 * @property {number} h
 * @property {number} w
 * @property {number} c
 * @property {(y: number, x: number) => number} place
 *
 * @typedef {import("./engine.js").IntegerLayer} IntegerLayer
 */

const FEATURES = 128;
const HEAD = 640;
const HIDDEN = 192;
/** @type {[number, number][]} */
const ONE = [[0, 0]];
/** @type {[number, number][]} */
const NINE = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => /** @type {any} */ ([y, x])));
// The anchors about a non-anchor: 3 x 2 taps, then 2 x 3, each two positions apart.
/** @type {[number, number][]} */
const ANCHORS = [
  ...[-2, 0, 2].flatMap((y) => [-1, 1].map((x) => /** @type {any} */ ([y, x]))),
  ...[-1, 1].flatMap((y) => [-2, 0, 2].map((x) => /** @type {any} */ ([y, x]))),
];

export class PriorNetworks {
  /**
   * @param {import("./engine.js").Engine} engine
   * @param {Record<string, import("./onnx.js").Tensor>} features initializers of features.onnx
   * @param {Record<string, import("./onnx.js").Tensor>} context of context.onnx
   */
  constructor(engine, features, context) {
    this.engine = engine;
    const layer = (
      /** @type {Record<string, import("./onnx.js").Tensor>} */ from,
      /** @type {string} */ name,
      shuffle = 1,
      weights = [`${name}.weight`],
    ) =>
      engine.integerLayer(
        weights.map((weight) => from[`prior.${weight}`]),
        from[`prior.${name}.scale`],
        from[`prior.${name}.bias`] ?? null,
        shuffle,
      );
    this.up1 = layer(features, "hs1", 2);
    this.up2 = layer(features, "hs2", 2);
    this.smooth = layer(features, "hs3");
    this.head1 = layer(features, "head1");
    this.gather = layer(context, "ctx", 1, ["ctx_a.weight", "ctx_b.weight", "ctx_f.weight"]);
    this.mix = layer(context, "mix");
    this.head2 = layer(context, "head2");
  }

  /**
   * @param {Int32Array} z (64, hz, wz)
   * @param {number} hz
   * @param {number} wz
   * @param {ArrayLike<number>} bias 512 numbers of the quality
   * @param {number} [h] rows of the results, 4 hz without
   * @param {number} [w]
   * @param {number[]} [from] row and column where these begin
   * @returns {{features: Int16Array, head: Int32Array}} (h, w, 128) and (640, h, w), in the
   *   engine's memory
   */
  features(z, hz, wz, bias, h = 4 * hz, w = 4 * wz, [top, left] = [0, 0]) {
    const { engine } = this;
    const features = engine.array(Int16Array, h * w * FEATURES);
    const head = engine.array(Int32Array, HEAD * h * w);
    const start = engine.top;
    this.up1.setBias(bias);
    const first = this.plane(hz, wz, 64);
    const second = this.plane(2 * hz, 2 * wz, FEATURES);
    const third = this.plane(4 * hz, 4 * wz, FEATURES, 1);
    const last = this.plane(1, 4 * wz, FEATURES);
    const line = engine.alloc(4 * HEAD * 4 * wz);
    for (let c = 0, p = 0; c < 64; c++) {
      for (let y = 0; y < hz; y++) {
        for (let x = 0; x < wz; x++) engine.int16[first.place(y, x) / 2 + c] = z[p++];
      }
    }
    const quarters = (/** @type {Plane} */ out, /** @type {number} */ y) => {
      return (/** @type {number} */ o) => {
        const pixel = Math.floor(o / FEATURES);
        return out.place(2 * y + (pixel >> 1), pixel & 1) + 2 * (o % FEATURES);
      };
    };
    for (let y = 0; y < hz; y++) {
      this.row(this.up1, first, ONE, y, wz, quarters(second, y), 2 * FEATURES);
    }
    for (let y = 0; y < 2 * hz; y++) {
      this.row(this.up2, second, ONE, y, 2 * wz, quarters(third, y), 2 * FEATURES);
    }
    for (let y = 0; y < h; y++) {
      const to = (/** @type {number} */ o) => last.place(0, 0) + 2 * o;
      this.row(this.smooth, third, NINE, y + top, w, to, FEATURES, { x: left });
      this.row(this.head1, last, ONE, 0, w, (o) => line + 4 * o, HEAD, { clip: false });
      const at = last.place(0, 0) / 2;
      features.set(engine.int16.subarray(at, at + w * FEATURES), y * w * FEATURES);
      spread(engine.int32, line / 4, w, head, y * w, h * w);
    }
    engine.release(start);
    return { features, head };
  }

  /**
   * The network of the second pass, row by row at the places that are no anchors.
   *
   * @param {Int16Array} features (h, w, 128), in the engine's memory
   * @param {Int16Array} white (h, w, 320), 0 but at the anchors
   * @param {number} h
   * @param {number} w
   * @param {(place: number, count: number, row: Int32Array) => void} take place: the first of
   *   `count` that are two apart, in raster order. row: (count, 640), valid during the call.
   */
  contextRows(features, white, h, w, take) {
    const { engine } = this;
    const start = engine.top;
    const most = (w + 1) >> 1;
    const around = this.plane(h, w, 320, 2);
    const place = (/** @type {number} */ y, /** @type {number} */ x) =>
      features.byteOffset + 2 * FEATURES * (y * w + x);
    const here = { h, w, c: FEATURES, place };
    const [hidden, mixed] = [this.plane(1, most, HIDDEN), this.plane(1, most, HIDDEN)];
    const line = engine.array(Int32Array, HEAD * most);
    for (let y = 0; y < h; y++) {
      const from = y * w * 320;
      engine.int16.set(white.subarray(from, from + w * 320), around.place(y, 0) / 2);
    }
    for (let y = 0; y < h; y++) {
      const x = 1 - (y & 1); // of the first non-anchor
      const count = (w - x + 1) >> 1;
      if (count <= 0) continue;
      const everyOther = { x, step: 2, second: here };
      const to = (/** @type {Plane} */ plane) => (/** @type {number} */ o) =>
        plane.place(0, 0) + 2 * o;
      const at = (/** @type {number} */ o) => line.byteOffset + 4 * o;
      this.row(this.gather, around, ANCHORS, y, count, to(hidden), HIDDEN, everyOther);
      this.row(this.mix, hidden, ONE, 0, count, to(mixed), HIDDEN);
      this.row(this.head2, mixed, ONE, 0, count, at, HEAD, { clip: false });
      take(y * w + x, count, line);
    }
    engine.release(start);
  }

  /**
   * @param {number} h
   * @param {number} w
   * @param {number} c
   * @param {number} [border]
   * @returns {Plane}
   */
  plane(h, w, c, border = 0) {
    const columns = w + 2 * border;
    const at = this.engine.alloc(2 * (h + 2 * border) * columns * c);
    const place = (/** @type {number} */ y, /** @type {number} */ x) =>
      at + 2 * ((y + border) * columns + x + border) * c;
    return { h, w, c, place };
  }

  /**
   * @param {IntegerLayer} layer
   * @param {Plane} input
   * @param {[number, number][]} taps
   * @param {number} y
   * @param {number} pixels
   * @param {(channel: number) => number} place of the first pixel of a channel
   * @param {number} outStride numbers from pixel to pixel there
   * @param {{clip?: boolean, x?: number, step?: number, second?: Plane}} [options] x, step: the
   *   first position of the input and how far it is to the next. second: another source, of one
   *   tap.
   */
  row(layer, input, taps, y, pixels, place, outStride, options = {}) {
    const { clip = true, x = 0, step = 1, second } = options;
    const { int32, tapsAt, moreTapsAt, outsAt, code } = this.engine;
    taps.forEach(([down, right], i) => {
      int32[tapsAt / 4 + i] = input.place(y + down, x + right);
    });
    if (second) int32[moreTapsAt / 4] = second.place(y, x);
    for (let g = 0; g < layer.oc / 8; g++) int32[outsAt / 4 + g] = place(8 * g);
    code.convolve_integers(
      tapsAt,
      taps.length,
      input.c,
      step * input.c,
      moreTapsAt,
      second ? 1 : 0,
      second ? second.c : 0,
      second ? step * second.c : 0,
      pixels,
      layer.weights,
      layer.bias,
      layer.scale,
      layer.oc,
      outsAt,
      outStride,
      clip ? 1 : 0,
    );
  }
}

/**
 * Copy a row (pixels, HEAD) into planes (HEAD, ...).
 *
 * @param {Int32Array} from
 * @param {number} start
 * @param {number} pixels
 * @param {Int32Array} to
 * @param {number} at of the first pixel within a plane
 * @param {number} plane numbers of a plane
 */
function spread(from, start, pixels, to, at, plane) {
  for (let k = 0; k < HEAD; k++) {
    for (let i = 0, p = k * plane + at; i < pixels; i++, p++) {
      to[p] = from[start + i * HEAD + k];
    }
  }
}
