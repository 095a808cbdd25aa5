/* Sums of bytes times weights of 16 bits in vectors of AVX2, as integers.c describes them; by the
   instructions of avx2_bytes.c. */

#include "avx2_integers.h"

#if HAS_VECTORS

#include <string.h>

#include "avx2_integer_finish.h"
#include "processor.h"

enum { TOGETHER = 2 }; /* positions that are summed at a time: as many as the registers hold */

#define SUM sum_by_avx_vnni
#define ROWS rows_by_avx_vnni
#define TARGET __attribute__((target("avx2,fma,avxvnni")))
#define PRODUCT(SUMS, X, W) _mm256_dpbusd_avx_epi32(SUMS, X, W)
#include "avx2_integer_sums.h"

#define SUM sum_by_avx512
#define ROWS rows_by_avx512
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512vnni")))
#define PRODUCT(SUMS, X, W) _mm256_dpbusd_epi32(SUMS, X, W)
#include "avx2_integer_sums.h"

void integers_by_avx2(const IntegerLayer *c, int64_t first, int64_t end)
{
    (has_avx_vnni() ? rows_by_avx_vnni : rows_by_avx512)(c, first, end);
}

#endif
