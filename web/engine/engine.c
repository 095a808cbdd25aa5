// Rows of convolutions for the fixed networks of lp1, in WebAssembly with SIMD of 128 bits.
// There is no libc: JavaScript lays out the memory (web/src/engine.js) and calls row by row.
// Only plain SIMD is used, whose floats follow IEEE 754, so all browsers give the same bits.

#include <stdint.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((export_name(#name))) void name
#define GROUP 8   // output channels that are computed together
#define PIXELS 4  // pixels that are computed together, of floats
#define TILE 4    // outputs of a Winograd tile
#define FREQ 6    // products of a Winograd tile

// acc += weights x inputs for p pixels and GROUP channels. taps: addresses of the first pixel's
// channels, one a tap. stride: floats from pixel to pixel. w: [tap][input channel][GROUP].
INLINE void multiply(const float *const *taps, int n, int ic, int x, int stride, const float *w,
                     v128_t acc[][2], int p) {
    for (int t = 0; t < n; t++) {
        const float *in = taps[t] + x * stride;
        for (int c = 0; c < ic; c++, w += GROUP) {
            v128_t k0 = wasm_v128_load(w), k1 = wasm_v128_load(w + 4);
            for (int i = 0; i < p; i++) {
                v128_t s = wasm_v128_load32_splat(in + i * stride + c);
                acc[i][0] = wasm_f32x4_add(acc[i][0], wasm_f32x4_mul(s, k0));
                acc[i][1] = wasm_f32x4_add(acc[i][1], wasm_f32x4_mul(s, k1));
            }
        }
    }
}

INLINE void store(float *out, v128_t a, const float *residual, int relu) {
    if (residual) a = wasm_f32x4_add(a, wasm_v128_load(residual));
    if (relu) a = wasm_f32x4_pmax(wasm_f32x4_const_splat(0), a);
    wasm_v128_store(out, a);
}

INLINE void float_pixels(const float *const *taps, int n, int ic, int x, int stride,
                         const float *w, const float *b, float *out, int out_stride, int relu,
                         const float *residual, int p) {
    v128_t acc[p > 1 ? PIXELS : 1][2];
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) acc[i][j] = wasm_v128_load(b + 4 * j);
    multiply(taps, n, ic, x, stride, w, acc, p);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) {
            int at = (x + i) * out_stride + 4 * j;
            store(out + at, acc[i][j], residual ? residual + at : 0, relu);
        }
}

// A row of a convolution. outs, residuals: an address for each GROUP of channels.
EXPORT(convolve)(const float *const *taps, int n, int ic, int pixels, int stride, const float *w,
                 const float *b, int oc, float *const *outs, int out_stride, int relu,
                 const float *const *residuals) {
    for (int o = 0, g = 0; o < oc; o += GROUP, g++, w += n * ic * GROUP, b += GROUP) {
        const float *r = residuals ? residuals[g] : 0;
        int x = 0;
        for (; x + PIXELS <= pixels; x += PIXELS)
            float_pixels(taps, n, ic, x, stride, w, b, outs[g], out_stride, relu, r, PIXELS);
        for (; x < pixels; x++)
            float_pixels(taps, n, ic, x, stride, w, b, outs[g], out_stride, relu, r, 1);
    }
}

// 3 x 3 convolutions by Winograd's F(4, 3) along the row: 6 products give 4 outputs, instead of
// 12. in: `tiles` overlapping pieces of 6 pixels, 4 pixels apart. out: [FREQ][tiles][c].
EXPORT(winograd_input)(const float *in, int c, int tiles, float *out) {
    int plane = tiles * c;
    v128_t two = wasm_f32x4_const_splat(2), four = wasm_f32x4_const_splat(4);
    v128_t five = wasm_f32x4_const_splat(5);
    for (int t = 0; t < tiles; t++, in += TILE * c)
        for (int k = 0; k < c; k += 4, out += 4) {
            v128_t d[FREQ];
            for (int i = 0; i < FREQ; i++) d[i] = wasm_v128_load(in + i * c + k);
            v128_t a = wasm_f32x4_sub(d[4], wasm_f32x4_mul(four, d[2]));
            v128_t b = wasm_f32x4_sub(d[3], wasm_f32x4_mul(four, d[1]));
            v128_t e = wasm_f32x4_sub(d[4], d[2]);
            v128_t f = wasm_f32x4_mul(two, wasm_f32x4_sub(d[3], d[1]));
            v128_t first = wasm_f32x4_sub(wasm_f32x4_mul(four, d[0]), wasm_f32x4_mul(five, d[2]));
            v128_t last = wasm_f32x4_sub(wasm_f32x4_mul(four, d[1]), wasm_f32x4_mul(five, d[3]));
            wasm_v128_store(out, wasm_f32x4_add(first, d[4]));
            wasm_v128_store(out + plane, wasm_f32x4_add(a, b));
            wasm_v128_store(out + 2 * plane, wasm_f32x4_sub(a, b));
            wasm_v128_store(out + 3 * plane, wasm_f32x4_add(e, f));
            wasm_v128_store(out + 4 * plane, wasm_f32x4_sub(e, f));
            wasm_v128_store(out + 5 * plane, wasm_f32x4_add(last, d[5]));
        }
}

// The outputs of a tile from its products; only the first `count` are stored.
INLINE void winograd_output(const float *m, int plane, const float *b, float *out, int out_stride,
                            int relu, const float *residual, int count) {
    for (int j = 0; j < GROUP; j += 4) {
        v128_t p[FREQ], y[TILE];
        for (int f = 0; f < FREQ; f++) p[f] = wasm_v128_load(m + f * plane + j);
        v128_t s1 = wasm_f32x4_add(p[1], p[2]), d1 = wasm_f32x4_sub(p[1], p[2]);
        v128_t s2 = wasm_f32x4_add(p[3], p[4]), d2 = wasm_f32x4_sub(p[3], p[4]);
        v128_t two = wasm_f32x4_const_splat(2), four = wasm_f32x4_const_splat(4);
        v128_t eight = wasm_f32x4_const_splat(8), bias = wasm_v128_load(b + j);
        y[0] = wasm_f32x4_add(wasm_f32x4_add(p[0], s1), s2);
        y[1] = wasm_f32x4_add(d1, wasm_f32x4_mul(two, d2));
        y[2] = wasm_f32x4_add(s1, wasm_f32x4_mul(four, s2));
        y[3] = wasm_f32x4_add(wasm_f32x4_add(d1, wasm_f32x4_mul(eight, d2)), p[5]);
        for (int i = 0; i < count; i++) {
            int at = i * out_stride + j;
            v128_t a = wasm_f32x4_add(y[i], bias);
            store(out + at, a, residual ? residual + at : 0, relu);
        }
    }
}

// A row of a 3 x 3 convolution. rows: three rows of winograd_input. w: [oc / GROUP][FREQ][row]
// [ic][GROUP]. products: room for FREQ x tiles x GROUP floats.
EXPORT(winograd)(const float *const *rows, int ic, int pixels, const float *w, const float *b,
                 int oc, float *products, float *const *outs, int out_stride, int relu,
                 const float *const *residuals) {
    int tiles = (pixels + TILE - 1) / TILE, plane = tiles * GROUP;
    for (int o = 0, g = 0; o < oc; o += GROUP, g++, b += GROUP) {
        static const float zeros[GROUP];
        for (int f = 0; f < FREQ; f++, w += 3 * ic * GROUP) {
            const float *taps[3];
            for (int t = 0; t < 3; t++) taps[t] = rows[t] + f * tiles * ic;
            float *m = products + f * plane;
            int x = 0;
            for (; x + PIXELS <= tiles; x += PIXELS)
                float_pixels(taps, 3, ic, x, ic, w, zeros, m, GROUP, 0, 0, PIXELS);
            for (; x < tiles; x++)
                float_pixels(taps, 3, ic, x, ic, w, zeros, m, GROUP, 0, 0, 1);
        }
        const float *r = residuals ? residuals[g] : 0;
        for (int t = 0; t < tiles; t++) {
            int x = TILE * t, left = pixels - x, at = x * out_stride;
            winograd_output(products + t * GROUP, plane, b, outs[g] + at, out_stride, relu,
                            r ? r + at : 0, left < TILE ? left : TILE);
        }
    }
}

// Integers: activations and weights of 16 bits, sums of 32. w: [tap][ic / 2][GROUP][2].
#define INT_PIXELS 4
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
    v128_t acc[p > 1 ? INT_PIXELS : 1][2];
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
        for (; x + INT_PIXELS <= pixels; x += INT_PIXELS)
            int_pixels(taps, n, ic, stride, taps2, n2, ic2, stride2, x, w, b, scale, outs[g],
                       out_stride, clip, INT_PIXELS);
        for (; x < pixels; x++)
            int_pixels(taps, n, ic, stride, taps2, n2, ic2, stride2, x, w, b, scale, outs[g],
                       out_stride, clip, 1);
    }
}

// n runs of `run` floats, to places `to_stride` apart.
EXPORT(scatter)(const float *from, int from_stride, float *to, int to_stride, int n, int run) {
    for (int i = 0; i < n; i++, from += from_stride, to += to_stride)
        for (int k = 0; k < run; k++) to[k] = from[k];
}

// A row of n pixels, RGBA: the sum of three rows of RGB from -1 to 1.
EXPORT(finish)(const float *a, const float *b, const float *c, uint8_t *out, int n) {
    for (int i = 0; i < n; i++, out += 4) {
        for (int k = 0; k < 3; k++) {
            float x = (*a++ + *b++ + *c++) * 127.5f + 127.5f;
            x = x < 0 ? 0 : x > 255 ? 255 : x;
            out[k] = (uint8_t)__builtin_rintf(x);
        }
        out[3] = 255;
    }
}
