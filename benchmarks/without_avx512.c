/* Makes the processor look like one with AVX2, but without AVX-512, VNNI and AMX, to a process that
   preloads this library. Linux on x86-64; the processor must be able to fault CPUID.

   CPUID then raises a signal, whose handler gives the true answer without those instructions. Every
   library that asks the processor chooses what it would choose there: ONNX Runtime, NumPy, OpenBLAS,
   Pillow, codecs, and latentpress itself. /proc/cpuinfo is replaced by the file that WITHOUT_CPUINFO
   names. The C library asks before this one is there; benchmarks/without_avx512.py tells it by
   GLIBC_TUNABLES. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

enum { SET_CPUID = 0x1012, MAY_FAULT = 0, MAY_RUN = 1, LENGTH = 2 /* of the instruction */ };

static const uint32_t LEAF_7_B = BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) |
                                 BIT(30) | BIT(31); /* AVX-512 F DQ IFMA PF ER CD BW VL */
static const uint32_t LEAF_7_C = BIT(1) | BIT(6) | BIT(11) | BIT(12) |
                                 BIT(14); /* AVX-512 VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
static const uint32_t LEAF_7_D = BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) |
                                 BIT(25); /* AVX-512 4VNNIW 4FMAPS VP2INTERSECT FP16, AMX */
static const uint32_t LEAF_7_1_A = BIT(4) | BIT(5) | BIT(21) |
                                   BIT(23); /* AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA */
static const uint32_t LEAF_7_1_D = BIT(4) | BIT(5) | BIT(8) | BIT(10) |
                                   BIT(19); /* AVX-VNNI-INT8 and so on, AMX-COMPLEX, AVX10 */
static const uint32_t STATES = BIT(5) | BIT(6) | BIT(7) | BIT(17) | BIT(18); /* of leaf 0xd */

static void let_cpuid(unsigned long how) { syscall(SYS_arch_prctl, SET_CPUID, how); }

static void without(uint32_t leaf, uint32_t sub, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    if (leaf == 7 && sub == 0)
        *b &= ~LEAF_7_B, *c &= ~LEAF_7_C, *d &= ~LEAF_7_D;
    else if (leaf == 7 && sub == 1)
        *a &= ~LEAF_7_1_A, *d &= ~LEAF_7_1_D;
    else if (leaf == 0xd && sub == 0)
        *a &= ~STATES;
    else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24)
        *a = *b = *c = *d = 0;
}

static void answer(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)registers[REG_RIP];
    (void)info;
    if (code[0] != 0x0f || code[1] != 0xa2) {
        signal(number, SIG_DFL); /* a fault of another kind, which comes again */
        return;
    }
    uint32_t leaf = (uint32_t)registers[REG_RAX], sub = (uint32_t)registers[REG_RCX];
    uint32_t a = leaf, b, c = sub, d;
    let_cpuid(MAY_RUN);
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    let_cpuid(MAY_FAULT);
    without(leaf, sub, &a, &b, &c, &d);
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += LENGTH;
}

__attribute__((constructor)) static void start(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, 0);
    if (syscall(SYS_arch_prctl, SET_CPUID, MAY_FAULT)) {
        perror("without_avx512: CPUID cannot be made to fault");
        _exit(3);
    }
}

static const char *other(const char *path)
{
    const char *cpuinfo = getenv("WITHOUT_CPUINFO");
    return cpuinfo && path && !strcmp(path, "/proc/cpuinfo") ? cpuinfo : path;
}

typedef int (*Open)(const char *, int, ...);
typedef int (*OpenAt)(int, const char *, int, ...);
typedef FILE *(*OpenStream)(const char *, const char *);

#define OPEN(NAME)                                                                                 \
    int NAME(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = va_arg(rest, mode_t);                                                        \
        va_end(rest);                                                                              \
        return ((Open)dlsym(RTLD_NEXT, #NAME))(other(path), flags, mode);                          \
    }

#define OPEN_AT(NAME)                                                                              \
    int NAME(int folder, const char *path, int flags, ...)                                         \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = va_arg(rest, mode_t);                                                        \
        va_end(rest);                                                                              \
        return ((OpenAt)dlsym(RTLD_NEXT, #NAME))(folder, other(path), flags, mode);                \
    }

#define OPEN_STREAM(NAME)                                                                          \
    FILE *NAME(const char *path, const char *mode)                                                 \
    {                                                                                              \
        return ((OpenStream)dlsym(RTLD_NEXT, #NAME))(other(path), mode);                           \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
OPEN_STREAM(fopen)
OPEN_STREAM(fopen64)
