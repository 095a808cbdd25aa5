/* Sums of whole numbers by AVX2 alone, which multiplies pairs of 16 bits: bytes of the input are
   made such numbers, those of all channels of 16 positions at a time. */

#include "avx2_integers.h"

#if HAS_VECTORS

#include "avx2_integer_finish.h"

enum { TOGETHER = 6 }; /* positions that are summed at a time: as many as the registers hold */

/* The numbers of one part of a row, summand after summand and kernel row after kernel row. */
static __thread int16_t numbers[MOST_NUMBERS];

/* Numbers that 16 positions read of a row of the input: of an even number of them. */
INLINE int64_t numbers_of_row(const Summand *s)
{
    return ((POSITIONS - 1) * s->column_step + s->run + 1) / 2 * 2;
}

static AVX2 void widen(const IntegerLayer *c, int64_t row, int64_t column, int64_t positions)
{
    int16_t *to = numbers;
    for (const Summand *s = c->summands; s < c->summands + c->count; s++) {
        const int64_t count = (positions - 1) * s->column_step + s->run;
        for (int64_t k = 0; k < s->kernel_rows; k++, to += numbers_of_row(s)) {
            const uint8_t *in = s->input + (row + k) * s->pitch + column * s->column_step;
            for (int64_t i = 0; i < count; i++)
                to[i] = in[i];
        }
    }
}

/* Some positions from `first` on, a constant of the call, times a block of 16 channels. */
INLINE AVX2 void sum_pairs(const IntegerLayer *c, int64_t first, int64_t block, int32_t *sums,
                           const int positions)
{
    __m256i low[TOGETHER], high[TOGETHER];
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++)
        low[p] = high[p] = _mm256_setzero_si256();
    const int16_t *in = numbers;
    for (const Summand *s = c->summands; s < c->summands + c->count; s++) {
        const int64_t pairs = (s->run + 1) / 2;
        for (int64_t k = 0; k < s->kernel_rows; k++, in += numbers_of_row(s)) {
            const int16_t *own = in + first * s->column_step;
            const int8_t *w = s->weights + block * of_block(s) + k * of_row(s);
            for (int64_t g = 0; g < pairs; g++, own += 2, w += TILE) {
                const __m256i a = _mm256_loadu_si256((const __m256i *)w);
                const __m256i b = _mm256_loadu_si256((const __m256i *)(w + TILE / 2));
#pragma GCC unroll 6
                for (int p = 0; p < positions; p++) {
                    int32_t two;
                    memcpy(&two, own + p * s->column_step, 4);
                    const __m256i x = _mm256_set1_epi32(two);
                    low[p] = _mm256_add_epi32(low[p], _mm256_madd_epi16(x, a));
                    high[p] = _mm256_add_epi32(high[p], _mm256_madd_epi16(x, b));
                }
            }
        }
    }
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++) {
        _mm256_storeu_si256((__m256i *)(sums + p * LANES), low[p]);
        _mm256_storeu_si256((__m256i *)(sums + p * LANES + 8), high[p]);
    }
}

AVX2 void integers_by_pairs(const IntegerLayer *c, int64_t first, int64_t end)
{
    int32_t sums[POSITIONS * LANES];
    const int32_t none[POSITIONS * LANES] = {0};
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    for (int64_t row = first; row < end; row++)
        for (int64_t column = 0; column < c->columns; column += POSITIONS) {
            const int64_t left = c->columns - column;
            const int64_t count = left < POSITIONS ? left : POSITIONS;
            widen(c, row, column, count);
            for (int64_t block = 0; block < blocks; block++) {
                int64_t p = 0;
                for (; p + TOGETHER <= count; p += TOGETHER)
                    sum_pairs(c, p, block, sums + p * LANES, TOGETHER);
                for (; p + 4 <= count; p += 4)
                    sum_pairs(c, p, block, sums + p * LANES, 4);
                for (; p < count; p++)
                    sum_pairs(c, p, block, sums + p * LANES, 1);
                finish_integers(c, sums, none, row, column, block);
            }
        }
}

#endif
