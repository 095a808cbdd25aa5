/* A convolution, as layers.py makes it of an ONNX graph. Nothing is allocated here, and nothing is checked. */

#ifndef LATENTPRESS_CONVOLUTION_H
#define LATENTPRESS_CONVOLUTION_H

#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* GCC for Windows is left out: it does not align the stack for vectors of 32 bytes (its bug 54412). */
#if defined(__x86_64__) && (__clang_major__ >= 13 || (__GNUC__ >= 11 && !defined(_WIN32)))
#define HAS_VECTORS 1
#else
#define HAS_VECTORS 0
#endif

/* Of the first four, which have AVX-512, each can do what those before it can. VNNI_AND_HALVES:
   products of bfloat16, too. AVX2_AND_VNNI: of bytes, in vectors of AVX2. */
enum {
    NOTHING = 0,
    VNNI = 1,
    VNNI_AND_HALVES = 2,
    VNNI_AND_AMX = 3,
    AVX2_ALONE = 4,
    AVX2_AND_VNNI = 5
};

enum { MOST_TRANSFORMED = 256 }; /* input channels where is_transformed */

/* Rows that are held in turn: row i of an array has the place (first + i) % room in memory. */
typedef struct {
    int64_t first, room;
} Ring;

/* Steps and pitches count numbers of the array that they belong to. Pitches: from a row to the
   next one. Positions of the output have their channels side by side. */
typedef struct {
    const void *input;    /* bytes or floats, its borders with it; SLACK bytes after its end (of
                             native/__init__.py) can be read.
                             Like the other arrays: where the first of the places of its ring is */
    const void *weights;  /* blocks of 16 output channels; see weights.h */
    const float *scales;  /* of bytes, an output channel: sum -> float */
    const float *biases;  /* an output channel; both padded to a block */
    const float *added;   /* NULL, or what is added to the output */
    float *floats;        /* NULL, or where the output goes */
    uint8_t *bytes;       /* NULL, or where it goes as bytes */
    const float *inverse_steps; /* of these bytes, an output channel */
    int64_t pitch, stride, column_step; /* of the input: stride in rows, column_step in numbers */
    int64_t added_pitch, floats_pitch, bytes_pitch;
    int64_t kernel_rows, run; /* run: numbers that a row of the kernel reads */
    int64_t groups;   /* of output channels: each goes to a row of its own */
    int64_t columns, channels; /* of the output; channels of one group */
    int32_t zero;     /* of the output's bytes */
    int32_t is_relu;
    int32_t is_bytes; /* the input */
    uint16_t *halves; /* NULL, or where the output goes as bfloat16 */
    int64_t halves_pitch;
    int64_t rows; /* of positions; for run_layers, and where is_transformed */
    Ring reads, adds, writes; /* rows of the input, of what is added, of the output */
    int32_t is_halves; /* the input, and the weights: bfloat16; from VNNI_AND_HALVES on */
    int32_t is_transformed; /* the weights, of floats, from AVX2_ALONE on: as of winograd.c. Pairs
                               of rows are summed, the last one alone where it is no pair */
} Convolution;

/* Positions in rows first to end (excluded); each gives `groups` rows of the output. how: what the
   processor has, or less; AVX2_ALONE is for floats. */
EXPORT void convolve(const Convolution *c, int64_t first, int64_t end, int how);

/* The same in parts, for one thread of several: begin_convolutions before a thread's first part,
   end_convolutions after its last one. rows_at_a_time rows of at most so many positions have
   parts_of parts: blocks of channels, or without AVX-512 columns. */
void begin_convolutions(int how);
void end_convolutions(int how);
int64_t rows_at_a_time(const Convolution *c);
int64_t parts_of(const Convolution *c, int64_t columns, int how);
void sum_columns(const Convolution *c, int64_t row, int64_t part, int64_t parts, int64_t first,
                 int64_t end, int how);

/* CRC-32 of the sources, as c_libraries.py gives it to the compiler. */
EXPORT uint32_t convolutions_built_of(void);

#endif
