/* Convolutions of bytes and of floats over images whose channels lie side by side (H, W, C), for
   processors with AVX-512: bytes by VNNI or in tiles of AMX, floats by fused multiply-adds.

   A row of a kernel reads one run of neighboring numbers: `kernel width x channels` of them. So
   every convolution here is `kernel_rows` runs for each position, whatever its width and stride.
   Sums of bytes are whole numbers: VNNI and AMX give the same to the bit. */

#define _GNU_SOURCE /* syscall */

#include "convolution.h"

#if defined(__x86_64__) && defined(__linux__) && (__GNUC__ >= 11 || __clang_major__ >= 13)

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANES 16   /* floats of a vector, output channels of a block of weights */
#define WIDE 6     /* positions that are summed at a time */
#define TILE 64    /* bytes of a tile's row */
#define TILE_ROWS 16
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,amx-tile,amx-int8")))
#define INLINE static inline __attribute__((always_inline))

#define AMX_BITS (3u << 24) /* of leaf 7: tiles, and their products of bytes */

enum { XTILEDATA = 18, REQUEST_PERMISSION = 0x1023 };

EXPORT int instructions(void)
{
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vnni"))
        return NOTHING;
    unsigned int a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX_BITS) != AMX_BITS ||
        syscall(SYS_arch_prctl, REQUEST_PERMISSION, XTILEDATA))
        return VNNI;
    return VNNI_AND_AMX;
}

INLINE int64_t blocks_of(const Convolution *c)
{
    return c->groups * ((c->channels + LANES - 1) / LANES);
}

/* What becomes of the sums of one position and block of 16 output channels. */
INLINE AVX512 void finish(const Convolution *c, __m512 sum, int64_t row, int64_t column,
                          int64_t block)
{
    int64_t of_group = (c->channels + LANES - 1) / LANES;
    int64_t first = block % of_group * LANES;
    int64_t left = c->channels - first;
    __mmask16 lanes = left >= LANES ? 0xffff : (__mmask16)((1 << left) - 1);
    int64_t at = column * c->channels + first;
    int64_t line = row * c->groups + block / of_group;
    if (c->added)
        sum = _mm512_add_ps(
            sum, _mm512_maskz_loadu_ps(lanes, c->added + line * c->added_pitch + at));
    if (c->is_relu)
        sum = _mm512_max_ps(sum, _mm512_setzero_ps());
    if (c->floats)
        _mm512_mask_storeu_ps(c->floats + line * c->floats_pitch + at, lanes, sum);
    if (c->bytes) {
        __m512 steps = _mm512_maskz_loadu_ps(lanes, c->inverse_steps + first);
        __m512i levels = _mm512_cvtps_epi32(_mm512_mul_ps(sum, steps));
        levels = _mm512_add_epi32(levels, _mm512_set1_epi32(c->zero));
        levels = _mm512_max_epi32(levels, _mm512_setzero_si512());
        _mm_mask_storeu_epi8(c->bytes + line * c->bytes_pitch + at, lanes,
                             _mm512_cvtusepi32_epi8(levels));
    }
}

INLINE AVX512 __m512 of_bytes(const Convolution *c, __m512i sum, int64_t block)
{
    __m512 scale = _mm512_loadu_ps(c->scales + block * LANES);
    __m512 bias = _mm512_loadu_ps(c->biases + block * LANES);
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, bias);
}

/* `positions` of a row times `blocks` of output channels, all constants of the call. */
INLINE AVX512 void sum_bytes(const Convolution *c, int64_t row, int64_t column, int64_t block,
                             const int positions, const int blocks)
{
    const uint8_t *input = (const uint8_t *)c->input + row * c->row_step + column * c->column_step;
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
        const uint8_t *in = input + k * c->pitch;
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
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            finish(c, of_bytes(c, sums[p][b], block + b), row, column + p, block + b);
}

/* The same of floats; their weights have no gaps. */
INLINE AVX512 void sum_floats(const Convolution *c, int64_t row, int64_t column, int64_t block,
                              const int positions, const int blocks)
{
    const float *input = (const float *)c->input + row * c->row_step + column * c->column_step;
    int64_t of_block = c->kernel_rows * c->run * LANES;
    const float *weights = (const float *)c->weights + block * of_block;
    __m512 sums[WIDE][4];
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            sums[p][b] = _mm512_loadu_ps(c->biases + (block + b) * LANES);
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const float *in = input + k * c->pitch;
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
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++)
            finish(c, sums[p][b], row, column + p, block + b);
}

#define ROW_OF(NAME, SUM, BLOCKS)                                                           \
    static AVX512 void NAME(const Convolution *c, int64_t row, int64_t block)                      \
    {                                                                                              \
        int64_t column = 0;                                                                        \
        for (; column + WIDE <= c->columns; column += WIDE)                                        \
            SUM(c, row, column, block, WIDE, BLOCKS);                                              \
        for (; column < c->columns; column++)                                                      \
            SUM(c, row, column, block, 1, BLOCKS);                                                 \
    }

ROW_OF(bytes_1, sum_bytes, 1)
ROW_OF(bytes_2, sum_bytes, 2)
ROW_OF(bytes_3, sum_bytes, 3)
ROW_OF(bytes_4, sum_bytes, 4)
ROW_OF(floats_1, sum_floats, 1)
ROW_OF(floats_2, sum_floats, 2)
ROW_OF(floats_3, sum_floats, 3)
ROW_OF(floats_4, sum_floats, 4)

typedef void (*Row)(const Convolution *, int64_t, int64_t);

/* Rows of one block of output channels after the other, so that its weights stay near. */
static void by_vectors(const Convolution *c, int64_t first, int64_t end, const Row *of)
{
    int64_t blocks = blocks_of(c);
    for (int64_t block = 0; block < blocks; block += 4) {
        int64_t count = blocks - block < 4 ? blocks - block : 4;
        for (int64_t row = first; row < end; row++)
            of[count - 1](c, row, block);
    }
}

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} TileShapes;

/* Up to 32 positions times up to 32 output channels, in four tiles of sums. */
INLINE AMX void sum_tiles(const Convolution *c, int64_t row, int64_t column, int64_t block,
                          const int tall, const int blocks, int32_t *scratch)
{
    const uint8_t *input = (const uint8_t *)c->input + row * c->row_step + column * c->column_step;
    int64_t steps = (c->run + TILE - 1) / TILE;
    int64_t kernel_row = steps * (TILE / 4) * TILE;
    const int8_t *weights = (const int8_t *)c->weights + block * c->kernel_rows * kernel_row;
    const int8_t *beside = weights + c->kernel_rows * kernel_row;
    int64_t step = c->column_step;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < c->kernel_rows; k++) {
        const uint8_t *in = input + k * c->pitch;
        for (int64_t s = 0; s < steps; s++) {
            int64_t w = (k * steps + s) * (TILE / 4) * TILE;
            _tile_loadd(4, in + s * TILE, step);
            _tile_loadd(6, weights + w, TILE);
            _tile_dpbusd(0, 4, 6);
            if (blocks > 1) {
                _tile_loadd(7, beside + w, TILE);
                _tile_dpbusd(1, 4, 7);
            }
            if (tall > 1) {
                _tile_loadd(5, in + s * TILE + TILE_ROWS * step, step);
                _tile_dpbusd(2, 5, 6);
                if (blocks > 1)
                    _tile_dpbusd(3, 5, 7);
            }
        }
    }
    _tile_stored(0, scratch, TILE);
    if (blocks > 1)
        _tile_stored(1, scratch + 256, TILE);
    if (tall > 1)
        _tile_stored(2, scratch + 512, TILE);
    if (tall > 1 && blocks > 1)
        _tile_stored(3, scratch + 768, TILE);
    int64_t left = c->columns - column;
    int64_t positions = left < tall * TILE_ROWS ? left : tall * TILE_ROWS;
    for (int b = 0; b < blocks; b++)
        for (int64_t p = 0; p < positions; p++) {
            const int32_t *sums = scratch + (p / TILE_ROWS) * 512 + b * 256 + p % TILE_ROWS * LANES;
            __m512i sum = _mm512_loadu_si512(sums);
            finish(c, of_bytes(c, sum, block + b), row, column + p, block + b);
        }
}

static AMX void by_tiles(const Convolution *c, int64_t first, int64_t end)
{
    TileShapes shapes;
    memset(&shapes, 0, sizeof shapes);
    shapes.palette = 1;
    for (int i = 0; i < 8; i++) {
        shapes.bytes[i] = TILE;
        shapes.rows[i] = TILE_ROWS;
    }
    _tile_loadconfig(&shapes);
    int32_t scratch[1024] __attribute__((aligned(64)));
    int64_t blocks = blocks_of(c);
    for (int64_t block = 0; block < blocks; block += 2)
        for (int64_t row = first; row < end; row++)
            for (int64_t column = 0; column < c->columns; column += 2 * TILE_ROWS) {
                int is_tall = c->columns - column > TILE_ROWS;
                if (blocks - block > 1 && is_tall)
                    sum_tiles(c, row, column, block, 2, 2, scratch);
                else if (blocks - block > 1)
                    sum_tiles(c, row, column, block, 1, 2, scratch);
                else if (is_tall)
                    sum_tiles(c, row, column, block, 2, 1, scratch);
                else
                    sum_tiles(c, row, column, block, 1, 1, scratch);
            }
    _tile_release();
}

EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how)
{
    static const Row of_bytes_rows[] = {bytes_1, bytes_2, bytes_3, bytes_4};
    static const Row of_floats_rows[] = {floats_1, floats_2, floats_3, floats_4};
    if (!c->is_bytes)
        by_vectors(c, first, end, of_floats_rows);
    else if (how == VNNI_AND_AMX)
        by_tiles(c, first, end);
    else
        by_vectors(c, first, end, of_bytes_rows);
}

#else

EXPORT int instructions(void) { return NOTHING; }

EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how)
{
    (void)c, (void)first, (void)end, (void)how;
}

#endif

#ifndef SOURCE_CRC
#define SOURCE_CRC 0
#endif

EXPORT uint32_t convolutions_built_of(void) { return SOURCE_CRC; }
