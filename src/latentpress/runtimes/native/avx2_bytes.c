/* Convolutions of bytes in vectors of AVX2: by AVX-VNNI, or by the instructions of the same length
   of AVX-512, so that they can be tried where AVX-VNNI is not. */

#include "avx2_bytes.h"

#if HAS_VECTORS

#include <string.h>

#include "avx2_finish.h"
#include "processor.h"

#define TILE 64 /* bytes, to a multiple of which the runs of a kernel are filled up */

enum { TOGETHER = 6 }; /* positions that are summed at a time: as many as the registers hold */

#define SUM_SOME sum_some_by_avx_vnni
#define SUM_ALL sum_by_avx_vnni
#define TARGET __attribute__((target("avx2,fma,avxvnni")))
#define PRODUCT(SUMS, X, W) _mm256_dpbusd_avx_epi32(SUMS, X, W)
#include "avx2_byte_sums.h"

#define SUM_SOME sum_some_by_avx512
#define SUM_ALL sum_by_avx512
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512vnni")))
#define PRODUCT(SUMS, X, W) _mm256_dpbusd_epi32(SUMS, X, W)
#include "avx2_byte_sums.h"

AVX2 void sum_bytes_by_avx2(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    const int64_t of_row = (c->run + TILE - 1) / TILE * TILE * LANES;
    const int64_t place = (c->reads.first + row * c->stride) % c->reads.room;
    const uint8_t *input = (const uint8_t *)c->input + first * c->column_step;
    int32_t sums[MOST_COLUMNS * LANES];
    for (int64_t block = 0; block < blocks; block++) {
        const int8_t *weights = (const int8_t *)c->weights + block * c->kernel_rows * of_row;
        const float *scales = c->scales + block * LANES, *biases = c->biases + block * LANES;
        const Target t = target_of(c, row, block);
        (has_avx_vnni() ? sum_by_avx_vnni : sum_by_avx512)(c, input, place, weights, sums,
                                                           end - first);
        for (int64_t i = 0; i < end - first; i++) {
            __m256 found[2];
            for (int k = 0; k < 2; k++) {
                const int32_t *own = sums + i * LANES + 8 * k;
                const __m256i sum = _mm256_loadu_si256((const __m256i *)own);
                found[k] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scales + 8 * k),
                                           _mm256_loadu_ps(biases + 8 * k));
            }
            finish(c, &t, found[0], found[1], first + i);
        }
    }
}

#endif
