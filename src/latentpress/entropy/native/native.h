/* What the files of this library share: the coder's stack, the CDF tables, and error numbers.

   The library does what rans.py, trellis.py and planes.py do in NumPy, number for number. It keeps
   no state and allocates nothing: callers give all arrays, scratch included. Input that came from a
   file may be anything; whatever it is, nothing is read or written outside of the arrays. */

#ifndef LATENTPRESS_NATIVE_H
#define LATENTPRESS_NATIVE_H

#include <float.h>
#include <stdint.h>

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "float32 sums must be rounded to float32: another compiler or -mfpmath=sse"
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum { OK = 0, OUT_OF_RANGE = 1, NO_SUCH_TABLE = 2, NO_ROOM = 3 };

/* tables.npz as arrange_tables puts it. A table of radius r has 2 r + 2 entries. */
typedef struct {
    const uint32_t *starts; /* of all tables, one after the other, each ended by 2^24 */
    const int32_t *first;   /* of each table, where its starts begin */
    const int32_t *radius;  /* of each table */
    const uint16_t *near;   /* of each table 257 numbers: the entry that holds i * 2^16 */
    int32_t count;          /* tables */
} Tables;

/* words[0 .. size - 1] were put out, the last one last. */
typedef struct {
    uint64_t state;
    uint32_t *words;
    int64_t size;
    int64_t capacity;
} Stack;

/* Symbols that share a table, in coding order. */
int push_run(Stack *stack, const Tables *tables, int32_t table, const int32_t *symbols, int64_t n);
int pop_run(Stack *stack, const Tables *tables, int32_t table, int32_t *symbols, int64_t n);

#endif
