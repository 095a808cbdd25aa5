/* Convolutions of bytes and of floats over images whose channels lie side by side (H, W, C), for
   processors with AVX-512: bytes by VNNI or in tiles of AMX, floats by fused multiply-adds; floats
   also for those that have AVX2 alone (avx2.c).

   A row of a kernel reads one run of neighboring numbers: `kernel width x channels` of them. So
   every convolution here is `kernel_rows` runs for each position, whatever its width and stride.
   Sums of bytes are whole numbers: VNNI and AMX give the same to the bit. */

#define _GNU_SOURCE /* syscall */

#include "convolution.h"

#include "tiles.h"

#if HAS_VECTORS

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "avx2.h"
#include "finish.h"

#define WIDE 6 /* positions that are summed at a time */
#define TILE 64 /* bytes, to a multiple of which the runs of a kernel are filled up */
#define BLOCKS 4 /* of output channels, that are summed at a time */

#define AMX_BITS (3u << 24 | 1u << 22) /* of leaf 7: tiles, their products of bytes, of bfloat16 */

enum { XTILEDATA = 18, REQUEST_PERMISSION = 0x1023 };

EXPORT int instructions(void)
{
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vnni"))
        return NOTHING;
    unsigned int a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX_BITS) != AMX_BITS ||
        !__builtin_cpu_supports("avx512bf16") || syscall(SYS_arch_prctl, REQUEST_PERMISSION, XTILEDATA))
        return VNNI;
    return VNNI_AND_AMX;
}

/* `positions` of a row times `blocks` of output channels, all constants of the call. */
INLINE AVX512 void sum_bytes(const Convolution *c, int64_t row, int64_t column, int64_t block,
                             const int positions, const int blocks)
{
    const uint8_t *input = (const uint8_t *)c->input + column * c->column_step;
    int64_t place = place_of(&c->reads, row * c->stride);
    int64_t groups = (c->run + 3) / 4;
    int64_t kernel_row = (c->run + TILE - 1) / TILE * (TILE / 4) * TILE; /* bytes of weights */
    const int8_t *weights = (const int8_t *)c->weights + block * c->kernel_rows * kernel_row;
    __m512i sums[WIDE][4];
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            sums[p][b] = _mm512_setzero_si512();
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const uint8_t *in = input + place_below(&c->reads, place, k) * c->pitch;
        const int8_t *w = weights + k * kernel_row;
        for (int64_t g = 0; g < groups; g++) {
            __m512i factors[4];
#pragma GCC unroll 4
            for (int b = 0; b < blocks; b++)
                factors[b] = _mm512_loadu_si512(w + g * TILE + b * c->kernel_rows * kernel_row);
#pragma GCC unroll 8
            for (int p = 0; p < positions; p++) {
                int32_t four;
                memcpy(&four, in + p * c->column_step + g * 4, 4);
                __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
                for (int b = 0; b < blocks; b++)
                    sums[p][b] = _mm512_dpbusd_epi32(sums[p][b], x, factors[b]);
            }
        }
    }
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++) {
        Target target = target_of(c, row, block + b);
#pragma GCC unroll 8
        for (int p = 0; p < positions; p++)
            finish(c, &target, of_bytes(&target, sums[p][b]), column + p);
    }
}

/* The same of floats; their weights have no gaps. */
INLINE AVX512 void sum_floats(const Convolution *c, int64_t row, int64_t column, int64_t block,
                              const int positions, const int blocks)
{
    const float *input = (const float *)c->input + column * c->column_step;
    int64_t place = place_of(&c->reads, row * c->stride);
    int64_t of_block = c->kernel_rows * c->run * LANES;
    const float *weights = (const float *)c->weights + block * of_block;
    __m512 sums[WIDE][4];
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            sums[p][b] = _mm512_loadu_ps(c->biases + (block + b) * LANES);
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const float *in = input + place_below(&c->reads, place, k) * c->pitch;
        const float *w = weights + k * c->run * LANES;
        for (int64_t g = 0; g < c->run; g++) {
            __m512 factors[4];
#pragma GCC unroll 4
            for (int b = 0; b < blocks; b++)
                factors[b] = _mm512_loadu_ps(w + g * LANES + b * of_block);
#pragma GCC unroll 8
            for (int p = 0; p < positions; p++) {
                __m512 x = _mm512_set1_ps(in[p * c->column_step + g]);
#pragma GCC unroll 4
                for (int b = 0; b < blocks; b++)
                    sums[p][b] = _mm512_fmadd_ps(x, factors[b], sums[p][b]);
            }
        }
    }
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++) {
        Target target = target_of(c, row, block + b);
#pragma GCC unroll 8
        for (int p = 0; p < positions; p++)
            finish(c, &target, sums[p][b], column + p);
    }
}

#define COLUMNS_OF(NAME, SUM, BLOCKS)                                                              \
    static AVX512 void NAME(const Convolution *c, int64_t row, int64_t block, int64_t first,       \
                            int64_t end)                                                           \
    {                                                                                              \
        int64_t column = first;                                                                    \
        for (; column + WIDE <= end; column += WIDE)                                               \
            SUM(c, row, column, block, WIDE, BLOCKS);                                              \
        for (; column < end; column++)                                                             \
            SUM(c, row, column, block, 1, BLOCKS);                                                 \
    }

COLUMNS_OF(bytes_1, sum_bytes, 1)
COLUMNS_OF(bytes_2, sum_bytes, 2)
COLUMNS_OF(bytes_3, sum_bytes, 3)
COLUMNS_OF(bytes_4, sum_bytes, 4)
COLUMNS_OF(floats_1, sum_floats, 1)
COLUMNS_OF(floats_2, sum_floats, 2)
COLUMNS_OF(floats_3, sum_floats, 3)
COLUMNS_OF(floats_4, sum_floats, 4)

typedef void (*Columns)(const Convolution *, int64_t, int64_t, int64_t, int64_t);

EXPORT int float_instructions(void)
{
    return instructions() == NOTHING && has_avx2() ? AVX2_ALONE : NOTHING;
}

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
    if (how == AVX2_ALONE)
        return parts_by_avx2(c, columns);
    int64_t step = blocks_at_a_time(c, how);
    return (blocks_of(c) + step - 1) / step;
}

void sum_columns(const Convolution *c, int64_t row, int64_t part, int64_t parts, int64_t first,
                 int64_t end, int how)
{
    if (how == AVX2_ALONE) {
        sum_by_avx2(c, row, part, parts, first, end);
        return;
    }
    static const Columns bytes[] = {bytes_1, bytes_2, bytes_3, bytes_4};
    static const Columns floats[] = {floats_1, floats_2, floats_3, floats_4};
    int64_t most = blocks_at_a_time(c, how), block = part * most;
    int64_t left = blocks_of(c) - block, count = left < most ? left : most;
    if (is_tiled(c, how))
        sum_by_tiles(c, row, block, count, first, end);
    else
        (c->is_bytes ? bytes : floats)[count - 1](c, row, block, first, end);
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

EXPORT int instructions(void) { return NOTHING; }

EXPORT int float_instructions(void) { return NOTHING; }

EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how)
{
    (void)c, (void)first, (void)end, (void)how;
}

#endif

#ifndef SOURCE_CRC
#define SOURCE_CRC 0
#endif

EXPORT uint32_t convolutions_built_of(void) { return SOURCE_CRC; }
