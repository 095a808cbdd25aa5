/* Convolutions of floats for processors with AVX2 and fused multiply-adds, but without AVX-512. */

#include "avx2.h"

#if HAS_VECTORS

#include "winograd.h"

#define WIDE 6      /* positions that are summed at a time */
#define DEPTH 384   /* numbers of each that are, so that their weights stay in the first cache */
#define COLUMNS 96  /* of a part at most */
#define KERNEL 3    /* rows and columns of a kernel whose input is transformed */
#define POINT_NUMBERS 3456 /* at a point, in memory: tiles times inputs */

/* Runs of numbers that positions read: that of position p in row k of a kernel begins at
   input + p step + (place + k) % room * pitch. */
typedef struct {
    const float *input;
    int64_t step, pitch, place, room;
} Runs;

/* The points of a part of a row: (POINTS, tiles, inputs). */
static __thread float points[POINTS * POINT_NUMBERS];

/* Every processor that has them has F16C, too, which weights.c needs. */
int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

/* Columns of a part at most: so many that the second cache holds their points. */
static int64_t columns_at_a_time(const Convolution *c)
{
    const int64_t tiles = POINT_NUMBERS / (c->run / KERNEL) / WIDE * WIDE;
    return c->is_transformed && tiles * TILE_COLUMNS < COLUMNS ? tiles * TILE_COLUMNS : COLUMNS;
}

int64_t parts_by_avx2(const Convolution *c, int64_t columns)
{
    const int64_t most = columns_at_a_time(c);
    return (columns + most - 1) / most;
}

/* `rows` times `count` numbers of some positions, from number `from` of row `row` on, times a block
   of weights, added to the sums. starts: NULL, or what the sums are before. */
INLINE AVX2 void sum_positions(const Runs *r, int64_t row, int64_t rows, int64_t from,
                               int64_t count, const float *weights, int64_t run,
                               const float *starts, float *sums, const int positions)
{
    __m256 low[WIDE], high[WIDE];
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

/* All numbers of `positions`, some of them after the other; weights: of one block. */
static AVX2 void sum_runs(const Runs *all, const float *weights, int64_t rows, int64_t run,
                          const float *starts, float *sums, int64_t positions)
{
    const int64_t together = run < DEPTH ? DEPTH / run : 1; /* rows of the kernel */
    const int64_t pieces = (run + DEPTH - 1) / DEPTH, most = (run + pieces - 1) / pieces;
    for (int64_t row = 0; row < rows; row += together)
        for (int64_t from = 0; from < run; from += most) {
            const int64_t n = rows - row < together ? rows - row : together;
            const int64_t count = run - from < most ? run - from : most;
            const float *begin = row || from ? 0 : starts;
            int64_t groups = (positions + WIDE - 1) / WIDE;
            for (int64_t p = 0, size; p < positions; p += size, groups--) {
                Runs r = *all;
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

/* The points of a pair of rows, or of the last row alone. */
static AVX2 void transform(const Convolution *c, int64_t row, int64_t first, int64_t tiles)
{
    const int64_t channels = c->run / KERNEL, known = c->columns + KERNEL - 1 - first;
    const float *in[POINT_ROWS] = {0};
    for (int64_t k = 0; k < POINT_ROWS && row + k < c->rows + KERNEL - 1; k++) {
        const int64_t place = (c->reads.first + row + k) % c->reads.room;
        in[k] = (const float *)c->input + place * c->pitch + first * channels;
    }
    for (int64_t t = 0; t < tiles; t++) {
        transform_tile(in, channels, known - t * TILE_COLUMNS, points + t * channels,
                       tiles * channels);
        for (int64_t k = 0; k < POINT_ROWS; k++)
            in[k] += in[k] ? TILE_COLUMNS * channels : 0;
    }
}

/* Rows row and row + 1 of positions, where there is another one. */
static AVX2 void sum_transformed(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t channels = c->run / KERNEL;
    const int64_t tiles = (end - first + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    const int64_t rows = row + 1 < c->rows ? TILE_ROWS : 1, between = tiles * LANES;
    const float zeros[LANES] = {0}, *weights = c->weights;
    float products[POINTS * COLUMNS / TILE_COLUMNS * LANES];
    transform(c, row, first, tiles);
    for (int64_t block = 0; block < blocks; block++) {
        const float *biases = c->biases + block * LANES;
        const __m256 low = _mm256_loadu_ps(biases), high = _mm256_loadu_ps(biases + 8);
        for (int64_t p = 0; p < POINTS; p++, weights += channels * LANES) {
            const Runs runs = {points + p * tiles * channels, channels, 0, 0, 1};
            sum_runs(&runs, weights, 1, channels, zeros, products + p * between, tiles);
        }
        Target targets[TILE_ROWS];
        for (int64_t r = 0; r < rows; r++)
            targets[r] = target_of(c, row + r, block);
        for (int64_t i = 0; i < tiles; i++) {
            __m256 lows[TILE_ROWS][TILE_COLUMNS], highs[TILE_ROWS][TILE_COLUMNS];
            const int64_t column = first + i * TILE_COLUMNS;
            sums_of_tile(products + i * LANES, between, low, lows);
            sums_of_tile(products + i * LANES + 8, between, high, highs);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t k = 0; k < TILE_COLUMNS && column + k < end; k++)
                    finish(c, targets + r, lows[r][k], highs[r][k], column + k);
        }
    }
}

static AVX2 void sum_directly(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    const float *input = (const float *)c->input + first * c->column_step;
    const int64_t place = (c->reads.first + row * c->stride) % c->reads.room;
    const Runs runs = {input, c->column_step, c->pitch, place, c->reads.room};
    float sums[COLUMNS * LANES];
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
    const int64_t units = (end - first + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int64_t from = first + part * units / parts * TILE_COLUMNS;
    const int64_t to = first + (part + 1) * units / parts * TILE_COLUMNS;
    const int64_t own_end = to < end ? to : end;
    if (own_end <= from)
        return;
    if (c->is_transformed)
        sum_transformed(c, row, from, own_end);
    else
        sum_directly(c, row, from, own_end);
}

#endif
