/* Convolutions of bytes in vectors of AVX2. */

#ifndef LATENTPRESS_AVX2_BYTES_H
#define LATENTPRESS_AVX2_BYTES_H

#include "convolution.h"

#if HAS_VECTORS

enum { MOST_COLUMNS = 96 }; /* of a part */

/* Columns first to end (excluded), at most MOST_COLUMNS, of a row: all output channels. */
void sum_bytes_by_avx2(const Convolution *c, int64_t row, int64_t first, int64_t end);

#endif
#endif
