/* Sums of products of floats by AVX2: what every convolution there is made of. */

#ifndef LATENTPRESS_AVX2_SUMS_H
#define LATENTPRESS_AVX2_SUMS_H

#include "avx2_finish.h"

enum { TOGETHER = 6 }; /* positions that are summed at a time: as many as the registers hold */

/* Runs of numbers that positions read: that of position p in row k of a kernel begins at
   input + p step + (place + k) % room * pitch. */
typedef struct {
    const float *input;
    int64_t step, pitch, place, room;
} Runs;

/* sums: (positions, LANES); starts: LANES, what each sum begins with. weights: of one block, (rows,
   run, LANES); those of the next block that is summed had better lie behind them. */
void sum_runs(const Runs *runs, const float *weights, int64_t rows, int64_t run,
              const float *starts, float *sums, int64_t positions);

#endif
