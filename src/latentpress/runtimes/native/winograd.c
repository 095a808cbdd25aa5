/* Winograd's F(2 x 4, 3 x 3): eight sums of nine products each by 24 multiplications instead of 72.
   A tile is two rows of four neighboring positions of the output. The four rows of six columns of
   the input that it reads become 24 numbers, its points; so do the nine weights of a kernel. The
   products of both, summed over the inputs, become the eight sums. Between rows it is F(2, 3),
   which only adds; between columns F(4, 3), at the points 0, 1, -1, 2, -2 and infinity. */

#include "winograd.h"

#if HAS_VECTORS

#include "avx2_sums.h"

enum { TILE_ROWS = 2, TILE_COLUMNS = 4, POINT_ROWS = 4, POINT_COLUMNS = 6 };
enum { POINTS = POINT_ROWS * POINT_COLUMNS };

#define KERNEL 3            /* rows and columns */
#define MOST_TILES 24       /* of a part */
#define POINT_NUMBERS 3456  /* tiles times inputs of a part, at each of the points: 324 kB of all */

/* The points of a part: (POINTS, tiles, inputs). */
static __thread float points[POINTS * POINT_NUMBERS];

/* Six neighboring columns -> six points. */
INLINE AVX2 void to_points(const __m256 *d, float *to, int64_t between)
{
    const __m256 two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), five = _mm256_set1_ps(5);
    const __m256 even = _mm256_fnmadd_ps(four, d[2], d[4]);
    const __m256 odd = _mm256_fnmadd_ps(four, d[1], d[3]);
    const __m256 near = _mm256_sub_ps(d[4], d[2]), far = _mm256_sub_ps(d[3], d[1]);
    const __m256 first = _mm256_fnmadd_ps(five, d[2], _mm256_fmadd_ps(four, d[0], d[4]));
    const __m256 last = _mm256_fnmadd_ps(five, d[3], _mm256_fmadd_ps(four, d[1], d[5]));
    _mm256_storeu_ps(to, first);
    _mm256_storeu_ps(to + between, _mm256_add_ps(even, odd));
    _mm256_storeu_ps(to + 2 * between, _mm256_sub_ps(even, odd));
    _mm256_storeu_ps(to + 3 * between, _mm256_fmadd_ps(two, far, near));
    _mm256_storeu_ps(to + 4 * between, _mm256_fnmadd_ps(two, far, near));
    _mm256_storeu_ps(to + 5 * between, last);
}

/* Eight channels of a tile's input, in[row] + column * pitch. between: from a point to the next. */
INLINE AVX2 void transform_eight(const float *const *in, int64_t pitch, float *to, int64_t between)
{
    __m256 rows[POINT_ROWS][POINT_COLUMNS];
#pragma GCC unroll 6
    for (int k = 0; k < POINT_COLUMNS; k++) {
        const __m256 a = _mm256_loadu_ps(in[0] + k * pitch), b = _mm256_loadu_ps(in[1] + k * pitch);
        const __m256 c = _mm256_loadu_ps(in[2] + k * pitch), d = _mm256_loadu_ps(in[3] + k * pitch);
        rows[0][k] = _mm256_sub_ps(a, c);
        rows[1][k] = _mm256_add_ps(b, c);
        rows[2][k] = _mm256_sub_ps(c, b);
        rows[3][k] = _mm256_sub_ps(b, d);
    }
#pragma GCC unroll 4
    for (int r = 0; r < POINT_ROWS; r++)
        to_points(rows[r], to + r * POINT_COLUMNS * between, between);
}

/* The points of a tile's input, each `channels` numbers. in: its rows, NULL where there is none;
   known: columns that they have from there on. What is not there is 0. */
INLINE AVX2 void transform_tile(const float *const *in, int64_t channels, int64_t known, float *to,
                                int64_t between)
{
    const int is_whole = in[POINT_ROWS - 1] && known >= POINT_COLUMNS;
    const int64_t columns = known < POINT_COLUMNS ? known : POINT_COLUMNS;
    for (int64_t i = 0; i < channels; i += 8) {
        const int64_t count = channels - i < 8 ? channels - i : 8;
        if (is_whole && count == 8) {
            const float *at[POINT_ROWS] = {in[0] + i, in[1] + i, in[2] + i, in[3] + i};
            transform_eight(at, channels, to + i, between);
            continue;
        }
        float own[POINT_ROWS][POINT_COLUMNS][8] = {{{0}}}, points[POINTS][8];
        const float *at[POINT_ROWS] = {own[0][0], own[1][0], own[2][0], own[3][0]};
        for (int r = 0; r < POINT_ROWS; r++)
            for (int64_t k = 0; in[r] && k < columns; k++)
                for (int64_t j = 0; j < count; j++)
                    own[r][k][j] = in[r][k * channels + i + j];
        transform_eight(at, 8, points[0], 8);
        for (int64_t p = 0; p < POINTS; p++)
            for (int64_t j = 0; j < count; j++)
                to[p * between + i + j] = points[p][j];
    }
}

/* The sums at six points -> those of four neighboring columns. */
INLINE AVX2 void from_points(const __m256 *m, __m256 start, __m256 *sums)
{
    const __m256 two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), eight = _mm256_set1_ps(8);
    const __m256 even = _mm256_add_ps(m[1], m[2]), odd = _mm256_sub_ps(m[1], m[2]);
    const __m256 far_even = _mm256_add_ps(m[3], m[4]), far_odd = _mm256_sub_ps(m[3], m[4]);
    sums[0] = _mm256_add_ps(start, _mm256_add_ps(m[0], _mm256_add_ps(even, far_even)));
    sums[1] = _mm256_add_ps(start, _mm256_fmadd_ps(two, far_odd, odd));
    sums[2] = _mm256_add_ps(start, _mm256_fmadd_ps(four, far_even, even));
    sums[3] = _mm256_add_ps(start, _mm256_add_ps(m[5], _mm256_fmadd_ps(eight, far_odd, odd)));
}

/* The sums at a tile's points, of eight channels, -> those of its positions. start: of each.
   between: from a point to the next one. */
INLINE AVX2 void sums_of_tile(const float *products, int64_t between, __m256 start,
                              __m256 sums[TILE_ROWS][TILE_COLUMNS])
{
    __m256 above[POINT_COLUMNS], below[POINT_COLUMNS];
#pragma GCC unroll 6
    for (int k = 0; k < POINT_COLUMNS; k++) {
        const float *at = products + k * between;
        const int64_t row = POINT_COLUMNS * between;
        const __m256 b = _mm256_loadu_ps(at + row), c = _mm256_loadu_ps(at + 2 * row);
        above[k] = _mm256_add_ps(_mm256_loadu_ps(at), _mm256_add_ps(b, c));
        below[k] = _mm256_sub_ps(_mm256_sub_ps(b, c), _mm256_loadu_ps(at + 3 * row));
    }
    from_points(above, start, sums[0]);
    from_points(below, start, sums[1]);
}

int64_t columns_of_tiles(const Convolution *c)
{
    const int64_t tiles = POINT_NUMBERS / (c->run / KERNEL) / TOGETHER * TOGETHER;
    return (tiles < MOST_TILES ? tiles : MOST_TILES) * TILE_COLUMNS;
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

AVX2 void sum_by_tiles_of_points(const Convolution *c, int64_t row, int64_t first, int64_t end)
{
    const int64_t channels = c->run / KERNEL;
    const int64_t tiles = (end - first + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int64_t blocks = c->groups * ((c->channels + LANES - 1) / LANES);
    const int64_t rows = row + 1 < c->rows ? TILE_ROWS : 1, between = tiles * LANES;
    const float zeros[LANES] = {0}, *weights = c->weights;
    float products[POINTS * MOST_TILES * LANES];
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

#endif
