/* Sums of whole numbers in vectors of AVX2. */

#ifndef LATENTPRESS_AVX2_INTEGERS_H
#define LATENTPRESS_AVX2_INTEGERS_H

#include "integers.h"

#if HAS_VECTORS

/* As of sum_integers, for AVX2_AND_VNNI. */
void integers_by_avx2(const IntegerLayer *c, int64_t first, int64_t end);

/* The same for AVX2_ALONE. */
void integers_by_pairs(const IntegerLayer *c, int64_t first, int64_t end);

#endif
#endif
