/* Convolutions by AVX2. */

#ifndef LATENTPRESS_AVX2_H
#define LATENTPRESS_AVX2_H

#include "convolution.h"

#if HAS_VECTORS

/* Parts into which a row of at most so many columns is cut. */
int64_t parts_by_avx2(const Convolution *c, int64_t columns);

/* Part `part` of `parts` of the columns first to end (excluded) of a row, or of a pair of rows
   where is_transformed: all output channels. */
void sum_by_avx2(const Convolution *c, int64_t row, int64_t part, int64_t parts, int64_t first,
                 int64_t end);

#endif
#endif
