/* Weights as convolution.c reads them: conversion and reordering in one pass over the file's numbers,
   in double precision, so that levels are those of the same formula in NumPy. */

#include "weights.h"

#if HAS_VECTORS

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "halves.h"

#define LANES 16
#define LEVELS 127 /* the largest */
#define POINTS 24  /* of winograd.c */
#define AVX2 __attribute__((target("avx2,f16c")))

/* By kind: numbers of a run that lie together, what runs are filled up to, bytes of a number. */
static const int64_t TOGETHER[] = {1, 2, 4, 1}, FILLED[] = {1, 32, 64, 1}, SIZE[] = {4, 2, 1, 4};

static AVX2 void read_numbers(const void *weights, int is_float16, int64_t first, int64_t count,
                              double *out)
{
    const uint16_t *halves = (const uint16_t *)weights + first;
    const float *floats = (const float *)weights + first;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m128 four;
        if (is_float16)
            four = _mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(halves + i)));
        else
            four = _mm_loadu_ps(floats + i);
        _mm256_storeu_pd(out + i, _mm256_cvtps_pd(four));
    }
    for (; i < count; i++)
        out[i] = is_float16 ? _cvtsh_ss(halves[i]) : floats[i];
}

static int is_set(const uint8_t *bits, int64_t i) { return bits[i / 8] >> i % 8 & 1; }

/* Numbers (I, H W) times their inputs' steps become levels. turned: NULL, or the bits of which the
   first of these numbers has number `first`. */
static AVX2 void to_levels(double *numbers, int64_t inputs, int64_t taps, const double *steps,
                           const uint8_t *turned, int64_t first, double *scale, double *sum)
{
    double largest = 0, total = 0;
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t t = 0; t < taps; t++) {
            double *number = numbers + i * taps + t;
            *number *= steps[i];
            largest = fabs(*number) > largest ? fabs(*number) : largest;
        }
    *scale = largest / LEVELS;
    if (*scale == 0)
        *scale = 1;
    for (int64_t k = 0; k < inputs * taps; k++) {
        const double exact = numbers[k] / *scale;
        numbers[k] = rint(exact);
        if (turned && is_set(turned, first + k))
            numbers[k] += exact > numbers[k] ? 1 : -1;
    }
    for (int64_t k = 0; k < inputs * taps; k++)
        total += numbers[k];
    *sum = total;
}

/* Numbers (I, rows, columns) of one place, to where its lane begins in `packed`. kind: constant. */
static inline __attribute__((always_inline)) void
put_lane(const double *numbers, int64_t inputs, int64_t rows, int64_t columns, int64_t run,
         const int kind, void *packed, int64_t lane)
{
    const int64_t n = TOGETHER[kind], taps = rows * columns;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            const double *from = numbers + row * columns + column;
            const int64_t to = lane + row * run * LANES;
            for (int64_t i = 0, k = column * inputs; i < inputs; i++, k++, from += taps) {
                const int64_t at = to + k / n * n * LANES + k % n;
                if (kind == OF_BYTES)
                    ((int8_t *)packed)[at] = (int8_t)*from;
                else if (kind == OF_HALVES)
                    ((uint16_t *)packed)[at] = upper_half((float)*from);
                else
                    ((float *)packed)[at] = (float)*from;
            }
        }
}

/* Kernels (count, 3, 3) -> their points (24, count). */
static AVX2 void to_points(const double *numbers, int64_t count, double *points)
{
    for (int64_t i = 0; i < count; i++, numbers += 9, points++) {
        double rows[4][3];
        for (int k = 0; k < 3; k++) {
            const double a = numbers[k], b = numbers[3 + k], c = numbers[6 + k];
            rows[0][k] = a;
            rows[1][k] = (a + b + c) * .5;
            rows[2][k] = (a - b + c) * .5;
            rows[3][k] = c;
        }
        for (int r = 0; r < 4; r++) {
            const double a = rows[r][0], b = rows[r][1], c = rows[r][2];
            double *to = points + r * 6 * count;
            to[0] = a * .25;
            to[count] = (a + b + c) * (-1. / 6);
            to[2 * count] = (a - b + c) * (-1. / 6);
            to[3 * count] = (a + 2 * b + 4 * c) * (1. / 24);
            to[4 * count] = (a - 2 * b + 4 * c) * (1. / 24);
            to[5 * count] = c;
        }
    }
}

EXPORT AVX2 void pack_weights(const void *weights, int is_float16, int64_t inputs, int64_t rows,
                              int64_t columns, const int32_t *order, int64_t places, int kind,
                              const double *steps, const uint8_t *turned, void *packed,
                              double *scales, double *sums, double *scratch)
{
    const int64_t count = inputs * rows * columns;
    const int64_t run = (columns * inputs + FILLED[kind] - 1) / FILLED[kind] * FILLED[kind];
    const int64_t of_point = inputs * LANES;
    const int64_t of_block = kind == OF_POINTS ? POINTS * of_point : rows * run * LANES;
    memset(packed, 0, (size_t)(places / LANES * of_block * SIZE[kind]));
    for (int64_t place = 0; place < places; place++) {
        if (kind == OF_BYTES)
            scales[place] = 1, sums[place] = 0;
        if (order[place] < 0)
            continue;
        const int64_t lane = place / LANES * of_block + place % LANES * TOGETHER[kind];
        read_numbers(weights, is_float16, order[place] * count, count, scratch);
        if (kind == OF_BYTES) {
            to_levels(scratch, inputs, rows * columns, steps, turned, order[place] * count,
                      scales + place, sums + place);
            put_lane(scratch, inputs, rows, columns, run, OF_BYTES, packed, lane);
        } else if (kind == OF_POINTS) {
            double *points = scratch + count;
            to_points(scratch, inputs, points);
            for (int64_t p = 0; p < POINTS; p++)
                put_lane(points + p * inputs, inputs, 1, 1, inputs, OF_FLOATS, packed,
                         lane + p * of_point);
        } else if (kind == OF_HALVES)
            put_lane(scratch, inputs, rows, columns, run, OF_HALVES, packed, lane);
        else
            put_lane(scratch, inputs, rows, columns, run, OF_FLOATS, packed, lane);
    }
}

#else

EXPORT void pack_weights(const void *weights, int is_float16, int64_t inputs, int64_t rows,
                         int64_t columns, const int32_t *order, int64_t places, int kind,
                         const double *steps, const uint8_t *turned, void *packed,
                         double *scales, double *sums, double *scratch)
{
    (void)weights, (void)is_float16, (void)inputs, (void)rows, (void)columns, (void)order;
    (void)places, (void)kind, (void)steps, (void)turned, (void)packed, (void)scales, (void)sums;
    (void)scratch;
}

#endif
