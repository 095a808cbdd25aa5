/* Convolutions in tiles of AMX. */

#ifndef LATENTPRESS_TILES_H
#define LATENTPRESS_TILES_H

#include "convolution.h"

#if HAS_VECTORS

enum { BLOCKS_OF_TILES = 2 };

/* The calling thread's tiles, before its first convolution and after its last one. */
void configure_tiles(void);
void release_tiles(void);

/* Columns first to end (excluded) of a row, for one or two blocks of output channels. */
void sum_by_tiles(const Convolution *c, int64_t row, int64_t block, int64_t blocks, int64_t first,
                  int64_t end);

#endif
#endif
