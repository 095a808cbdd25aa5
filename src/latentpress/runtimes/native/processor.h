/* What the processor has, and the system lets programs use. */

#ifndef LATENTPRESS_PROCESSOR_H
#define LATENTPRESS_PROCESSOR_H

#include "convolution.h"

/* What the processor has for bytes: NOTHING, VNNI to VNNI_AND_AMX, or AVX2_AND_VNNI. */
EXPORT int instructions(void);

/* What it has for floats where it has nothing for bytes: NOTHING or AVX2_ALONE. */
EXPORT int float_instructions(void);

#if HAS_VECTORS

/* Whether bytes are multiplied in vectors of AVX2 without AVX-512. */
int has_avx_vnni(void);

#endif
#endif
