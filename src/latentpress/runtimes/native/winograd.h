/* Winograd's F(4, 3) along rows: four sums of three products each by six multiplications instead of
   twelve. A tile is four neighboring columns of the output. The six columns of the input that it
   reads become six numbers (its points), the three weights of a row of the kernel become six, too;
   the products, summed over inputs and rows of the kernel, become the four sums. */

#ifndef LATENTPRESS_WINOGRAD_H
#define LATENTPRESS_WINOGRAD_H

#include <immintrin.h>

#include "avx2_finish.h"

enum { POINTS = 6, OF_TILE = 4 };

INLINE AVX2 void put_points(const __m256 *d, float *to, int64_t between)
{
    const __m256 two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), five = _mm256_set1_ps(5);
    const __m256 even = _mm256_fnmadd_ps(four, d[2], d[4]), odd = _mm256_fnmadd_ps(four, d[1], d[3]);
    const __m256 near = _mm256_sub_ps(d[4], d[2]), far = _mm256_sub_ps(d[3], d[1]);
    const __m256 first = _mm256_fnmadd_ps(five, d[2], _mm256_fmadd_ps(four, d[0], d[4]));
    const __m256 last = _mm256_fnmadd_ps(five, d[3], _mm256_fmadd_ps(four, d[1], d[5]));
    _mm256_storeu_ps(to, first);
    _mm256_storeu_ps(to + between, _mm256_add_ps(even, odd));
    _mm256_storeu_ps(to + 2 * between, _mm256_sub_ps(even, odd));
    _mm256_storeu_ps(to + 3 * between, _mm256_fmadd_ps(two, far, near));
    _mm256_storeu_ps(to + 4 * between, _mm256_fnmadd_ps(two, far, near));
    _mm256_storeu_ps(to + 5 * between, last);
}

/* The points of a tile's input, `channels` numbers each. known: columns that the input has from
   there on; the others are 0. between: from a point to the next one. */
INLINE AVX2 void transform_tile(const float *input, int64_t channels, int64_t known, float *to,
                                int64_t between)
{
    for (int64_t i = 0; i < channels; i += 8) {
        float few[8] = {0}, points[POINTS * 8];
        const int64_t left = channels - i;
        __m256 d[POINTS];
#pragma GCC unroll 6
        for (int k = 0; k < POINTS; k++) {
            d[k] = _mm256_setzero_ps();
            if (k < known && left >= 8)
                d[k] = _mm256_loadu_ps(input + k * channels + i);
            else if (k < known) {
                for (int64_t j = 0; j < left; j++)
                    few[j] = input[k * channels + i + j];
                d[k] = _mm256_loadu_ps(few);
            }
        }
        if (left >= 8)
            put_points(d, to + i, between);
        else {
            put_points(d, points, 8);
            for (int k = 0; k < POINTS; k++)
                for (int64_t j = 0; j < left; j++)
                    to[k * between + i + j] = points[k * 8 + j];
        }
    }
}

/* Sums of the products at a tile's points -> those of its four columns, eight channels of each.
   between: from a point to the next one. */
INLINE AVX2 void sums_of_tile(const float *products, int64_t between, __m256 start, __m256 *sums)
{
    const __m256 two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), eight = _mm256_set1_ps(8);
    __m256 m[POINTS];
#pragma GCC unroll 6
    for (int k = 0; k < POINTS; k++)
        m[k] = _mm256_loadu_ps(products + k * between);
    const __m256 even = _mm256_add_ps(m[1], m[2]), odd = _mm256_sub_ps(m[1], m[2]);
    const __m256 far_even = _mm256_add_ps(m[3], m[4]), far_odd = _mm256_sub_ps(m[3], m[4]);
    sums[0] = _mm256_add_ps(start, _mm256_add_ps(m[0], _mm256_add_ps(even, far_even)));
    sums[1] = _mm256_add_ps(start, _mm256_fmadd_ps(two, far_odd, odd));
    sums[2] = _mm256_add_ps(start, _mm256_fmadd_ps(four, far_even, even));
    sums[3] = _mm256_add_ps(start, _mm256_add_ps(m[5], _mm256_fmadd_ps(eight, far_odd, odd)));
}

#endif
