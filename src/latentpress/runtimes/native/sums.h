/* Included once for each kind of numbers, for a function of its own. To be defined before:
     SUM, TARGET   its name, and what it is compiled for
     SIZE, FILL    bytes of a number; to a multiple of how many bytes runs of weights are filled up
     PRODUCT       (sums, x, w): 16 sums and the products of w, the next four bytes of the weights
                   of 16 channels, and x, four bytes of the input 16 times */

/* `positions` of a row times `blocks` of output channels, both constants of the call. */
INLINE TARGET void SUM(const Convolution *c, int64_t row, int64_t column, int64_t block,
                       const int positions, const int blocks)
{
    const int64_t step = c->column_step * SIZE, run = c->run * SIZE;
    const int64_t place = place_of(&c->reads, row * c->stride);
    const int64_t kernel_row = (run + FILL - 1) / FILL * FILL * LANES;
    const int64_t of_block = c->kernel_rows * kernel_row;
    const uint8_t *input = (const uint8_t *)c->input + column * step;
    const uint8_t *weights = (const uint8_t *)c->weights + block * of_block;
    __m512i sums[BLOCKS][WIDE];
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++)
#pragma GCC unroll 8
        for (int p = 0; p < positions; p++)
            sums[b][p] = _mm512_setzero_si512();
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const uint8_t *in = input + place_below(&c->reads, place, k) * c->pitch * SIZE;
        const uint8_t *w = weights + k * kernel_row;
        for (int64_t i = 0; i < run; i += 4) {
            __m512i factors[BLOCKS];
#pragma GCC unroll 4
            for (int b = 0; b < blocks; b++)
                factors[b] = _mm512_loadu_si512(w + i * LANES + b * of_block);
#pragma GCC unroll 8
            for (int p = 0; p < positions; p++) {
                int32_t four;
                memcpy(&four, in + p * step + i, 4);
                const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
                for (int b = 0; b < blocks; b++)
                    sums[b][p] = PRODUCT(sums[b][p], x, factors[b]);
            }
        }
    }
    /* Registers hold the sums while they grow. Were they finished from there, compilers would keep
       a copy of all in memory at every step. */
    int32_t found[BLOCKS][WIDE][LANES];
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++)
#pragma GCC unroll 8
        for (int p = 0; p < positions; p++)
            _mm512_storeu_si512(found[b][p], sums[b][p]);
    for (int b = 0; b < blocks; b++) {
        const Target target = target_of(c, row, block + b);
        for (int p = 0; p < positions; p++)
            finish(c, &target, of_sums(c, &target, found[b][p]), column + p);
    }
}

#undef SUM
#undef TARGET
#undef SIZE
#undef FILL
#undef PRODUCT
