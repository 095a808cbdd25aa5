// Convolutions of integers: activations and weights of 16 bits, sums of 32.

#include "engine.h"

// acc += weights x inputs, as multiply of engine.h does. w: [tap][ic / 2][GROUP][2].
INLINE const int16_t *int_multiply(const int16_t *const *taps, int n, int ic, int x, int stride,
                                   const int16_t *w, v128_t acc[][2], int p) {
    for (int t = 0; t < n; t++) {
        const int16_t *in = taps[t] + x * stride;
        for (int c = 0; c < ic; c += 2, w += 2 * GROUP) {
            v128_t k0 = wasm_v128_load(w), k1 = wasm_v128_load(w + GROUP);
            for (int i = 0; i < p; i++) {
                v128_t s = wasm_v128_load32_splat(in + i * stride + c);
                acc[i][0] = wasm_i32x4_add(acc[i][0], wasm_i32x4_dot_i16x8(s, k0));
                acc[i][1] = wasm_i32x4_add(acc[i][1], wasm_i32x4_dot_i16x8(s, k1));
            }
        }
    }
    return w;
}

INLINE void int_pixels(const int16_t *const *taps, int n, int ic, int stride,
                       const int16_t *const *taps2, int n2, int ic2, int stride2, int x,
                       const int16_t *w, const int32_t *b, const float *scale, void *out,
                       int out_stride, int clip, int p) {
    v128_t acc[p > 1 ? PIXELS : 1][2];
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) acc[i][j] = wasm_v128_load(b + 4 * j);
    w = int_multiply(taps, n, ic, x, stride, w, acc, p);
    int_multiply(taps2, n2, ic2, x, stride2, w, acc, p);
    for (int i = 0; i < p; i++) {
        v128_t r[2];
        for (int j = 0; j < 2; j++) {  // sums are below 2^24, and scales are powers of two
            v128_t sum = wasm_f32x4_convert_i32x4(acc[i][j]);
            v128_t scaled = wasm_f32x4_mul(sum, wasm_v128_load(scale + 4 * j));
            r[j] = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(scaled));
        }
        if (clip) {
            v128_t q = wasm_i16x8_narrow_i32x4(r[0], r[1]);
            q = wasm_i16x8_max(q, wasm_i16x8_const_splat(0));
            q = wasm_i16x8_min(q, wasm_i16x8_const_splat(255));
            wasm_v128_store((int16_t *)out + (x + i) * out_stride, q);
        } else {
            wasm_v128_store((int32_t *)out + (x + i) * out_stride, r[0]);
            wasm_v128_store((int32_t *)out + (x + i) * out_stride + 4, r[1]);
        }
    }
}

// A row of a convolution of two sources, the second of which may have no taps: round((sum + bias)
// x scale), clipped to 0 to 255 and of 16 bits, or as it is and of 32 bits.
EXPORT(convolve_integers)(const int16_t *const *taps, int n, int ic, int stride,
                          const int16_t *const *taps2, int n2, int ic2, int stride2, int pixels,
                          const int16_t *w, const int32_t *b, const float *scale, int oc,
                          void *const *outs, int out_stride, int clip) {
    int size = (n * ic + n2 * ic2) * GROUP;
    for (int o = 0, g = 0; o < oc; o += GROUP, g++, w += size, b += GROUP, scale += GROUP) {
        int x = 0;
        for (; x + PIXELS <= pixels; x += PIXELS)
            int_pixels(taps, n, ic, stride, taps2, n2, ic2, stride2, x, w, b, scale, outs[g],
                       out_stride, clip, PIXELS);
        for (; x < pixels; x++)
            int_pixels(taps, n, ic, stride, taps2, n2, ic2, stride2, x, w, b, scale, outs[g],
                       out_stride, clip, 1);
    }
}
