/* Included once for each way of multiplying, for functions of their own. To be defined before:
     SUM, ROWS, TARGET   their names, and what they are compiled for
     PRODUCT             (sums, x, w): 8 sums and the products of w, the next four bytes of the
                         weights of 8 channels, and x, four bytes of the input 8 times */

/* Some neighboring positions of a row, a constant of the call, times a block of 16 channels: the
   sums with the first byte of the weights, then those with the second one. */
INLINE TARGET void SUM(const IntegerLayer *c, int64_t row, int64_t column, int64_t block,
                       int32_t *low, int32_t *high, const int positions)
{
    __m256i sums[TOGETHER][2][2];
#pragma GCC unroll 2
    for (int p = 0; p < positions; p++)
        sums[p][0][0] = sums[p][0][1] = sums[p][1][0] = sums[p][1][1] = _mm256_setzero_si256();
    for (const Summand *s = c->summands; s < c->summands + c->count; s++) {
        const int64_t fours = (s->run + 3) / 4;
        for (int64_t k = 0; k < s->kernel_rows; k++) {
            const uint8_t *in = s->input + (row + k) * s->pitch + column * s->column_step;
            const int8_t *w = s->weights + block * of_block(s) + k * of_row(s);
            for (int64_t g = 0; g < fours; g++) {
                const int8_t *at = w + g / 16 * 2 * TILE_BYTES + g % 16 * TILE;
                __m256i factors[2][2];
#pragma GCC unroll 2
                for (int i = 0; i < 2; i++) {
                    factors[i][0] = _mm256_loadu_si256((const __m256i *)(at + i * TILE_BYTES));
                    factors[i][1] = _mm256_loadu_si256((const __m256i *)(at + i * TILE_BYTES + 32));
                }
#pragma GCC unroll 2
                for (int p = 0; p < positions; p++) {
                    int32_t four;
                    memcpy(&four, in + p * s->column_step + g * 4, 4);
                    const __m256i x = _mm256_set1_epi32(four);
                    sums[p][0][0] = PRODUCT(sums[p][0][0], x, factors[0][0]);
                    sums[p][0][1] = PRODUCT(sums[p][0][1], x, factors[0][1]);
                    sums[p][1][0] = PRODUCT(sums[p][1][0], x, factors[1][0]);
                    sums[p][1][1] = PRODUCT(sums[p][1][1], x, factors[1][1]);
                }
            }
        }
    }
#pragma GCC unroll 2
    for (int p = 0; p < positions; p++) {
        _mm256_storeu_si256((__m256i *)(low + p * LANES), sums[p][0][0]);
        _mm256_storeu_si256((__m256i *)(low + p * LANES + 8), sums[p][0][1]);
        _mm256_storeu_si256((__m256i *)(high + p * LANES), sums[p][1][0]);
        _mm256_storeu_si256((__m256i *)(high + p * LANES + 8), sums[p][1][1]);
    }
}

static TARGET void ROWS(const IntegerLayer *c, int64_t first, int64_t end)
{
    int32_t low[POSITIONS * LANES], high[POSITIONS * LANES];
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t row = first; row < end; row++)
            for (int64_t column = 0; column < c->columns; column += POSITIONS) {
                const int64_t left = c->columns - column;
                const int64_t count = left < POSITIONS ? left : POSITIONS;
                int64_t p = 0;
                for (; p + TOGETHER <= count; p += TOGETHER)
                    SUM(c, row, column + p, block, low + p * LANES, high + p * LANES, TOGETHER);
                if (p < count)
                    SUM(c, row, column + p, block, low + p * LANES, high + p * LANES, 1);
                finish_integers(c, low, high, row, column, block);
            }
}

#undef SUM
#undef ROWS
#undef TARGET
#undef PRODUCT
