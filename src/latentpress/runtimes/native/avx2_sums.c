/* Sums of products of floats by AVX2. */

#include "convolution.h"

#if HAS_VECTORS

#include "avx2_sums.h"

#define DEPTH 384 /* numbers of a position at a time, so that their weights fit the first cache */

/* Numbers from to from + count of `rows` rows of the kernel, from `row` on. starts: NULL where the
   sums go on. The weights that come next are fetched meanwhile. */
INLINE AVX2 void sum_positions(const Runs *r, int64_t row, int64_t rows, int64_t from,
                               int64_t count, const float *weights, int64_t run,
                               const float *starts, float *sums, const int positions)
{
    __m256 low[TOGETHER], high[TOGETHER];
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++) {
        low[p] = _mm256_loadu_ps(starts ? starts : sums + p * LANES);
        high[p] = _mm256_loadu_ps((starts ? starts : sums + p * LANES) + 8);
    }
    for (int64_t k = row; k < row + rows; k++) {
        int64_t place = r->place + k < r->room ? r->place + k : r->place + k - r->room;
        const float *in = r->input + place * r->pitch + from;
        const float *w = weights + (k * run + from) * LANES, *end = w + count * LANES;
#pragma GCC unroll 4
        for (; w < end; w += LANES, in++) {
            _mm_prefetch((const char *)(w + count * LANES), _MM_HINT_T1);
            __m256 a = _mm256_loadu_ps(w), b = _mm256_loadu_ps(w + 8);
#pragma GCC unroll 6
            for (int p = 0; p < positions; p++) {
                __m256 x = _mm256_broadcast_ss(in + p * r->step);
                low[p] = _mm256_fmadd_ps(x, a, low[p]);
                high[p] = _mm256_fmadd_ps(x, b, high[p]);
            }
        }
    }
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++) {
        _mm256_storeu_ps(sums + p * LANES, low[p]);
        _mm256_storeu_ps(sums + p * LANES + 8, high[p]);
    }
}

/* The groups of positions are of equal size, for a small one leaves multipliers idle. */
AVX2 void sum_runs(const Runs *runs, const float *weights, int64_t rows, int64_t run,
                   const float *starts, float *sums, int64_t positions)
{
    const int64_t rows_at_a_time = run < DEPTH ? DEPTH / run : 1;
    const int64_t pieces = (run + DEPTH - 1) / DEPTH, most = (run + pieces - 1) / pieces;
    for (int64_t row = 0; row < rows; row += rows_at_a_time)
        for (int64_t from = 0; from < run; from += most) {
            const int64_t n = rows - row < rows_at_a_time ? rows - row : rows_at_a_time;
            const int64_t count = run - from < most ? run - from : most;
            const float *begin = row || from ? 0 : starts;
            int64_t groups = (positions + TOGETHER - 1) / TOGETHER;
            for (int64_t p = 0, size; p < positions; p += size, groups--) {
                Runs r = *runs;
                float *own = sums + p * LANES;
                r.input += p * r.step;
                size = (positions - p + groups - 1) / groups;
#define SUM(SIZE)                                                                                  \
    case SIZE:                                                                                     \
        sum_positions(&r, row, n, from, count, weights, run, begin, own, SIZE);                    \
        break
                switch (size) {
                    SUM(1);
                    SUM(2);
                    SUM(3);
                    SUM(4);
                    SUM(5);
                    SUM(6);
                }
            }
        }
}

#endif
