/* Convolutions of floats by AVX2. */

#ifndef LATENTPRESS_AVX2_H
#define LATENTPRESS_AVX2_H

#include "convolution.h"

#if HAS_VECTORS

/* Whether the processor has AVX2 and fused multiply-adds. */
int has_avx2(void);

/* Columns first to end (excluded) of a row, for one block of output channels. */
void sum_by_avx2(const Convolution *c, int64_t row, int64_t block, int64_t first, int64_t end);

#endif
#endif
