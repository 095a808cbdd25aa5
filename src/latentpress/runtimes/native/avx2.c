/* Convolutions of floats for processors with AVX2 and fused multiply-adds, but without AVX-512. */

#include "avx2.h"

#if HAS_VECTORS

#include "winograd.h"

#define WIDE 6      /* positions that are summed at a time */
#define DEPTH 384   /* numbers of each that are, so that their weights stay in the first cache */
#define TILES 24    /* of a part */
#define COLUMNS (TILES * OF_TILE)
#define ROWS 3      /* of a kernel whose input is transformed */

/* Runs of numbers that positions read: that of position p in row k of a kernel begins at
   input + p step + (place + k) % room * pitch. */
typedef struct {
    const float *input;
    int64_t step, pitch, place, room;
} Runs;

/* The last rows of an input that a thread has transformed: (ROWS, POINTS, TILES, inputs). */
typedef struct {
    const Convolution *of;
    int64_t first, rows[ROWS]; /* the first column; the row of the input, or -1 */
    float points[ROWS * POINTS * TILES * MOST_TRANSFORMED];
} Transformed;

static __thread Transformed transformed;

/* Every processor that has them has F16C, too, which weights.c needs. */
int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

void begin_avx2(void) { transformed.of = 0; }

int64_t parts_by_avx2(int64_t columns) { return (columns + COLUMNS - 1) / COLUMNS; }

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

static AVX2 void transform_row(const Convolution *c, int64_t row, int64_t first, int64_t tiles,
                               float *points)
{
    const int64_t channels = c->run / ROWS, place = (c->reads.first + row) % c->reads.room;
    const float *input = (const float *)c->input + place * c->pitch + first * channels;
    const int64_t known = c->columns + ROWS - 1 - first, between = TILES * channels;
    for (int64_t t = 0; t < tiles; t++, input += OF_TILE * channels, points += channels) {
        if (known - t * OF_TILE >= POINTS)
            transform_tile(input, channels, POINTS, points, between);
        else
            transform_tile(input, channels, known - t * OF_TILE, points, between);
    }
}

/* As of sum_by_avx2, whose input is transformed first. */
static AVX2 void sum_transformed(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t channels = c->run / ROWS, tiles = (end - first + OF_TILE - 1) / OF_TILE;
    const int64_t of_row = POINTS * TILES * channels;
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    Transformed *own = &transformed;
    float products[POINTS * TILES * LANES];
    const float zeros[LANES] = {0};
    if (own->of != c || own->first != first) {
        own->of = c, own->first = first;
        own->rows[0] = own->rows[1] = own->rows[2] = -1;
    }
    for (int64_t r = row; r < row + ROWS; r++)
        if (own->rows[r % ROWS] != r) {
            own->rows[r % ROWS] = r;
            transform_row(c, r, first, tiles, own->points + r % ROWS * of_row);
        }
    for (int64_t block = 0; block < blocks; block++) {
        const Target t = target_of(c, row, block);
        const float *biases = c->biases + block * LANES;
        const __m256 low = _mm256_loadu_ps(biases), high = _mm256_loadu_ps(biases + 8);
        for (int64_t p = 0; p < POINTS; p++) {
            const Runs runs = {own->points + p * TILES * channels, channels, of_row, row % ROWS, ROWS};
            const float *weights =
                (const float *)c->weights + (block * POINTS + p) * ROWS * channels * LANES;
            sum_runs(&runs, weights, ROWS, channels, zeros, products + p * TILES * LANES, tiles);
        }
        for (int64_t i = 0; i < tiles; i++) {
            __m256 lows[OF_TILE], highs[OF_TILE];
            const int64_t column = first + i * OF_TILE;
            sums_of_tile(products + i * LANES, TILES * LANES, low, lows);
            sums_of_tile(products + i * LANES + 8, TILES * LANES, high, highs);
#pragma GCC unroll 4
            for (int k = 0; k < OF_TILE; k++)
                if (column + k < end)
                    finish(c, &t, lows[k], highs[k], column + k);
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
    const int64_t units = (end - first + OF_TILE - 1) / OF_TILE;
    const int64_t from = first + part * units / parts * OF_TILE;
    const int64_t to = first + (part + 1) * units / parts * OF_TILE;
    const int64_t own_end = to < end ? to : end;
    if (own_end <= from)
        return;
    if (c->is_transformed)
        sum_transformed(c, row, from, own_end);
    else
        sum_directly(c, row, from, own_end);
}

#endif
