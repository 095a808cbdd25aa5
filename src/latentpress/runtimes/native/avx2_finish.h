/* What becomes of the sums of a convolution by AVX2: added to what is there, and written. */

#ifndef LATENTPRESS_AVX2_FINISH_H
#define LATENTPRESS_AVX2_FINISH_H

#include <immintrin.h>

#include "convolution.h"

#define LANES 16 /* output channels of a block of weights: two vectors */
#define AVX2 __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline))

/* Where the sums of one row and block go; pointers: to its first column. */
typedef struct {
    const float *added, *steps;
    float *floats;
    uint8_t *bytes;
    int64_t lanes; /* channels of the block */
} Target;

INLINE Target target_of(const Convolution *c, int64_t row, int64_t block)
{
    int64_t of_group = (c->channels + LANES - 1) / LANES;
    int64_t first = block % of_group * LANES, left = c->channels - first;
    int64_t line = row * c->groups + block / of_group;
    int64_t place = (c->writes.first + line) % c->writes.room;
    Target t;
    t.lanes = left < LANES ? left : LANES;
    t.steps = c->bytes ? c->inverse_steps + first : 0;
    t.floats = c->floats ? c->floats + place * c->floats_pitch + first : 0;
    t.bytes = c->bytes ? c->bytes + place * c->bytes_pitch + first : 0;
    t.added = 0;
    if (c->added)
        t.added = c->added + (c->adds.first + line) % c->adds.room * c->added_pitch + first;
    return t;
}

/* Levels of 16 channels, not yet within 0 .. 255, as bytes. */
INLINE AVX2 __m128i as_bytes(__m256i low, __m256i high)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    const __m256i words = _mm256_packs_epi32(low, high);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(bytes, order));
}

/* A whole block at once, a part of one a number at a time. */
INLINE AVX2 void finish(const Convolution *c, const Target *t, __m256 low, __m256 high,
                        int64_t column)
{
    int64_t at = column * c->channels;
    if (t->lanes == LANES) {
        if (t->added) {
            low = _mm256_add_ps(low, _mm256_loadu_ps(t->added + at));
            high = _mm256_add_ps(high, _mm256_loadu_ps(t->added + at + 8));
        }
        if (c->is_relu) {
            low = _mm256_max_ps(low, _mm256_setzero_ps());
            high = _mm256_max_ps(high, _mm256_setzero_ps());
        }
        if (t->floats) {
            _mm256_storeu_ps(t->floats + at, low);
            _mm256_storeu_ps(t->floats + at + 8, high);
        }
        if (t->bytes) {
            const __m256i zero = _mm256_set1_epi32(c->zero);
            low = _mm256_mul_ps(low, _mm256_loadu_ps(t->steps));
            high = _mm256_mul_ps(high, _mm256_loadu_ps(t->steps + 8));
            const __m128i levels = as_bytes(_mm256_add_epi32(_mm256_cvtps_epi32(low), zero),
                                            _mm256_add_epi32(_mm256_cvtps_epi32(high), zero));
            _mm_storeu_si128((__m128i *)(t->bytes + at), levels);
        }
        return;
    }
    float sums[LANES];
    _mm256_storeu_ps(sums, low);
    _mm256_storeu_ps(sums + 8, high);
    for (int64_t i = 0; i < t->lanes; i++) {
        float sum = sums[i] + (t->added ? t->added[at + i] : 0);
        if (c->is_relu && sum < 0)
            sum = 0;
        if (t->floats)
            t->floats[at + i] = sum;
        if (t->bytes) {
            int32_t level = _mm_cvtss_si32(_mm_set_ss(sum * t->steps[i])) + c->zero;
            t->bytes[at + i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}

#endif
