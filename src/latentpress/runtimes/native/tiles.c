/* Convolutions of bytes and of bfloat16 in tiles of AMX.

   Up to 32 positions times 32 output channels are summed at a time, in four tiles. What becomes of
   the sums is vector arithmetic, which the processor does beside that of its tiles: after each
   product of tiles, some of the sums of the 32 positions before are finished. */

#include "tiles.h"

#if HAS_VECTORS

#include "finish.h"

#define TILE 64 /* bytes of a tile's row */
#define TILE_ROWS 16
#define POSITIONS (2 * TILE_ROWS)

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} TileShapes;

/* Sums of 32 positions, 16 numbers each: two tiles of each of two blocks. */
typedef struct {
    int32_t sums[2][POSITIONS * LANES] __attribute__((aligned(64)));
    int64_t column, next, count; /* next: the first position that is not finished */
} Sums;

/* A row of the output and a block or two of its channels. */
typedef struct {
    const Convolution *c;
    const uint8_t *input;
    const int8_t *weights, *beside; /* of the blocks */
    Target targets[2];
    int64_t step; /* bytes of the input, from a position to the next one */
    int64_t place; /* of the input's first row that is read */
    int64_t pitch, steps; /* steps: tiles of a kernel's row */
    int64_t share; /* positions that are finished after each product of tiles */
    int is_together; /* whether the blocks' channels are 32 that lie side by side */
} Row;

INLINE AMX __m512 sum_of(const Row *r, const Sums *s, int block, int64_t position, int is_halves)
{
    const int32_t *sums = s->sums[block] + position * LANES;
    const Target *t = &r->targets[block];
    return is_halves ? _mm512_add_ps(_mm512_loadu_ps(sums), t->bias)
                     : of_bytes(t, _mm512_loadu_si512(sums));
}

/* Finish up to so many positions. */
INLINE AMX void finish_some(const Row *r, Sums *s, int64_t positions, const int blocks,
                            const int is_halves)
{
    int64_t end = s->next + positions < s->count ? s->next + positions : s->count;
    for (int64_t p = s->next; p < end; p++) {
        __m512 left = sum_of(r, s, 0, p, is_halves);
        if (blocks == 1) {
            finish(r->c, &r->targets[0], left, s->column + p);
            continue;
        }
        __m512 right = sum_of(r, s, 1, p, is_halves);
        if (r->is_together) {
            finish_two(r->c, &r->targets[0], &r->targets[1], left, right, s->column + p);
        } else {
            finish(r->c, &r->targets[0], left, s->column + p);
            finish(r->c, &r->targets[1], right, s->column + p);
        }
    }
    s->next = end;
}

#define PRODUCT(SUM, A, B)                                                                         \
    do {                                                                                           \
        if (is_halves)                                                                             \
            _tile_dpbf16ps(SUM, A, B);                                                             \
        else                                                                                       \
            _tile_dpbusd(SUM, A, B);                                                               \
    } while (0)

/* Sum the positions of `now`, and finish those of `before`. */
INLINE AMX void sum_tiles(const Row *r, Sums *now, Sums *before, const int tall, const int blocks,
                          const int is_halves)
{
    const uint8_t *input = r->input + now->column * r->step;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    int64_t w = 0;
    for (int64_t k = 0; k < r->c->kernel_rows; k++) {
        const uint8_t *in = input + place_below(&r->c->reads, r->place, k) * r->pitch;
        for (int64_t s = 0; s < r->steps; s++, in += TILE, w += TILE_ROWS * TILE) {
            _tile_loadd(4, in, r->step);
            _tile_loadd(6, r->weights + w, TILE);
            PRODUCT(0, 4, 6);
            if (blocks > 1) {
                _tile_loadd(7, r->beside + w, TILE);
                PRODUCT(1, 4, 7);
            }
            if (tall > 1) {
                _tile_loadd(5, in + TILE_ROWS * r->step, r->step);
                PRODUCT(2, 5, 6);
                if (blocks > 1)
                    PRODUCT(3, 5, 7);
            }
            finish_some(r, before, r->share, blocks, is_halves);
        }
    }
    finish_some(r, before, POSITIONS, blocks, is_halves);
    _tile_stored(0, now->sums[0], TILE);
    if (blocks > 1)
        _tile_stored(1, now->sums[1], TILE);
    if (tall > 1)
        _tile_stored(2, now->sums[0] + TILE_ROWS * LANES, TILE);
    if (tall > 1 && blocks > 1)
        _tile_stored(3, now->sums[1] + TILE_ROWS * LANES, TILE);
}

INLINE AMX void sum_row(const Row *r, int64_t first, int64_t end, const int blocks,
                        const int is_halves)
{
    Sums sums[2];
    sums[1].next = sums[1].count = 0;
    int which = 0;
    for (int64_t column = first; column < end; column += POSITIONS) {
        Sums *now = &sums[which], *before = &sums[!which];
        now->column = column;
        if (end - column > TILE_ROWS)
            sum_tiles(r, now, before, 2, blocks, is_halves);
        else
            sum_tiles(r, now, before, 1, blocks, is_halves);
        now->next = 0;
        now->count = end - column < POSITIONS ? end - column : POSITIONS;
        which = !which;
    }
    finish_some(r, &sums[!which], POSITIONS, blocks, is_halves);
}

/* Constant, since compilers may think that less of it is read, and never write the rest. */
static const TileShapes SHAPES = {
    .palette = 1,
    .bytes = {TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

AMX void configure_tiles(void) { _tile_loadconfig(&SHAPES); }

AMX void release_tiles(void) { _tile_release(); }

AMX void sum_by_tiles(const Convolution *c, int64_t row, int64_t block, int64_t blocks,
                      int64_t first, int64_t end)
{
    int64_t size = c->is_halves ? 2 : 1;
    Row r;
    r.c = c;
    r.input = c->input;
    r.place = place_of(&c->reads, row * c->stride);
    r.step = c->column_step * size;
    r.pitch = c->pitch * size;
    r.steps = (c->run * size + TILE - 1) / TILE;
    int64_t of_block = c->kernel_rows * r.steps * TILE_ROWS * TILE;
    r.weights = (const int8_t *)c->weights + block * of_block;
    r.beside = r.weights + of_block;
    r.share = (POSITIONS - 1) / (c->kernel_rows * r.steps) + 1;
    r.targets[0] = target_of(c, row, block);
    r.is_together = 0;
    if (blocks > 1) {
        r.targets[1] = target_of(c, row, block + 1);
        r.is_together = c->channels % (2 * LANES) == 0;
    }
    if (c->is_halves && blocks > 1)
        sum_row(&r, first, end, 2, 1);
    else if (c->is_halves)
        sum_row(&r, first, end, 1, 1);
    else if (blocks > 1)
        sum_row(&r, first, end, 2, 0);
    else
        sum_row(&r, first, end, 1, 0);
}

#endif
