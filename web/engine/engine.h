// What the files of the engine share. There is no libc: JavaScript lays out the memory
// (web/src/engine.js) and calls row by row. Only plain SIMD of 128 bits is used, whose floats
// follow IEEE 754, so all browsers give the same bits.

#include <stdint.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((export_name(#name))) void name
#define GROUP 8   // output channels that are computed together
#define PIXELS 4  // pixels that are computed together
#define TILE 4    // outputs of a Winograd tile, each way
#define SPAN 6    // inputs of a Winograd tile, each way

// acc += weights x inputs for p pixels and GROUP channels. in: the first pixel's channels.
// stride: floats from pixel to pixel. w: [input channel][GROUP].
INLINE void multiply(const float *in, int ic, int stride, const float *w, v128_t acc[][2], int p) {
    for (int c = 0; c < ic; c++, w += GROUP) {
        v128_t k0 = wasm_v128_load(w), k1 = wasm_v128_load(w + 4);
        for (int i = 0; i < p; i++) {
            v128_t s = wasm_v128_load32_splat(in + i * stride + c);
            acc[i][0] = wasm_f32x4_add(acc[i][0], wasm_f32x4_mul(s, k0));
            acc[i][1] = wasm_f32x4_add(acc[i][1], wasm_f32x4_mul(s, k1));
        }
    }
}

INLINE void store(float *out, v128_t a, const float *residual, int relu) {
    if (residual) a = wasm_f32x4_add(a, wasm_v128_load(residual));
    if (relu) a = wasm_f32x4_pmax(wasm_f32x4_const_splat(0), a);
    wasm_v128_store(out, a);
}
