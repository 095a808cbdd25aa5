/**
 * What a WebGPU adapter computes, beside the same arithmetic in JavaScript, bit by bit: for
 * benchmarks/tables/webgpu_exactness.py.
 */

const TAPS = 9 * 128; // products of an output of a 3 x 3 convolution of 128 channels
const OUTPUTS = 4096;
const { fround } = Math;

// Each kernel writes out[i] from its inputs. A convolution has the weights w and the inputs x.
const LOOP = (body) => `
  var sum = ZERO;
  for (var t = 0u; t < ${TAPS}u; t++) {
    let a = x[i * 7u + t];
    let b = w[t * ${OUTPUTS}u + i];
    ${body}
  }
  out[i] = sum;`;
const KERNELS = {
  "convolution of integers, i32": ["i32", LOOP("sum = sum + a * b;")],
  "convolution of integers, f32": ["f32", LOOP("sum = sum + a * b;")],
  "convolution of floats, f32": ["f32", LOOP("sum = sum + a * b;")],
  "convolution of floats, fma()": ["f32", LOOP("sum = fma(a, b, sum);")],
  "round(x * 2^-k)": ["f32", "out[i] = round(x[i] * 0.0078125);"],
  "a / b": ["f32", "out[i] = x[i] / w[i];"],
  "exp(x)": ["f32", "out[i] = exp(w[i]);"],
};

/** @returns {Promise<{adapter: string, rows: object[]} | null>} null where there is no WebGPU */
export async function compare() {
  const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
  if (!adapter) return null;
  const device = await adapter.requestDevice();
  const rows = [];
  for (const [name, [type, body]] of Object.entries(KERNELS)) {
    const inputs = numbersFor(name);
    const got = await run(device, type, body, inputs);
    rows.push({ operation: name, ...judge(name, got, inputs) });
  }
  const { vendor, architecture } = adapter.info;
  return { adapter: `${vendor} ${architecture}`, rows };
}

/** Numbers that are the same each time. */
function generator() {
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @param {string} name */
function numbersFor(name) {
  const next = generator();
  const Type = name.endsWith("i32") ? Int32Array : Float32Array;
  const isInteger = name.includes("integers");
  const x = Type.from({ length: 7 * OUTPUTS + TAPS }, () =>
    isInteger ? Math.floor(256 * next()) : name.startsWith("round")
      ? Math.floor(65536 * next()) : 4 * next() - 1);
  const w = Type.from({ length: TAPS * OUTPUTS }, () =>
    isInteger ? Math.floor(101 * next()) - 50 : 2 * next() - 1);
  return { x, w };
}

/**
 * @param {any} device
 * @param {string} type
 * @param {string} body
 * @param {{x: any, w: any}} inputs
 */
async function run(device, type, body, { x, w }) {
  const code = `
@group(0) @binding(0) var<storage, read> x: array<${type}>;
@group(0) @binding(1) var<storage, read> w: array<${type}>;
@group(0) @binding(2) var<storage, read_write> out: array<${type}>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  ${body.replace("ZERO", `${type}(0)`)}
}`;
  const { GPUBufferUsage: usage, GPUMapMode: mode } = /** @type {any} */ (globalThis);
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const buffers = [x, w, new x.constructor(OUTPUTS)].map((data) => {
    const flags = usage.STORAGE | usage.COPY_DST | usage.COPY_SRC;
    const buffer = device.createBuffer({ size: data.byteLength, usage: flags });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  });
  // A kernel uses some of its inputs, and the layout names those only.
  const used = [/\bx\[/, /\bw\[/, /out/].map((name) => name.test(body));
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const layout = pipeline.getBindGroupLayout(0);
  const group = device.createBindGroup({ layout, entries: entries.filter((_, i) => used[i]) });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(OUTPUTS / 64);
  pass.end();
  const size = 4 * OUTPUTS;
  const back = device.createBuffer({ size, usage: usage.MAP_READ | usage.COPY_DST });
  encoder.copyBufferToBuffer(buffers[2], 0, back, 0, size);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(mode.READ);
  return new x.constructor(back.getMappedRange().slice(0));
}

/**
 * @param {string} name
 * @param {any} got
 * @param {{x: any, w: any}} inputs
 * @returns {object} how many numbers are those of products and sums that are rounded each, how many
 *   those of products that are not, and how many units in the last place the farthest one is away
 */
function judge(name, got, { x, w }) {
  let [separate, fused, farthest] = [0, 0, 0];
  for (let i = 0; i < OUTPUTS; i++) {
    const [one, other] = expected(name, i, x, w);
    if (Object.is(got[i], one)) separate++;
    if (Object.is(got[i], other)) fused++;
    farthest = Math.max(farthest, units(got[i], one));
  }
  return { numbers: OUTPUTS, separate, fused, farthest };
}

/**
 * @param {string} name
 * @param {number} i
 * @param {any} x
 * @param {any} w
 * @returns {[number, number]} rounded after each product, and after each sum alone
 */
function expected(name, i, x, w) {
  if (name.startsWith("round")) {
    const value = x[i] / 128;
    const nearest = Math.round(value);
    const even = nearest - value === 0.5 && nearest % 2 ? nearest - 1 : nearest;
    return [even, even];
  }
  if (name === "a / b") return [fround(x[i] / w[i]), fround(x[i] / w[i])];
  if (name === "exp(x)") return [fround(Math.exp(w[i])), fround(Math.exp(w[i]))];
  let [separate, fused] = [0, 0];
  for (let t = 0; t < TAPS; t++) {
    const product = x[7 * i + t] * w[t * OUTPUTS + i]; // exact in a double
    separate = fround(separate + fround(product));
    fused = fround(fused + product);
  }
  return [separate, fused];
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} floats from one to the other
 */
function units(a, b) {
  const ordered = (/** @type {number} */ v) => {
    const [bits] = new Int32Array(Float32Array.of(v).buffer);
    return bits < 0 ? -2147483648 - bits : bits;
  };
  return Math.abs(ordered(a) - ordered(b));
}
