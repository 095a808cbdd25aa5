/* Passes over the planes (C, h, w) of a segment of lp1, and over the positions of one pass in them.

   hw = h * w. Positions are indices into a plane of C * hw numbers, of `select`. */

#include "native.h"

#define SCALES 64
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

/* mu, eighths and scale of the first pass from head (2 C, rows, columns), of which h x w count. */
EXPORT int first_distributions(const float *head, int64_t channels, int64_t h, int64_t w,
                               int64_t rows, int64_t columns, float unit, const float *gain,
                               const int32_t *offset, float *mu, int32_t *eighths, uint8_t *scale)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t row = 0; row < h; row++) {
            const float *m = head + (c * rows + row) * columns;
            const float *s = m + channels * rows * columns;
            const int64_t to = (c * h + row) * w;
            for (int64_t i = 0; i < w; i++) {
                mu[to + i] = m[i] * unit * gain[c];
                eighths[to + i] = whole(s[i]) + offset[c];
                scale[to + i] = scale_of(eighths[to + i]);
            }
        }
    return OK;
}

/* Takes finer steps: mu, eighths and scale change in place. shift, factor: (hw,). */
EXPORT int take_finer_steps(float *mu, int32_t *eighths, uint8_t *scale, int64_t channels,
                            int64_t hw, const int32_t *shift, const float *factor)
{
    for (int64_t c = 0; c < channels; c++, mu += hw, eighths += hw, scale += hw)
        for (int64_t i = 0; i < hw; i++) {
            mu[i] *= factor[i];
            eighths[i] += shift[i];
            scale[i] = scale_of(eighths[i]);
        }
    return OK;
}

/* mu, eighths and scale of the second pass; where `first`, (hw,), those of the first pass stay. */
EXPORT int second_distributions(const float *head, int64_t channels, int64_t hw, float unit,
                                const float *sigmas, const uint8_t *first, const float *mu1,
                                const int32_t *eighths1, const uint8_t *scale1, float *mu,
                                int32_t *eighths, uint8_t *scale)
{
    for (int64_t c = 0; c < channels; c++) {
        const float *m = head + c * hw, *s = m + channels * hw;
        for (int64_t i = 0; i < hw; i++) {
            const int64_t at = c * hw + i;
            const float moved = mu1[at] + sigmas[scale1[at] & (SCALES - 1)] * m[i] * unit;
            const int32_t changed = eighths1[at] + whole(s[i]);
            mu[at] = first[i] ? mu1[at] : moved;
            eighths[at] = first[i] ? eighths1[at] : changed;
            scale[at] = first[i] ? scale1[at] : scale_of(changed);
        }
    }
    return OK;
}

/* sums: (hw,), of table[scale] over the channels. table: (64,). */
EXPORT int sum_by_scale(const uint8_t *scale, int64_t channels, int64_t hw, const int32_t *table,
                        int32_t *sums)
{
    for (int64_t i = 0; i < hw; i++)
        sums[i] = 0;
    for (int64_t c = 0; c < channels; c++, scale += hw)
        for (int64_t i = 0; i < hw; i++)
            sums[i] += table[scale[i] & (SCALES - 1)];
    return OK;
}

/* The positions of a pass that are coded: those of scales 1 to first_trellis - 1 by scale, the
   others by eighths, equal ones in raster order; both arrays have room for all.

   where: (hw,). ends: (64,), of each scale the end of its positions in `alone`. amount: how many
   positions are in `lanes`. tables: of those, the scale less 1. */
EXPORT int select_positions(const uint8_t *scale, const int32_t *eighths, int64_t channels,
                            int64_t hw, const uint8_t *where, int32_t first_trellis,
                            int32_t *alone, int64_t *ends, int32_t *lanes, uint16_t *tables,
                            int64_t *amount)
{
    int64_t at_scale[SCALES] = {0}, at_key[KEYS] = {0}, sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < hw; i++) {
                const int64_t at = c * hw + i;
                const int32_t s = where[i] ? scale[at] & (SCALES - 1) : 0;
                if (s == 0)
                    continue;
                if (s < first_trellis) {
                    if (pass)
                        alone[at_scale[s]] = (int32_t)at;
                    at_scale[s]++;
                } else {
                    const int32_t e = eighths[at];
                    const int32_t key = e < 0 ? 0 : e < KEYS ? e : KEYS - 1;
                    if (pass) {
                        lanes[at_key[key]] = (int32_t)at;
                        tables[at_key[key]] = (uint16_t)(s - 1);
                    }
                    at_key[key]++;
                }
            }
        if (pass)
            break;
        for (int s = 0; s < SCALES; s++) {
            const int64_t n = at_scale[s];
            at_scale[s] = sum;
            sum += n;
            ends[s] = sum;
        }
        sum = 0;
        for (int k = 0; k < KEYS; k++) {
            const int64_t n = at_key[k];
            at_key[k] = sum;
            sum += n;
        }
        *amount = sum;
    }
    return OK;
}

/* v = y * factor - mu at n positions. y, mu: planes. factor: (hw,). */
EXPORT int gather_residuals(const float *y, const float *factor, const float *mu, int64_t hw,
                            const int32_t *positions, int64_t n, float *v)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t at = positions[i];
        v[i] = y[at] * factor[(uint32_t)at % (uint32_t)hw] - mu[at];
    }
    return OK;
}

/* white[position] = 16 value / sigma, rounded, within +-limit. half_steps, whiteners: (n,), with
   `bits` bits behind the point in half a step. */
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
