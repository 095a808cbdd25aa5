// Convolutions of floats whose taps are multiplied as they are, and what surrounds the networks.

#include "engine.h"

INLINE void float_pixels(const float *const *taps, int n, int ic, int x, int stride,
                         const float *w, const float *b, float *out, int out_stride, int relu,
                         const float *residual, int p) {
    v128_t acc[p > 1 ? PIXELS : 1][2];
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) acc[i][j] = wasm_v128_load(b + 4 * j);
    for (int t = 0; t < n; t++, w += ic * GROUP)
        multiply(taps[t] + x * stride, ic, stride, w, acc, p);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) {
            int at = (x + i) * out_stride + 4 * j;
            store(out + at, acc[i][j], residual ? residual + at : 0, relu);
        }
}

// Weights for `convolve` from [oc][ic][taps], oc a multiple of GROUP: [oc / GROUP][tap][ic][GROUP].
EXPORT(convolve_weights)(const float *from, int oc, int ic, int taps, float *to) {
    for (int g = 0; g < oc; g += GROUP)
        for (int t = 0; t < taps; t++)
            for (int c = 0; c < ic; c++)
                for (int j = g; j < g + GROUP; j++) *to++ = from[(j * ic + c) * taps + t];
}

// A row of a convolution. outs, residuals: an address for each GROUP of channels. w: as of
// convolve_weights.
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
