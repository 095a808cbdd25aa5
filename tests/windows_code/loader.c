/* Runs functions of a DLL for Windows on x86-64 in a process of Linux, as far as they compute. Its
   sections are copied and relocated; of what it imports only SwitchToThread is there. No entry point
   is called. The layout is that of Microsoft's PE Format; the numbers are offsets in its tables. */

#define _GNU_SOURCE

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOWS __attribute__((ms_abi))

enum { EXPORTS, IMPORTS, RELOCATIONS = 5, THREADS = 9 }; /* directories of the image */
enum { SECTION_BYTES = 40, IMPORT_BYTES = 20, ADDRESS_OF_64_BITS = 10, SET_GS = 0x1001 };
enum { SLOTS = 11 }; /* of a thread's environment block, which GS names: its array of storage */

static uint32_t read32(const uint8_t *at) { return *(const uint32_t *)at; }

static uint64_t read64(const uint8_t *at) { return *(const uint64_t *)at; }

static WINDOWS int switch_to_thread(void) { return !sched_yield(); }

static WINDOWS void missing(void)
{
    fputs("a function of Windows was called that is not there\n", stderr);
    abort();
}

static uint8_t *optional_header(uint8_t *image) { return image + read32(image + 0x3c) + 24; }

static uint8_t *directory(uint8_t *image, int which)
{
    const uint32_t at = read32(optional_header(image) + 112 + 8 * which);
    return at ? image + at : 0;
}

static void relocate(uint8_t *image, int64_t moved)
{
    uint8_t *block = directory(image, RELOCATIONS);
    const uint8_t *end = block + read32(optional_header(image) + 116 + 8 * RELOCATIONS);
    for (; block < end; block += read32(block + 4))
        for (uint32_t i = 8; i < read32(block + 4); i += 2) {
            const uint16_t entry = *(uint16_t *)(block + i);
            if (entry >> 12 == ADDRESS_OF_64_BITS)
                *(int64_t *)(image + read32(block) + (entry & 4095)) += moved;
        }
}

static void import(uint8_t *image)
{
    for (uint8_t *of = directory(image, IMPORTS); read32(of + 12); of += IMPORT_BYTES) {
        const uint8_t *names = image + read32(of);
        void **to = (void **)(image + read32(of + 16));
        for (; read64(names); names += 8, to++) {
            const char *name = (const char *)image + read32(names) + 2;
            *to = strcmp(name, "SwitchToThread") ? (void *)missing : (void *)switch_to_thread;
        }
    }
}

/* The image of a DLL's file in memory, for good; NULL where it cannot be had. */
void *load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size), *image = 0;
    if (data && fread(data, 1, size, file) == (size_t)size) {
        const uint8_t *header = data + read32(data + 0x3c);
        const uint8_t *optional = header + 24;
        image = mmap(0, read32(optional + 56), PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(image, data, read32(optional + 60));
        const uint8_t *section = optional + *(const uint16_t *)(header + 20);
        for (int i = 0; i < *(const uint16_t *)(header + 6); i++, section += SECTION_BYTES) {
            const uint32_t in_memory = read32(section + 8), in_file = read32(section + 16);
            memcpy(image + read32(section + 12), data + read32(section + 20),
                   in_file < in_memory ? in_file : in_memory);
        }
        relocate(image, (int64_t)image - (int64_t)read64(optional + 24));
        import(image);
    }
    free(data);
    fclose(file);
    return image;
}

/* An exported function; NULL where there is none of this name. */
void *function(uint8_t *image, const char *name)
{
    const uint8_t *table = directory(image, EXPORTS);
    const uint32_t *functions = (uint32_t *)(image + read32(table + 28));
    const uint32_t *names = (uint32_t *)(image + read32(table + 32));
    const uint16_t *places = (uint16_t *)(image + read32(table + 36));
    for (uint32_t i = 0; i < read32(table + 24); i++)
        if (!strcmp((char *)image + names[i], name))
            return image + functions[places[i]];
    return 0;
}

/* What the image has for each thread, in its slot 0, for the thread that calls. */
static void begin_thread(uint8_t *image)
{
    static __thread uint64_t block[SLOTS + 1], slots[1];
    const uint8_t *table = directory(image, THREADS);
    if (block[SLOTS] || !table)
        return;
    const uint64_t begin = read64(table), size = read64(table + 8) - begin;
    const uint64_t whole = (size + read32(table + 32) + 63) / 64 * 64;
    uint8_t *storage = aligned_alloc(64, whole);
    memset(storage, 0, whole);
    memcpy(storage, (const void *)begin, size);
    slots[0] = (uint64_t)storage;
    block[SLOTS] = (uint64_t)slots;
    syscall(SYS_arch_prctl, SET_GS, block);
}

#define A uint64_t
typedef A (WINDOWS *Function)(A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A);

/* A function of the image, with up to 16 whole numbers and addresses. */
A call(uint8_t *image, Function of, A a, A b, A c, A d, A e, A f, A g, A h, A i, A j, A k, A l, A m,
       A n, A o, A p)
{
    begin_thread(image);
    return of(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
}
