/* Convolutions for processors with AVX2 and fused multiply-adds, but without AVX-512: of floats,
   and of bytes where they have AVX-VNNI. */

#include "avx2.h"

#if HAS_VECTORS

#include "avx2_bytes.h"
#include "avx2_sums.h"
#include "winograd.h"

#define UNIT 4     /* columns, of which a part has a multiple: those of a tile of winograd.c */

int64_t parts_by_avx2(const Convolution *c, int64_t columns)
{
    const int64_t most = c->is_transformed ? columns_of_tiles(c) : MOST_COLUMNS;
    return (columns + most - 1) / most;
}

static AVX2 void sum_directly(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    const float *input = (const float *)c->input + first * c->column_step;
    const int64_t place = (c->reads.first + row * c->stride) % c->reads.room;
    const Runs runs = {input, c->column_step, c->pitch, place, c->reads.room};
    float sums[MOST_COLUMNS * LANES];
    for (int64_t block = 0; block < blocks; block++) {
        const Target t = target_of(c, row, block);
        const float *weights = (const float *)c->weights + block * c->kernel_rows * c->run * LANES;
        sum_runs(&runs, weights, c->kernel_rows, c->run, c->biases + block * LANES, sums,
                 end - first);
        for (int64_t i = 0; i < end - first; i++)
            finish(c, &t, _mm256_loadu_ps(sums + i * LANES), _mm256_loadu_ps(sums + i * LANES + 8),
                   first + i);
    }
}

AVX2 void sum_by_avx2(const Convolution *c, int64_t row, int64_t part, int64_t parts,
                      int64_t first, int64_t end)
{
    const int64_t units = (end - first + UNIT - 1) / UNIT;
    const int64_t from = first + part * units / parts * UNIT;
    const int64_t to = first + (part + 1) * units / parts * UNIT;
    const int64_t own_end = to < end ? to : end;
    if (own_end <= from)
        return;
    if (c->is_transformed)
        sum_by_tiles_of_points(c, row, from, own_end);
    else if (c->is_bytes)
        sum_bytes_by_avx2(c, row, from, own_end);
    else
        sum_directly(c, row, from, own_end);
}

#endif
