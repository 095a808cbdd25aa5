/* Convolutions of bytes and of floats over images whose channels lie side by side (H, W, C), for
   processors with AVX-512: bytes by VNNI or in tiles of AMX, floats by fused multiply-adds,
   bfloat16 by its own instruction or in tiles. avx2.c is for those with AVX2 and not AVX-512.

   A row of a kernel reads one run of neighboring numbers: `kernel width x channels` of them. So
   every convolution here is `kernel_rows` runs for each position, whatever its width and stride.
   Sums of bytes are whole numbers: VNNI and AMX give the same to the bit. */

#include "convolution.h"

#include "tiles.h"

#if HAS_VECTORS

#include <immintrin.h>
#include <string.h>

#include "avx2.h"
#include "finish.h"

#define WIDE 6 /* positions that are summed at a time */
#define TILE 64 /* bytes, to a multiple of which the runs of a kernel are filled up */
#define BLOCKS 4 /* of output channels, that are summed at a time */

/* Sums of products as floats. */
INLINE AVX512 __m512 of_sums(const Convolution *c, const Target *t, const int32_t *sums)
{
    if (c->is_bytes)
        return of_bytes(t, _mm512_loadu_si512(sums));
    return _mm512_add_ps(_mm512_loadu_ps(sums), t->bias);
}

#define SUM sum_bytes
#define TARGET AVX512
#define SIZE 1
#define FILL TILE
#define PRODUCT(SUMS, X, W) _mm512_dpbusd_epi32(SUMS, X, W)
#include "sums.h"

#define SUM sum_halves
#define TARGET HALVES
#define SIZE 2
#define FILL TILE
#define PRODUCT(SUMS, X, W)                                                                        \
    _mm512_castps_si512(                                                                           \
        _mm512_dpbf16_ps(_mm512_castsi512_ps(SUMS), (__m512bh)(X), (__m512bh)(W)))
#include "sums.h"

#define SUM sum_floats
#define TARGET AVX512
#define SIZE 4
#define FILL SIZE
#define PRODUCT(SUMS, X, W)                                                                        \
    _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(X), _mm512_castsi512_ps(W),            \
                                        _mm512_castsi512_ps(SUMS)))
#include "sums.h"

#define COLUMNS_OF(NAME, SUM, BLOCKS, TARGET)                                                      \
    static TARGET void NAME(const Convolution *c, int64_t row, int64_t block, int64_t first,       \
                            int64_t end)                                                           \
    {                                                                                              \
        int64_t column = first;                                                                    \
        for (; column + WIDE <= end; column += WIDE)                                               \
            SUM(c, row, column, block, WIDE, BLOCKS);                                              \
        for (; column + 2 <= end; column += 2)                                                     \
            SUM(c, row, column, block, 2, BLOCKS);                                                 \
        if (column < end)                                                                          \
            SUM(c, row, column, block, 1, BLOCKS);                                                 \
    }

#define BLOCKS_OF(NAME, SUM, TARGET)                                                               \
    COLUMNS_OF(NAME##_1, SUM, 1, TARGET)                                                           \
    COLUMNS_OF(NAME##_2, SUM, 2, TARGET)                                                           \
    COLUMNS_OF(NAME##_3, SUM, 3, TARGET)                                                           \
    COLUMNS_OF(NAME##_4, SUM, 4, TARGET)

BLOCKS_OF(bytes, sum_bytes, AVX512)
BLOCKS_OF(halves, sum_halves, HALVES)
BLOCKS_OF(floats, sum_floats, AVX512)

typedef void (*Columns)(const Convolution *, int64_t, int64_t, int64_t, int64_t);

INLINE int is_tiled(const Convolution *c, int how)
{
    return how == VNNI_AND_AMX && (c->is_bytes || c->is_halves);
}

/* Blocks of output channels that a row of positions is summed for at a time. */
INLINE int64_t blocks_at_a_time(const Convolution *c, int how)
{
    return is_tiled(c, how) ? BLOCKS_OF_TILES : BLOCKS;
}

void begin_convolutions(int how)
{
    if (how == VNNI_AND_AMX)
        configure_tiles();
}

void end_convolutions(int how)
{
    if (how == VNNI_AND_AMX)
        release_tiles();
}

int64_t rows_at_a_time(const Convolution *c) { return c->is_transformed ? 2 : 1; }

int64_t parts_of(const Convolution *c, int64_t columns, int how)
{
    if (how >= AVX2_ALONE)
        return parts_by_avx2(c, columns);
    int64_t step = blocks_at_a_time(c, how);
    return (blocks_of(c) + step - 1) / step;
}

void sum_columns(const Convolution *c, int64_t row, int64_t part, int64_t parts, int64_t first,
                 int64_t end, int how)
{
    if (how >= AVX2_ALONE) {
        sum_by_avx2(c, row, part, parts, first, end);
        return;
    }
    static const Columns bytes[] = {bytes_1, bytes_2, bytes_3, bytes_4};
    static const Columns halves[] = {halves_1, halves_2, halves_3, halves_4};
    static const Columns floats[] = {floats_1, floats_2, floats_3, floats_4};
    int64_t most = blocks_at_a_time(c, how), block = part * most;
    int64_t left = blocks_of(c) - block, count = left < most ? left : most;
    const Columns *sums = c->is_bytes ? bytes : c->is_halves ? halves : floats;
    if (is_tiled(c, how))
        sum_by_tiles(c, row, block, count, first, end);
    else
        sums[count - 1](c, row, block, first, end);
}

/* Rows of one block of output channels after the other, so that its weights stay near. */
EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how)
{
    begin_convolutions(how);
    int64_t parts = parts_of(c, c->columns, how);
    for (int64_t part = 0; part < parts; part++)
        for (int64_t row = first; row < end; row += rows_at_a_time(c))
            sum_columns(c, row, part, parts, 0, c->columns, how);
    end_convolutions(how);
}

#else

EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how)
{
    (void)c, (void)first, (void)end, (void)how;
}

#endif

#ifndef SOURCE_CRC
#define SOURCE_CRC 0
#endif

EXPORT uint32_t convolutions_built_of(void) { return SOURCE_CRC; }
