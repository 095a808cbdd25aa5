// 3 x 3 convolutions by Winograd's F(4 x 4, 3 x 3): 36 products give 16 outputs, instead of 144.
// The points are 0, 1, -1, 2, -2 and infinity.

#include "engine.h"

#define PRODUCTS (SPAN * SPAN)
#define BLOCK 12  // tiles whose factors lie in a processor's second cache

// Six inputs, `step` apart -> the six factors.
INLINE void input_line(const v128_t *d, int step, v128_t *out) {
    v128_t two = wasm_f32x4_const_splat(2), four = wasm_f32x4_const_splat(4);
    v128_t five = wasm_f32x4_const_splat(5);
    v128_t d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    v128_t a = wasm_f32x4_sub(d4, wasm_f32x4_mul(four, d2));
    v128_t b = wasm_f32x4_sub(d3, wasm_f32x4_mul(four, d1));
    v128_t e = wasm_f32x4_sub(d4, d2);
    v128_t f = wasm_f32x4_mul(two, wasm_f32x4_sub(d3, d1));
    v128_t first = wasm_f32x4_sub(wasm_f32x4_mul(four, d0), wasm_f32x4_mul(five, d2));
    v128_t last = wasm_f32x4_sub(wasm_f32x4_mul(four, d1), wasm_f32x4_mul(five, d3));
    out[0] = wasm_f32x4_add(first, d4);
    out[step] = wasm_f32x4_add(a, b);
    out[2 * step] = wasm_f32x4_sub(a, b);
    out[3 * step] = wasm_f32x4_add(e, f);
    out[4 * step] = wasm_f32x4_sub(e, f);
    out[5 * step] = wasm_f32x4_add(last, d[5 * step]);
}

// Six products, `step` apart -> four outputs, `out_step` apart.
INLINE void output_line(const v128_t *p, int step, v128_t *y, int out_step) {
    v128_t two = wasm_f32x4_const_splat(2), four = wasm_f32x4_const_splat(4);
    v128_t eight = wasm_f32x4_const_splat(8);
    v128_t s1 = wasm_f32x4_add(p[step], p[2 * step]), d1 = wasm_f32x4_sub(p[step], p[2 * step]);
    v128_t s2 = wasm_f32x4_add(p[3 * step], p[4 * step]);
    v128_t d2 = wasm_f32x4_sub(p[3 * step], p[4 * step]);
    y[0] = wasm_f32x4_add(wasm_f32x4_add(p[0], s1), s2);
    y[out_step] = wasm_f32x4_add(d1, wasm_f32x4_mul(two, d2));
    y[2 * out_step] = wasm_f32x4_add(s1, wasm_f32x4_mul(four, s2));
    y[3 * out_step] =
        wasm_f32x4_add(wasm_f32x4_add(d1, wasm_f32x4_mul(eight, d2)), p[5 * step]);
}

// The factors of some tiles, 4 pixels apart. rows: the first of the six pixels of six rows.
// out: [PRODUCTS][tiles][c].
static void transform(const float *const *rows, int c, int tiles, float *out) {
    int plane = tiles * c;
    for (int t = 0; t < tiles; t++)
        for (int k = 0; k < c; k += 4, out += 4) {
            v128_t d[PRODUCTS];
            for (int y = 0; y < SPAN; y++) {
                const float *row = rows[y] + t * TILE * c + k;
                v128_t line[SPAN];
                for (int x = 0; x < SPAN; x++) line[x] = wasm_v128_load(row + x * c);
                input_line(line, 1, d + y * SPAN);
            }
            for (int x = 0; x < SPAN; x++) input_line(d + x, SPAN, d + x);
            for (int f = 0; f < PRODUCTS; f++) wasm_v128_store(out + f * plane, d[f]);
        }
}

INLINE void tile_products(const float *in, int ic, const float *w, float *out, int p) {
    v128_t acc[p > 1 ? PIXELS : 1][2];
    for (int i = 0; i < p; i++) acc[i][0] = acc[i][1] = wasm_f32x4_const_splat(0);
    multiply(in, ic, ic, w, acc, p);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < 2; j++) wasm_v128_store(out + i * GROUP + 4 * j, acc[i][j]);
}

// Four rows of a tile from its products, of which `down` x `across` pixels are stored.
INLINE void tile_outputs(const float *m, int plane, const float *b, float *const *outs, int at,
                         int out_stride, int relu, const float *const *residuals, int down,
                         int across) {
    for (int j = 0; j < GROUP; j += 4) {
        v128_t p[PRODUCTS], y[TILE * SPAN];
        for (int f = 0; f < PRODUCTS; f++) p[f] = wasm_v128_load(m + f * plane + j);
        for (int x = 0; x < SPAN; x++) output_line(p + x, SPAN, y + x, SPAN);
        v128_t bias = wasm_v128_load(b + j);
        for (int i = 0; i < down; i++) {
            v128_t line[TILE];
            output_line(y + i * SPAN, 1, line, 1);
            for (int x = 0; x < across; x++) {
                int to = at + x * out_stride + j;
                const float *residual = residuals ? residuals[i] + to : 0;
                store(outs[i] + to, wasm_f32x4_add(line[x], bias), residual, relu);
            }
        }
    }
}

// Four rows of a 3 x 3 convolution. rows: the pixel before the first of six rows. w: [oc / GROUP]
// [PRODUCTS][ic][GROUP]. scratch: room for PRODUCTS x BLOCK x (ic + GROUP) floats. outs, residuals:
// four addresses for each GROUP of channels, of which `down` are used.
EXPORT(winograd)(const float *const *rows, int ic, int pixels, const float *w, const float *b,
                 int oc, float *scratch, float *const *outs, int out_stride, int relu,
                 const float *const *residuals, int down) {
    int all = (pixels + TILE - 1) / TILE;
    float *factors = scratch, *products = scratch + PRODUCTS * BLOCK * ic;
    for (int begin = 0; begin < all; begin += BLOCK) {
        int tiles = all - begin < BLOCK ? all - begin : BLOCK, plane = tiles * GROUP;
        const float *starts[SPAN];
        for (int y = 0; y < SPAN; y++) starts[y] = rows[y] + begin * TILE * ic;
        transform(starts, ic, tiles, factors);
        const float *weights = w;
        for (int g = 0; g < oc / GROUP; g++) {
            for (int f = 0; f < PRODUCTS; f++, weights += ic * GROUP) {
                const float *in = factors + f * tiles * ic;
                float *m = products + f * plane;
                int t = 0;
                for (; t + PIXELS <= tiles; t += PIXELS)
                    tile_products(in + t * ic, ic, weights, m + t * GROUP, PIXELS);
                for (; t < tiles; t++) tile_products(in + t * ic, ic, weights, m + t * GROUP, 1);
            }
            for (int t = 0; t < tiles; t++) {
                int x = TILE * (begin + t), left = pixels - x;
                tile_outputs(products + t * GROUP, plane, b + g * GROUP, outs + g * TILE,
                             x * out_stride, out_stride, relu,
                             residuals ? residuals + g * TILE : 0, down,
                             left < TILE ? left : TILE);
            }
        }
    }
}

INLINE void weight_line(const double *g, int step, double *out, int out_step) {
    double near = g[0] + g[2 * step], far = g[0] + 4 * g[2 * step], odd = g[step];
    out[0] = g[0] / 4;
    out[out_step] = -(near + odd) / 6;
    out[2 * out_step] = -(near - odd) / 6;
    out[3 * out_step] = (far + 2 * odd) / 24;
    out[4 * out_step] = (far - 2 * odd) / 24;
    out[5 * out_step] = g[2 * step];
}

// Weights for `winograd` from [oc][ic][3][3], oc a multiple of GROUP.
EXPORT(winograd_weights)(const float *from, int oc, int ic, float *to) {
    for (int o = 0; o < oc; o++)
        for (int c = 0; c < ic; c++, from += 9) {
            double kernel[9], half[3 * SPAN], out[PRODUCTS];
            for (int i = 0; i < 9; i++) kernel[i] = from[i];
            for (int x = 0; x < 3; x++) weight_line(kernel + x, 3, half + x, 3);
            for (int y = 0; y < SPAN; y++) weight_line(half + 3 * y, 1, out + SPAN * y, 1);
            float *at = to + (o / GROUP * PRODUCTS * ic + c) * GROUP + o % GROUP;
            for (int f = 0; f < PRODUCTS; f++) at[f * ic * GROUP] = (float)out[f];
        }
}
