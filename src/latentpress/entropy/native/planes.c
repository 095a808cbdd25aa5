/* Passes over the planes (C, h, w) of a segment of lp1, and over the positions of one pass in them.

   hw = h * w. Positions are indices into a plane of C * hw numbers, of `select`. */

#include "native.h"

#include <string.h>

#define SCALES 64
#define PART 64
#define KEYS 1024 /* scales beyond are sorted as the last */

static inline uint8_t scale_of(int32_t eighths)
{
    const int32_t scale = (eighths + 4) >> 3;
    return (uint8_t)(scale < 0 ? 0 : scale > SCALES - 1 ? SCALES - 1 : scale);
}

static inline int32_t whole(float number)
{
    const float limit = 16777216.0f;
    if (!(number > -limit))
        number = -limit;
    return (int32_t)(number < limit ? number : limit);
}

/* On Linux with GCC such a function is made three times, and the processor decides which is taken:
   whole vectors of numbers at a time, the same numbers. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__clang__) && \
    __GNUC__ >= 11
#define IN_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define IN_VECTORS
#endif

/* sums: (h w,), of table[scale] over the channels, scale being that of the first pass under the
   steps of the quality. head: (2 channels, rows, columns), of which h x w count. table: (64,). */
EXPORT IN_VECTORS int first_activity(const float *restrict head, int64_t channels, int64_t h, int64_t w,
                          int64_t rows, int64_t columns, const int32_t *restrict offset,
                          const int32_t *restrict table, int32_t *restrict sums)
{
    for (int64_t i = 0; i < h * w; i++)
        sums[i] = 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t row = 0; row < h; row++) {
            const float *s = head + ((channels + c) * rows + row) * columns;
            int32_t *sum = sums + row * w;
            for (int64_t first = 0; first < w; first += PART) {
                int32_t scale[PART]; /* apart from the table, so that each loop is one of vectors */
                const int n = (int)(w - first < PART ? w - first : PART);
                for (int i = 0; i < n; i++)
                    scale[i] = scale_of(whole(s[first + i]) + offset[c]);
                for (int i = 0; i < n; i++)
                    sum[first + i] += table[scale[i]];
            }
        }
    return OK;
}

/* mu, eighths and scale of the first pass from head (2 channels, rows, columns), of which h x w
   count. shift, factor: (h w,), how much finer the steps of each place are. */
EXPORT IN_VECTORS int first_distributions(const float *restrict head, int64_t channels, int64_t h, int64_t w,
                               int64_t rows, int64_t columns, float unit,
                               const float *restrict gain, const int32_t *restrict offset,
                               const int32_t *restrict shift, const float *restrict factor,
                               float *restrict mu, int32_t *restrict eighths,
                               uint8_t *restrict scale)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t row = 0; row < h; row++) {
            const float *m = head + (c * rows + row) * columns;
            const float *s = m + channels * rows * columns;
            for (int64_t i = 0; i < w; i++) {
                mu[i] = (m[i] * unit * gain[c] + 0.0f) * factor[row * w + i]; /* no -0 */
                eighths[i] = whole(s[i]) + offset[c] + shift[row * w + i];
                scale[i] = scale_of(eighths[i]);
            }
            mu += w;
            eighths += w;
            scale += w;
        }
    return OK;
}

/* mu, eighths and scale of the second pass, in place of those of the first, at the cells whose
   row + column is odd. even, odd: (2 channels, (h + 1) / 2, (w + 1) / 2), of those in even and odd
   rows. */
EXPORT int second_distributions(const float *restrict even, const float *restrict odd,
                                int64_t channels, int64_t h, int64_t w, float unit,
                                const float *restrict sigmas, float *restrict mu,
                                int32_t *restrict eighths, uint8_t *restrict scale)
{
    const int64_t rows = (h + 1) / 2, columns = (w + 1) / 2;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t row = 0; row < h; row++, mu += w, eighths += w, scale += w) {
            const float *m = (row & 1 ? odd : even) + (c * rows + row / 2) * columns;
            const float *s = m + channels * rows * columns;
            for (int64_t i = 1 - (row & 1), k = 0; i < w; i += 2, k++) {
                mu[i] += sigmas[scale[i] & (SCALES - 1)] * m[k] * unit;
                eighths[i] += whole(s[k]);
                scale[i] = scale_of(eighths[i]);
            }
        }
    return OK;
}

/* Positions of scales above 0 whose row + column is even (kind 0) or odd (kind 1), in raster order;
   their number. Most scales are 0: where eight of them are, they are passed over at once. */
static int64_t coded_positions(const uint8_t *restrict scale, int64_t channels, int64_t h,
                               int64_t w, int kind, int32_t *restrict found)
{
    const uint8_t every_other[9] = {255, 0, 255, 0, 255, 0, 255, 0, 255};
    int64_t n = 0, at = 0;
    for (int64_t line = 0; line < channels * h; line++, at += w) {
        const int first = (int)((line % h + kind) & 1);
        uint64_t mask, eight;
        memcpy(&mask, every_other + first, sizeof mask);
        for (int64_t i = 0; i < w; i += 8) {
            int64_t end = w;
            if (i + 8 <= w) {
                memcpy(&eight, scale + at + i, sizeof eight);
                if (!(eight & mask))
                    continue;
                end = i + 8;
            }
            for (int64_t k = i + first; k < end; k += 2) {
                found[n] = (int32_t)(at + k);
                n += scale[at + k] != 0;
            }
        }
    }
    return n;
}

/* By what the coded positions of a pass are sorted: scales below first_trellis, then eighths. */
static inline int32_t key_of(int32_t scale, const int32_t *eighths, int32_t first_trellis)
{
    if (scale < first_trellis)
        return scale;
    return SCALES + (*eighths < 0 ? 0 : *eighths < KEYS ? *eighths : KEYS - 1);
}

/* The positions of a pass that are coded: those of scales 1 to first_trellis - 1 by scale, the
   others by eighths, equal ones in raster order; all arrays but ends and amount have room for all.

   kind: whether row + column is odd. ends: (64,), of each scale the end of its positions in
   `alone`. amount: how many positions are in `lanes`. tables: of those, the scale less 1. raster:
   all of them in raster order. ranks: of those, the place in `alone`, or behind it in `lanes`. */
EXPORT int select_positions(const uint8_t *restrict scale, const int32_t *restrict eighths,
                            int64_t channels, int64_t h, int64_t w, int32_t kind,
                            int32_t first_trellis, int32_t *restrict alone,
                            int64_t *restrict ends, int32_t *restrict lanes,
                            uint16_t *restrict tables, int64_t *restrict amount,
                            int32_t *restrict raster, int32_t *restrict ranks)
{
    int32_t next[SCALES + KEYS] = {0}, sum = 0;
    const int64_t n = coded_positions(scale, channels, h, w, kind, raster);
    for (int64_t k = 0; k < n; k++) {
        const int32_t at = raster[k];
        ranks[k] = key_of(scale[at] & (SCALES - 1), eighths + at, first_trellis);
        next[ranks[k]]++;
    }
    for (int key = 0; key < SCALES + KEYS; key++) {
        const int32_t here = next[key];
        next[key] = sum;
        sum += here;
        if (key < SCALES)
            ends[key] = sum;
    }
    const int32_t before = (int32_t)ends[SCALES - 1];
    *amount = sum - before;
    for (int64_t k = 0; k < n; k++) {
        const int32_t at = raster[k], key = ranks[k], rank = next[key]++;
        ranks[k] = rank;
        if (key < SCALES) {
            alone[rank] = at;
        } else {
            lanes[rank - before] = at;
            tables[rank - before] = (uint16_t)((scale[at] & (SCALES - 1)) - 1);
        }
    }
    return OK;
}

/* v[rank] = y * factor - mu at n positions in raster order. y, mu: planes. factor: (hw,). */
EXPORT int gather_residuals(const float *restrict y, const float *restrict factor,
                            const float *restrict mu, int64_t hw, const int32_t *restrict raster,
                            const int32_t *restrict ranks, int64_t n, float *restrict v)
{
    const int32_t cells = (int32_t)hw;
    int32_t plane = 0; /* its first position */
    for (int64_t k = 0; k < n; k++) {
        const int32_t at = raster[k];
        while (at - plane >= cells)
            plane += cells;
        v[ranks[k]] = y[at] * factor[at - plane] - mu[at];
    }
    return OK;
}

/* white[position] = 16 value / sigma, rounded, within +-limit. half_steps, tables: (n,). whitener:
   (64,), of each table, with `bits` bits behind the point in half a step. */
EXPORT int scatter_whitened(const int32_t *half_steps, const int64_t *whitener,
                            const uint16_t *tables, const int32_t *positions, int64_t n,
                            int32_t bits, int32_t limit, float *white)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t product = half_steps[i] * whitener[tables[i] & (SCALES - 1)];
        const int64_t value = (product + ((int64_t)1 << (bits - 1))) >> bits;
        white[positions[i]] = (float)(value > limit ? limit : value < -limit ? -limit : value);
    }
    return OK;
}

/* Exponent of a power of two; -1 of any other number. */
static int exponent(uint32_t number)
{
    int bits = 0;
    while (number >> bits > 1)
        bits++;
    return (uint32_t)1 << bits == number ? bits : -1;
}

/* The same as bytes, 128 more than the number, of cells of one color of the checkerboard: even and
   odd hold those of even and of odd rows, (ceil(h / 2), ceil(w / 2), channels). */
EXPORT int scatter_whitened_bytes(const int32_t *half_steps, const int64_t *whitener,
                                  const uint16_t *tables, const int32_t *positions, int64_t n,
                                  int32_t bits, int32_t limit, int64_t channels, int64_t h,
                                  int64_t w, uint8_t *even, uint8_t *odd)
{
    const uint32_t cells = (uint32_t)(h * w), wide = (uint32_t)w, columns = (wide + 1) / 2;
    const int of_cells = exponent(cells), of_wide = exponent(wide); /* most are 64 x 64 */
    const int has_shifts = of_cells >= 0 && of_wide >= 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t at = (uint32_t)positions[i];
        const uint32_t channel = has_shifts ? at >> of_cells : at / cells;
        const uint32_t cell = at - channel * cells;
        const uint32_t row = has_shifts ? cell >> of_wide : cell / wide;
        const uint32_t column = cell - row * wide;
        const int64_t product = half_steps[i] * whitener[tables[i] & (SCALES - 1)];
        const int64_t value = (product + ((int64_t)1 << (bits - 1))) >> bits;
        uint8_t *half = row & 1 ? odd : even;
        half[((int64_t)(row / 2) * columns + column / 2) * channels + channel] =
            (uint8_t)(128 + (value > limit ? limit : value < -limit ? -limit : value));
    }
    return OK;
}

/* y[position] += step * (value + outward * sign(value)), value = half_steps / 2. */
EXPORT int add_values(const int32_t *half_steps, const int32_t *positions, int64_t n, float step,
                      float outward, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        const float value = (float)half_steps[i] / 2;
        const float away = half_steps[i] > 0 ? outward : half_steps[i] < 0 ? -outward : 0.0f;
        y[positions[i]] += step * (value + away);
    }
    return OK;
}

/* plane[position] = symbol, which is within int16. */
EXPORT int scatter_symbols(const int32_t *symbols, const int32_t *positions, int64_t n,
                           int16_t *plane)
{
    for (int64_t i = 0; i < n; i++)
        plane[positions[i]] = (int16_t)symbols[i];
    return OK;
}
