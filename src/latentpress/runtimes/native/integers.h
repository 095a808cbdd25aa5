/* Layers of whole numbers, as integer_layers.py describes them: the same sums on every processor.
   Nothing is allocated here, and nothing is checked. */

#ifndef LATENTPRESS_INTEGERS_H
#define LATENTPRESS_INTEGERS_H

#include "convolution.h"

#define SUMMANDS 3

enum { MOST_NUMBERS = 131072 };

/* A convolution of bytes by weights of 16 bits, its stride 1. */
typedef struct {
    const uint8_t *input;  /* the first byte that the first position reads; channels side by side */
    const int8_t *weights; /* of pack_integers */
    int64_t pitch, column_step; /* bytes from a row of the input to the next, from a position */
    int64_t kernel_rows, run;   /* run: bytes that a row of the kernel reads */
} Summand;

#define TILE 64 /* bytes of the input, of which a run of weights is for a multiple */
#define TILE_BYTES (TILE * 16) /* of its weights, for a block of 16 output channels */

static inline int64_t steps_of(const Summand *s) { return (s->run + TILE - 1) / TILE; }

/* Bytes of the weights of a row of the kernel, and of a whole block. */
static inline int64_t of_row(const Summand *s) { return steps_of(s) * 2 * TILE_BYTES; }

static inline int64_t of_block(const Summand *s) { return s->kernel_rows * of_row(s); }

/* Convolutions, the sums of which become round(scale * (sum + start + bias)), half to even. */
typedef struct {
    Summand summands[SUMMANDS];
    int64_t count;         /* of summands */
    const int32_t *starts; /* these three: an output channel, padded to blocks of 16 */
    const float *biases, *scales;
    uint8_t *bytes; /* NULL, or where the output goes, clipped to 0 .. 255, channels side by side */
    float *floats;  /* NULL, or where it goes plane after plane, not clipped */
    int64_t bytes_pitch;          /* of an output row */
    int64_t plane, floats_pitch;  /* floats of a channel, of an output row */
    int64_t groups;   /* of output channels: each goes to a row of bytes of its own */
    int64_t columns, channels; /* of the output; channels of one group */
} IntegerLayer;

/* The layer's rows first to end (excluded). how: what the processor has, or less. Of AVX2_ALONE the
   rows of kernels read MOST_NUMBERS at most: of each (15 column_step + run), filled up to even. */
EXPORT void sum_integers(const IntegerLayer *c, int64_t first, int64_t end, int how);

/* Weights (O, I, H, W) for a Summand. order: of every place in the blocks of 16 output channels
   the number of its channel, -1 where there is none. how: of the sums that will read them. Gives
   `packed`, (blocks, H, W I / 64, 2, 16, 16, 4): 256 times the second byte plus the first is the
   weight; of AVX2_ALONE in as many bytes (blocks, H, W I / 2, 16, 2), weights of 16 bits. Gives
   `sums`, of the weights of every place. */
EXPORT void pack_integers(const int16_t *weights, int64_t inputs, int64_t rows, int64_t columns,
                          const int32_t *order, int64_t places, int how, int8_t *packed,
                          int32_t *sums);

#endif
