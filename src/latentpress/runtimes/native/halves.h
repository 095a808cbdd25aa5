/* bfloat16: the upper half of a float. */

#ifndef LATENTPRESS_HALVES_H
#define LATENTPRESS_HALVES_H

#include <stdint.h>
#include <string.h>

/* The upper half of a finite float, rounded to the nearest even. */
static inline uint16_t upper_half(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
