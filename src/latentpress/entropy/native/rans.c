/* Symbols <-> words of one rANS stream: 64-bit state, 32-bit words, 24-bit precision. */

#include "native.h"

#define PRECISION 24
#define ESCAPE_LIMIT 32768
#define ESCAPE_BITS 8 /* an escaped value has 2^8 of 2^24 counts */

static inline int put(Stack *stack, uint32_t start, uint32_t count)
{
    uint64_t s = stack->state;
    if (s >> 40 >= count) {
        if (stack->size >= stack->capacity)
            return NO_ROOM;
        stack->words[stack->size++] = (uint32_t)s;
        s >>= 32;
    }
    stack->state = (s / count << PRECISION) + start + s % count;
    return OK;
}

static inline uint32_t peek(const Stack *stack)
{
    return (uint32_t)stack->state & ((1u << PRECISION) - 1);
}

static inline void drop(Stack *stack, uint32_t start, uint32_t count)
{
    uint64_t s = (stack->state >> PRECISION) * count + peek(stack) - start;
    if (s >> 32 == 0 && stack->size > 0)
        s = s << 32 | stack->words[--stack->size];
    stack->state = s;
}

int push_run(Stack *stack, const Tables *tables, int32_t table, const int32_t *symbols, int64_t n)
{
    if (table < 0 || table >= tables->count)
        return NO_SUCH_TABLE;
    const int32_t r = tables->radius[table];
    const uint32_t *starts = tables->starts + tables->first[table];
    Stack s = *stack;
    int64_t escaped = 0;
    int error = OK;
    for (int64_t i = 0; i < n; i++)
        escaped += symbols[i] > r || symbols[i] < -r;
    for (int64_t i = n; escaped && i-- > 0;) {
        const int32_t v = symbols[i];
        if (v > r || v < -r) {
            if (v <= -ESCAPE_LIMIT || v >= ESCAPE_LIMIT)
                return OUT_OF_RANGE;
            error |= put(&s, (uint32_t)(v + ESCAPE_LIMIT) << ESCAPE_BITS, 1u << ESCAPE_BITS);
        }
    }
    for (int64_t i = n; i-- > 0;) {
        const int32_t v = symbols[i];
        const int32_t at = v > r || v < -r ? 2 * r + 1 : v + r;
        error |= put(&s, starts[at], starts[at + 1] - starts[at]);
    }
    *stack = s;
    return error;
}

int pop_run(Stack *stack, const Tables *tables, int32_t table, int32_t *symbols, int64_t n)
{
    if (table < 0 || table >= tables->count)
        return NO_SUCH_TABLE;
    const int32_t r = tables->radius[table];
    const uint32_t *starts = tables->starts + tables->first[table];
    const uint16_t *near = tables->near + 257 * (int64_t)table;
    Stack s = *stack;
    int64_t escaped = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t x = peek(&s);
        int32_t low = near[x >> 16], high = near[(x >> 16) + 1];
        while (low < high) { /* the last entry that starts at x or before */
            const int32_t middle = (low + high + 1) / 2;
            if (starts[middle] <= x)
                low = middle;
            else
                high = middle - 1;
        }
        drop(&s, starts[low], starts[low + 1] - starts[low]);
        symbols[i] = low - r;
        escaped += low == 2 * r + 1;
    }
    for (int64_t i = 0; escaped; i++) {
        if (symbols[i] != r + 1)
            continue;
        const uint32_t v = peek(&s) >> ESCAPE_BITS;
        drop(&s, v << ESCAPE_BITS, 1u << ESCAPE_BITS);
        if (v == 0)
            return OUT_OF_RANGE;
        symbols[i] = (int32_t)v - ESCAPE_LIMIT;
        escaped--;
    }
    *stack = s;
    return OK;
}

/* tables_of: of each run. ends: of each run, the index after its last symbol, rising. */
EXPORT int push_runs(Stack *stack, const Tables *tables, const int32_t *symbols,
                     const uint16_t *tables_of, const int64_t *ends, int64_t runs)
{
    for (int64_t k = runs; k-- > 0;) {
        const int64_t start = k ? ends[k - 1] : 0;
        const int error = push_run(stack, tables, tables_of[k], symbols + start, ends[k] - start);
        if (error)
            return error;
    }
    return OK;
}

EXPORT int pop_runs(Stack *stack, const Tables *tables, int32_t *symbols,
                    const uint16_t *tables_of, const int64_t *ends, int64_t runs)
{
    for (int64_t k = 0; k < runs; k++) {
        const int64_t start = k ? ends[k - 1] : 0;
        const int error = pop_run(stack, tables, tables_of[k], symbols + start, ends[k] - start);
        if (error)
            return error;
    }
    return OK;
}

/* The arrays of Tables from the counts of all tables, one after the other, and their radii.
   starts: (amount + count,). first: (count,). near: (count, 257). */
EXPORT int arrange_tables(const int32_t *counts, int64_t amount, const int32_t *radius,
                          int64_t count, uint32_t *starts, int32_t *first, uint16_t *near)
{
    int64_t begin = 0;
    for (int64_t t = 0; t < count; t++, near += 257) {
        const int64_t size = 2 * (int64_t)radius[t] + 2;
        if (radius[t] < 0 || size > UINT16_MAX || size > amount - begin)
            return NO_SUCH_TABLE;
        int64_t sum = 0, part = 0;
        first[t] = (int32_t)(begin + t);
        for (int64_t i = 0; i < size; i++) {
            const int32_t n = counts[begin + i];
            if (n < 1)
                return NO_SUCH_TABLE;
            *starts++ = (uint32_t)sum;
            sum += n;
            for (; part < 256 && part << 16 < sum; part++)
                near[part] = (uint16_t)i;
        }
        if (sum != 1 << PRECISION)
            return NO_SUCH_TABLE;
        near[256] = (uint16_t)(size - 1);
        *starts++ = (uint32_t)sum;
        begin += size;
    }
    return begin == amount ? OK : NO_SUCH_TABLE;
}

/* The CRC-32 of the sources, which c_libraries.py gives. */
EXPORT uint32_t built_of(void)
{
    return SOURCE_CRC;
}
