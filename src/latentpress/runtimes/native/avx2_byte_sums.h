/* Included once for each way of multiplying, for functions of their own. To be defined before:
     SUM_SOME, SUM_ALL, TARGET   their names, and what they are compiled for
     PRODUCT                     (sums, x, w): 8 sums and the products of w, the next four bytes
                                 of the weights of 8 channels, and x, four bytes of the input 8
                                 times */

/* Some neighboring positions, a constant of the call, times a block of 16 channels. */
INLINE TARGET void SUM_SOME(const Convolution *c, const uint8_t *input, int64_t place,
                            const int8_t *weights, int32_t *sums, const int positions)
{
    const int64_t fours = (c->run + 3) / 4, of_row = (c->run + TILE - 1) / TILE * TILE * LANES;
    __m256i low[TOGETHER], high[TOGETHER];
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++)
        low[p] = high[p] = _mm256_setzero_si256();
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const int64_t below = place + k < c->reads.room ? place + k : place + k - c->reads.room;
        const uint8_t *in = input + below * c->pitch;
        const int8_t *w = weights + k * of_row;
        for (int64_t g = 0; g < fours; g++, in += 4, w += 4 * LANES) {
            const __m256i a = _mm256_loadu_si256((const __m256i *)w);
            const __m256i b = _mm256_loadu_si256((const __m256i *)(w + 2 * LANES));
#pragma GCC unroll 6
            for (int p = 0; p < positions; p++) {
                int32_t four;
                memcpy(&four, in + p * c->column_step, 4);
                const __m256i x = _mm256_set1_epi32(four);
                low[p] = PRODUCT(low[p], x, a);
                high[p] = PRODUCT(high[p], x, b);
            }
        }
    }
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++) {
        _mm256_storeu_si256((__m256i *)(sums + p * LANES), low[p]);
        _mm256_storeu_si256((__m256i *)(sums + p * LANES + 8), high[p]);
    }
}

/* So many neighboring positions; sums: (positions, LANES). */
static TARGET void SUM_ALL(const Convolution *c, const uint8_t *input, int64_t place,
                           const int8_t *weights, int32_t *sums, int64_t positions)
{
    int64_t p = 0;
    for (; p + TOGETHER <= positions; p += TOGETHER)
        SUM_SOME(c, input + p * c->column_step, place, weights, sums + p * LANES, TOGETHER);
    for (; p + 2 <= positions; p += 2)
        SUM_SOME(c, input + p * c->column_step, place, weights, sums + p * LANES, 2);
    if (p < positions)
        SUM_SOME(c, input + p * c->column_step, place, weights, sums + p * LANES, 1);
}

#undef SUM_SOME
#undef SUM_ALL
#undef TARGET
#undef PRODUCT
