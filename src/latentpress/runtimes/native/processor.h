/* What the processor has, and the system lets programs use. */

#ifndef LATENTPRESS_PROCESSOR_H
#define LATENTPRESS_PROCESSOR_H

#include "convolution.h"

/* What there is of AVX-512: NOTHING, or VNNI to VNNI_AND_AMX. */
EXPORT int instructions(void);

/* What there is where AVX-512 is not: NOTHING, AVX2_ALONE or AVX2_AND_VNNI. */
EXPORT int narrow_instructions(void);

#if HAS_VECTORS

/* Whether bytes are multiplied in vectors of AVX2 without AVX-512. */
int has_avx_vnni(void);

#endif
#endif
