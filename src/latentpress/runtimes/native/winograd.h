/* Convolutions of floats by AVX2 with fewer multiplications. */

#ifndef LATENTPRESS_WINOGRAD_H
#define LATENTPRESS_WINOGRAD_H

#include "convolution.h"

#if HAS_VECTORS

/* Columns of a part of a pair of rows at most: so many that the second cache holds their points. */
int64_t columns_of_tiles(const Convolution *c);

/* Columns first to end (excluded) of rows row and row + 1, where there is another one: all output
   channels. For kernels of 3 x 3 and a stride of 1; row is even, and first a multiple of 4. */
void sum_by_tiles_of_points(const Convolution *c, int64_t row, int64_t first, int64_t end);

#endif
#endif
