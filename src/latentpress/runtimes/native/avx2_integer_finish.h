/* What becomes of sums of whole numbers by AVX2. */

#ifndef LATENTPRESS_AVX2_INTEGER_FINISH_H
#define LATENTPRESS_AVX2_INTEGER_FINISH_H

#include <string.h>

#include "avx2_finish.h"
#include "integers.h"

#define POSITIONS 16 /* that are finished at a time */

/* Eight channels of a position: what is written, as floats. at: the first channel's place. */
INLINE AVX2 __m256 exactly(const IntegerLayer *c, const int32_t *low, const int32_t *high,
                           int64_t at)
{
    const __m256i start = _mm256_loadu_si256((const __m256i *)(c->starts + at));
    __m256i sum = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)high), 8);
    sum = _mm256_add_epi32(sum, _mm256_loadu_si256((const __m256i *)low));
    __m256 exact = _mm256_cvtepi32_ps(_mm256_add_epi32(sum, start));
    exact = _mm256_add_ps(exact, _mm256_loadu_ps(c->biases + at));
    exact = _mm256_mul_ps(exact, _mm256_loadu_ps(c->scales + at));
    return _mm256_round_ps(exact, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* As of integers.c. low, high: (POSITIONS, 16 channels), sums with the first and with the second
   byte of the weights. */
INLINE AVX2 void finish_integers(const IntegerLayer *c, const int32_t *low, const int32_t *high,
                                 int64_t row, int64_t column, int64_t block)
{
    const int64_t blocks = (c->channels + LANES - 1) / LANES;
    const int64_t first = block % blocks * LANES, line = row * c->groups + block / blocks;
    const int64_t left = c->channels - first, last = c->columns - column;
    const int64_t lanes = left < LANES ? left : LANES;
    const int64_t positions = last < POSITIONS ? last : POSITIONS;
    float found[POSITIONS][LANES];
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < LANES; i += 8)
            _mm256_storeu_ps(found[p] + i, exactly(c, low + p * LANES + i, high + p * LANES + i,
                                                   block * LANES + i));
    if (c->bytes) {
        uint8_t *to = c->bytes + line * c->bytes_pitch + column * c->channels + first;
        for (int64_t p = 0; p < positions; p++, to += c->channels) {
            uint8_t levels[LANES];
            const __m256i a = _mm256_cvtps_epi32(_mm256_loadu_ps(found[p]));
            const __m256i b = _mm256_cvtps_epi32(_mm256_loadu_ps(found[p] + 8));
            _mm_storeu_si128((__m128i *)levels, as_bytes(a, b));
            memcpy(to, levels, (size_t)lanes);
        }
    }
    if (c->floats) {
        float *to = c->floats + first * c->plane + line * c->floats_pitch + column;
        for (int64_t i = 0; i < lanes; i++, to += c->plane)
            for (int64_t p = 0; p < positions; p++)
                to[p] = found[p][i];
    }
}

#endif
