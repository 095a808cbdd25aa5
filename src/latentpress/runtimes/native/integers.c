/* Sums of bytes times weights of 16 bits, for the networks whose numbers must be the same on every
   machine. A weight is 256 high + low, both signed bytes; VNNI and AMX sum the products with either
   in 32 bits, which nothing rounds. */

#include "integers.h"

#include <string.h>

#define LANES 16 /* output channels of a block of weights */

EXPORT void pack_integers(const int16_t *weights, int64_t inputs, int64_t rows, int64_t columns,
                          const int32_t *order, int64_t places, int how, int8_t *packed,
                          int32_t *sums)
{
    const int64_t run = columns * inputs, steps = (run + TILE - 1) / TILE;
    const int64_t of_block = rows * steps * 2 * TILE_BYTES;
    memset(packed, 0, (size_t)(places / LANES * of_block));
    for (int64_t place = 0; place < places; place++) {
        sums[place] = 0;
        if (order[place] < 0)
            continue;
        const int16_t *own = weights + order[place] * inputs * rows * columns;
        int8_t *block = packed + place / LANES * of_block + place % LANES * 4;
        for (int64_t i = 0; i < inputs; i++)
            for (int64_t row = 0; row < rows; row++)
                for (int64_t column = 0; column < columns; column++) {
                    const int64_t at = column * inputs + i;
                    const int16_t weight = *own++;
                    sums[place] += weight;
                    if (how == AVX2_ALONE) {
                        memcpy(block + row * steps * 2 * TILE_BYTES + at / 2 * TILE + at % 2 * 2,
                               &weight, 2);
                        continue;
                    }
                    int8_t *low = block + (row * steps + at / TILE) * 2 * TILE_BYTES +
                                  at % TILE / 4 * TILE + at % 4;
                    *low = (int8_t)(weight & 255);
                    low[TILE_BYTES] = (int8_t)((weight - *low) / 256);
                }
    }
}

#if HAS_VECTORS

#include <immintrin.h>

#include "avx2_integers.h"
#include "tiles.h"

#define WIDE 6 /* positions that are summed at a time */
#define TILE_ROWS 16
#define PART (TILE_ROWS * LANES) /* sums of 16 positions */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,amx-tile,amx-int8")))
#define INLINE static inline __attribute__((always_inline))

INLINE AVX512 void transpose(__m512 *r)
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            __m512d a = _mm512_castps_pd(t[i + k]), b = _mm512_castps_pd(t[i + 2 + k]);
            r[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            r[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    for (int i = 0; i < 16; i += 8)
        for (int k = 0; k < 4; k++) {
            t[i + k] = _mm512_shuffle_f32x4(r[i + k], r[i + 4 + k], 0x88);
            t[i + 4 + k] = _mm512_shuffle_f32x4(r[i + k], r[i + 4 + k], 0xdd);
        }
    for (int k = 0; k < 8; k++) {
        r[k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0x88);
        r[8 + k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0xdd);
    }
}

/* What becomes of the sums of up to 16 positions of a row and a block of 16 output channels. low,
   high: (16 positions, 16 channels). */
INLINE AVX512 void finish_integers(const IntegerLayer *c, const int32_t *low, const int32_t *high,
                                   int64_t row, int64_t column, int64_t block)
{
    const int64_t blocks = (c->channels + LANES - 1) / LANES;
    const int64_t first = block % blocks * LANES, line = row * c->groups + block / blocks;
    const int64_t left = c->channels - first, last = c->columns - column;
    const __mmask16 lanes = left >= LANES ? 0xffff : (__mmask16)((1 << left) - 1);
    const __m512i start = _mm512_loadu_si512(c->starts + block * LANES);
    const __m512 bias = _mm512_loadu_ps(c->biases + block * LANES);
    const __m512 scale = _mm512_loadu_ps(c->scales + block * LANES);
    const int positions = last < TILE_ROWS ? (int)last : TILE_ROWS;
    __m512 found[TILE_ROWS];
    for (int p = 0; p < TILE_ROWS; p++) {
        __m512i sum = _mm512_slli_epi32(_mm512_loadu_si512(high + p * LANES), 8);
        sum = _mm512_add_epi32(sum, _mm512_loadu_si512(low + p * LANES));
        __m512 exact = _mm512_cvtepi32_ps(_mm512_add_epi32(sum, start));
        exact = _mm512_mul_ps(_mm512_add_ps(exact, bias), scale);
        found[p] = _mm512_roundscale_ps(exact, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    if (c->bytes) {
        uint8_t *to = c->bytes + line * c->bytes_pitch + column * c->channels + first;
        for (int p = 0; p < positions; p++, to += c->channels) {
            __m512i levels = _mm512_cvtps_epi32(_mm512_max_ps(found[p], _mm512_setzero_ps()));
            _mm_mask_storeu_epi8(to, lanes, _mm512_cvtusepi32_epi8(levels));
        }
    }
    if (c->floats) {
        const __mmask16 cells = positions < TILE_ROWS ? (__mmask16)((1 << positions) - 1) : 0xffff;
        float *to = c->floats + first * c->plane + line * c->floats_pitch + column;
        transpose(found);
        for (int64_t p = 0; p < (left < LANES ? left : LANES); p++, to += c->plane)
            _mm512_mask_storeu_ps(to, cells, found[p]);
    }
}

/* `positions` of a row, times a block: the two kinds of sums, from `place` on. */
INLINE AVX512 void by_vnni(const IntegerLayer *c, int64_t row, int64_t column, int64_t block,
                           const int positions, int32_t *low, int32_t *high)
{
    __m512i sums[WIDE][2];
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
        sums[p][0] = sums[p][1] = _mm512_setzero_si512();
    for (const Summand *s = c->summands; s < c->summands + c->count; s++) {
        const int64_t fours = (s->run + 3) / 4;
        for (int64_t k = 0; k < s->kernel_rows; k++) {
            const uint8_t *in = s->input + (row + k) * s->pitch + column * s->column_step;
            const int8_t *w = s->weights + block * of_block(s) + k * of_row(s);
            for (int64_t g = 0; g < fours; g++) {
                const int8_t *at = w + g / 16 * 2 * TILE_BYTES + g % 16 * TILE;
                const __m512i a = _mm512_loadu_si512(at), b = _mm512_loadu_si512(at + TILE_BYTES);
#pragma GCC unroll 8
                for (int p = 0; p < positions; p++) {
                    int32_t four;
                    memcpy(&four, in + p * s->column_step + g * 4, 4);
                    const __m512i x = _mm512_set1_epi32(four);
                    sums[p][0] = _mm512_dpbusd_epi32(sums[p][0], x, a);
                    sums[p][1] = _mm512_dpbusd_epi32(sums[p][1], x, b);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++) {
        _mm512_storeu_si512(low + p * LANES, sums[p][0]);
        _mm512_storeu_si512(high + p * LANES, sums[p][1]);
    }
}

static AVX512 void rows_by_vnni(const IntegerLayer *c, int64_t first, int64_t end)
{
    int32_t low[PART] = {0}, high[PART] = {0};
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t row = first; row < end; row++)
            for (int64_t column = 0; column < c->columns; column += TILE_ROWS) {
                const int64_t left = c->columns - column;
                const int64_t count = left < TILE_ROWS ? left : TILE_ROWS;
                int64_t p = 0;
                for (; p + WIDE <= count; p += WIDE)
                    by_vnni(c, row, column + p, block, WIDE, low + p * LANES, high + p * LANES);
                for (; p + 4 <= count; p += 4)
                    by_vnni(c, row, column + p, block, 4, low + p * LANES, high + p * LANES);
                for (; p < count; p++)
                    by_vnni(c, row, column + p, block, 1, low + p * LANES, high + p * LANES);
                finish_integers(c, low, high, row, column, block);
            }
}

/* 16 positions of a row, or 32 where it is wide, times a block. sums: four parts: low and high of
   the first 16, then of the others. */
INLINE AMX void by_amx(const IntegerLayer *c, int64_t row, int64_t column, int64_t block,
                       const int is_wide, int32_t *sums)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (const Summand *s = c->summands; s < c->summands + c->count; s++) {
        const int8_t *w = s->weights + block * of_block(s);
        const int64_t step = s->column_step;
        for (int64_t k = 0; k < s->kernel_rows; k++) {
            const uint8_t *in = s->input + (row + k) * s->pitch + column * step;
            for (int64_t i = 0; i < steps_of(s); i++, w += 2 * TILE_BYTES, in += TILE) {
                _tile_loadd(4, in, step);
                _tile_loadd(6, w, TILE);
                _tile_dpbusd(0, 4, 6);
                _tile_loadd(7, w + TILE_BYTES, TILE);
                _tile_dpbusd(1, 4, 7);
                if (is_wide) {
                    _tile_loadd(5, in + TILE_ROWS * step, step);
                    _tile_dpbusd(2, 5, 6);
                    _tile_dpbusd(3, 5, 7);
                }
            }
        }
    }
    _tile_stored(0, sums, TILE);
    _tile_stored(1, sums + PART, TILE);
    if (is_wide) {
        _tile_stored(2, sums + 2 * PART, TILE);
        _tile_stored(3, sums + 3 * PART, TILE);
    }
}

static AMX void rows_by_amx(const IntegerLayer *c, int64_t first, int64_t end)
{
    configure_tiles();
    int32_t sums[4 * PART] __attribute__((aligned(64)));
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t row = first; row < end; row++)
            for (int64_t column = 0; column < c->columns; column += 2 * TILE_ROWS) {
                const int is_wide = c->columns - column > TILE_ROWS;
                if (is_wide)
                    by_amx(c, row, column, block, 1, sums);
                else
                    by_amx(c, row, column, block, 0, sums);
                finish_integers(c, sums, sums + PART, row, column, block);
                if (is_wide)
                    finish_integers(c, sums + 2 * PART, sums + 3 * PART, row, column + TILE_ROWS,
                                    block);
            }
    release_tiles();
}

EXPORT void sum_integers(const IntegerLayer *c, int64_t first, int64_t end, int how)
{
    if (how == VNNI_AND_AMX)
        rows_by_amx(c, first, end);
    else if (how == AVX2_AND_VNNI)
        integers_by_avx2(c, first, end);
    else if (how == AVX2_ALONE)
        integers_by_pairs(c, first, end);
    else
        rows_by_vnni(c, first, end);
}

#else

EXPORT void sum_integers(const IntegerLayer *c, int64_t first, int64_t end, int how)
{
    (void)c, (void)first, (void)end, (void)how;
}

#endif
