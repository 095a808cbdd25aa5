/* What becomes of the sums of a convolution: scaled, added to what is there, and written. */

#ifndef LATENTPRESS_FINISH_H
#define LATENTPRESS_FINISH_H

#include <immintrin.h>

#include "convolution.h"

#define LANES 16 /* floats of a vector, output channels of a block of weights */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define HALVES __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16")))
#define AMX                                                                                        \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16,amx-tile,amx-int8,"    \
                          "amx-bf16")))
#define INLINE static inline __attribute__((always_inline))

/* Where the sums of one row and block of 16 output channels go; pointers: to its first column. */
typedef struct {
    __m512 scale, bias, steps;
    const float *added;
    float *floats;
    uint8_t *bytes;
    uint16_t *halves;
    int64_t channels; /* from a column to the next one */
    __mmask16 lanes;
} Target;

INLINE int64_t blocks_of_group(const Convolution *c)
{
    return (c->channels + LANES - 1) / LANES;
}

INLINE int64_t blocks_of(const Convolution *c)
{
    return c->groups * blocks_of_group(c);
}

INLINE int64_t place_of(const Ring *ring, int64_t row)
{
    return (ring->first + row) % ring->room;
}

/* Of row `row` of a kernel at the first of whose rows the input has this place. */
INLINE int64_t place_below(const Ring *ring, int64_t place, int64_t row)
{
    return place + row < ring->room ? place + row : place + row - ring->room;
}

INLINE AVX512 Target target_of(const Convolution *c, int64_t row, int64_t block)
{
    int64_t first = block % blocks_of_group(c) * LANES;
    int64_t line = row * c->groups + block / blocks_of_group(c);
    int64_t place = place_of(&c->writes, line);
    int64_t left = c->channels - first;
    Target t;
    t.lanes = left >= LANES ? 0xffff : (__mmask16)((1 << left) - 1);
    t.channels = c->channels;
    t.bias = _mm512_loadu_ps(c->biases + block * LANES);
    t.scale = c->is_bytes ? _mm512_loadu_ps(c->scales + block * LANES) : _mm512_set1_ps(1);
    t.steps = c->bytes ? _mm512_maskz_loadu_ps(t.lanes, c->inverse_steps + first) : t.bias;
    t.added = c->added ? c->added + place_of(&c->adds, line) * c->added_pitch + first : 0;
    t.floats = c->floats ? c->floats + place * c->floats_pitch + first : 0;
    t.bytes = c->bytes ? c->bytes + place * c->bytes_pitch + first : 0;
    t.halves = c->halves ? c->halves + place * c->halves_pitch + first : 0;
    return t;
}

INLINE AVX512 __m512 of_bytes(const Target *t, __m512i sum)
{
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), t->scale, t->bias);
}

/* The upper halves of floats, rounded to the nearest even as the instructions for bfloat16 do. */
INLINE AVX512 __m256i upper_halves(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i is_odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    bits = _mm512_add_epi32(bits, _mm512_add_epi32(is_odd, _mm512_set1_epi32(0x7fff)));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16));
}

INLINE AVX512 void finish(const Convolution *c, const Target *t, __m512 sum, int64_t column)
{
    int64_t at = column * t->channels;
    if (t->added)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(t->lanes, t->added + at));
    if (c->is_relu)
        sum = _mm512_max_ps(sum, _mm512_setzero_ps());
    if (t->floats)
        _mm512_mask_storeu_ps(t->floats + at, t->lanes, sum);
    if (t->halves)
        _mm256_mask_storeu_epi16(t->halves + at, t->lanes, upper_halves(sum));
    if (t->bytes) {
        __m512i levels = _mm512_cvtps_epi32(_mm512_mul_ps(sum, t->steps));
        levels = _mm512_add_epi32(levels, _mm512_set1_epi32(c->zero));
        levels = _mm512_max_epi32(levels, _mm512_setzero_si512());
        _mm_mask_storeu_epi8(t->bytes + at, t->lanes, _mm512_cvtusepi32_epi8(levels));
    }
}

/* The same of two whole blocks side by side, on processors with AMX: b's channels follow a's. */
INLINE AMX void finish_two(const Convolution *c, const Target *a, const Target *b, __m512 left,
                              __m512 right, int64_t column)
{
    int64_t at = column * a->channels;
    if (a->added) {
        left = _mm512_add_ps(left, _mm512_loadu_ps(a->added + at));
        right = _mm512_add_ps(right, _mm512_loadu_ps(a->added + at + LANES));
    }
    if (c->is_relu) {
        left = _mm512_max_ps(left, _mm512_setzero_ps());
        right = _mm512_max_ps(right, _mm512_setzero_ps());
    }
    if (a->floats) {
        _mm512_storeu_ps(a->floats + at, left);
        _mm512_storeu_ps(a->floats + at + LANES, right);
    }
    if (a->halves)
        _mm512_storeu_si512(a->halves + at, (__m512i)_mm512_cvtne2ps_pbh(right, left));
    if (a->bytes) {
        const __m512i order =
            _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13);
        __m512i levels = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(left, a->steps)),
                                            _mm512_cvtps_epi32(_mm512_mul_ps(right, b->steps)));
        levels = _mm512_adds_epi16(levels, _mm512_set1_epi16((short)c->zero));
        levels = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(levels, levels));
        _mm256_storeu_si256((__m256i *)(a->bytes + at), _mm512_castsi512_si256(levels));
    }
}

#endif
