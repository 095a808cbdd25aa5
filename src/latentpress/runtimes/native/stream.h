/* Rows of a picture, top to bottom, through the layers of a network. */

#ifndef LATENTPRESS_STREAM_H
#define LATENTPRESS_STREAM_H

#include "convolution.h"

enum { FLOATS = 0, HALVES = 1, BYTES = 2, KINDS = 3 };

/* Rows first to end of a tensor, in up to three kinds of numbers. A row has its border with it, and
   `border` rows of it lie above the picture's first row and below its last one. */
typedef struct {
    uint8_t *kinds[KINDS];  /* `room` rows: row r has the place (r + border) % room; or NULL */
    int64_t pitches[KINDS]; /* numbers, from a row to the next one */
    int64_t channels, border;
    int64_t first, end;     /* first: below 0 at the upper border; end: the first unknown row */
    int64_t room;           /* rows that fit */
    int64_t planned;        /* the end after the next rows */
    int64_t fill;           /* bytes of the border; the other kinds have 0 there */
    int64_t total;          /* rows of the picture, once its last ones have come */
} Rows;

typedef struct {
    Convolution call;
    int64_t source, output, added; /* numbers of tensors; added: -1 where nothing is */
    int64_t stride, pad, side;     /* side: of the block of a DepthToSpace */
    int64_t done;                  /* rows of positions so far */
    int64_t most;                  /* of them that came at a time; 0 where none have */
} Layer;

/* Let go of the rows that no layer needs any more. */
EXPORT void drop_rows(Rows *tensors, int64_t count, const Layer *layers, int64_t layers_count);

/* Bytes whose channels lie side by side, without gaps, into a tensor's rows first to end. */
EXPORT void put_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      const uint8_t *bytes);

/* A tensor's rows first to end (excluded) -> bytes without gaps. */
EXPORT void get_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      uint8_t *bytes);

/* Planes of floats, one a channel, into the floats and the bfloat16 of a tensor's rows first to
   end. plane, row: numbers from a plane or a row to the next one. */
EXPORT void put_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       const float *planes, int64_t plane, int64_t row);

/* The floats of a tensor's rows first to end (excluded) -> planes, a channel each. plane: numbers from a
   plane to the next one. */
EXPORT void get_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       float *planes, int64_t plane);

/* What the layers can do once tensor 0 has `rows` more rows, which are its last ones or not.
   Returns 0 where some tensor has no room for its planned rows, and changes nothing but these. Else
   the calls are ready, and the borders below the picture are there.

   Once the last rows have come, no layer does more at a time than it did before, so that no tensor
   takes more room: call it with 0 rows until every tensor has its `total`. */
EXPORT int plan_rows(Rows *tensors, int64_t count, Layer *layers, int64_t layers_count,
                     int64_t rows, int is_last);

/* The planned rows of all layers, by several threads that call this with the same arguments but
   `thread`, 0 to threads - 1. A thread that comes late or never is not waited for. counters:
   layers x (threads + 1) zeros. */
EXPORT void run_layers(const Layer *layers, int64_t layers_count, int64_t *counters,
                       int64_t threads, int64_t thread, int how);

#endif
