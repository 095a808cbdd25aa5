/* The weights of a convolution, from the order of an ONNX file into the one that its sums read. */

#ifndef LATENTPRESS_WEIGHTS_H
#define LATENTPRESS_WEIGHTS_H

#include "convolution.h"

enum { OF_FLOATS = 0, OF_HALVES = 1, OF_BYTES = 2, OF_POINTS = 3 };

/* weights: (O, I, H, W), float16 where is_float16, else float32. order: of every place in the
   blocks of 16 output channels the number of its channel, -1 where there is none. kind: of the
   numbers of `packed`, (blocks, H, W I / n, 16, n): floats, n 1, without gaps; bfloat16, n 2, runs
   filled up to 32; bytes, n 4, runs filled up to 64. Of OF_POINTS, whose kernels are 3 x 3:
   floats, (blocks, 24, I, 16), the points of winograd.c.

   Of bytes only: steps (I,), of the inputs; turned: NULL, or a bit a weight in the file's order, the
   lowest bit of a byte first: whether it takes not the nearest level, but the one on its other
   side; scales, sums: of every place what a level stands for, the largest being 127, and the sum of
   the levels. scratch: I H W numbers, or 33 I of OF_POINTS. */
EXPORT void pack_weights(const void *weights, int is_float16, int64_t inputs, int64_t rows,
                         int64_t columns, const int32_t *order, int64_t places, int kind,
                         const double *steps, const uint8_t *turned, void *packed,
                         double *scales, double *sums, double *scratch);

#endif
