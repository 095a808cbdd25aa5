/* The processor's own answer, and the system's: what compilers ask for a program is not answered
   under all of them (in a library made by zig, everything is missing). */

#define _GNU_SOURCE /* syscall */

#include "processor.h"

#if HAS_VECTORS

#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define BIT(N) (1u << (N))

enum { AVX_STATE = 0x06, AVX512_STATE = 0xe6 }; /* of registers that the system keeps */
enum { XTILEDATA = 18, REQUEST_PERMISSION = 0x1023 };

typedef struct {
    unsigned int a, b, c, d;
} Answer;

static const unsigned int FMA_XSAVE_AVX_F16C = BIT(12) | BIT(27) | BIT(28) | BIT(29); /* 1, c */
static const unsigned int AVX2 = BIT(5);                                              /* 7, b */
static const unsigned int AVX512_F_BW_VL = BIT(16) | BIT(30) | BIT(31);               /* 7, b */
static const unsigned int AVX512_VNNI = BIT(11);                                      /* 7, c */
static const unsigned int AMX_BF16_TILE_INT8 = BIT(22) | BIT(24) | BIT(25);           /* 7, d */
static const unsigned int AVX_VNNI = BIT(4), AVX512_BF16 = BIT(5);                    /* 7.1, a */

static Answer ask(unsigned int leaf, unsigned int part)
{
    Answer t = {0, 0, 0, 0};
    __get_cpuid_count(leaf, part, &t.a, &t.b, &t.c, &t.d);
    return t;
}

static int has(unsigned int answer, unsigned int bits) { return (answer & bits) == bits; }

/* Asked only where XGETBV is there. */
static int keeps(unsigned int state)
{
    unsigned int low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return has(low, state);
}

static int has_avx2(void)
{
    return has(ask(1, 0).c, FMA_XSAVE_AVX_F16C) && keeps(AVX_STATE) && has(ask(7, 0).b, AVX2);
}

int has_avx_vnni(void)
{
    static int known = -1; /* a virtual machine takes its time for each answer */
    int found = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (found < 0) {
        found = has_avx2() && has(ask(7, 1).a, AVX_VNNI);
        __atomic_store_n(&known, found, __ATOMIC_RELAXED);
    }
    return found;
}

static int has_avx512(void)
{
    const Answer found = ask(7, 0);
    return has_avx2() && keeps(AVX512_STATE) && has(found.b, AVX512_F_BW_VL) &&
           has(found.c, AVX512_VNNI);
}

/* Tiles need a permission, which is asked for as of Linux. */
static int may_use_tiles(void)
{
#if defined(__linux__)
    return !syscall(SYS_arch_prctl, REQUEST_PERMISSION, XTILEDATA);
#else
    return 0;
#endif
}

EXPORT int instructions(void)
{
    if (!has_avx512())
        return has_avx_vnni() ? AVX2_AND_VNNI : NOTHING;
    if (!has(ask(7, 1).a, AVX512_BF16))
        return VNNI;
    if (!has(ask(7, 0).d, AMX_BF16_TILE_INT8) || !may_use_tiles())
        return VNNI_AND_HALVES;
    return VNNI_AND_AMX;
}

EXPORT int float_instructions(void)
{
    return instructions() == NOTHING && has_avx2() ? AVX2_ALONE : NOTHING;
}

#else

EXPORT int instructions(void) { return NOTHING; }

EXPORT int float_instructions(void) { return NOTHING; }

#endif
