/* Rows of a picture through the layers of a network. A layer computes what it can of the rows so
   far; rows that nobody needs any more give their places to others. No row is computed twice. */

#define _GNU_SOURCE /* sched_yield */

#include "stream.h"

#include <string.h>

#include "halves.h"

#if HAS_VECTORS

#include <immintrin.h>

#if defined(_WIN32)
__declspec(dllimport) int SwitchToThread(void);
#define sched_yield SwitchToThread
#else
#include <sched.h>
#endif

#define SEGMENT 32 /* columns, of which a thread gets a multiple */
#define BLOCK 16   /* columns of planes whose lines are used while they are near */
#define PAUSES 100 /* that a thread waits for others before it lets go of the processor */

static const int64_t SIZES[KINDS] = {4, 2, 1};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

EXPORT void drop_rows(Rows *tensors, int64_t count, const Layer *layers, int64_t layers_count)
{
    for (int64_t i = 0; i < count; i++)
        tensors[i].planned = tensors[i].end;
    for (int64_t i = 0; i < layers_count; i++) {
        const Layer *layer = layers + i;
        Rows *source = tensors + layer->source;
        source->planned = least(source->planned, layer->done * layer->stride - layer->pad);
        if (layer->added >= 0) {
            Rows *added = tensors + layer->added;
            added->planned = least(added->planned, layer->done * layer->side);
        }
    }
    for (int64_t i = 0; i < count; i++)
        tensors[i].first = tensors[i].planned > tensors[i].first ? tensors[i].planned
                                                                 : tensors[i].first;
}

static int64_t place_of(const Rows *rows, int64_t row)
{
    return (row + rows->border) % rows->room;
}

/* Where a row of the picture begins in one kind of numbers, border and all. */
static uint8_t *line_of(const Rows *rows, int kind, int64_t row)
{
    return rows->kinds[kind] + place_of(rows, row) * rows->pitches[kind] * SIZES[kind];
}

/* The first place of a tensor's ring at a column of the picture; NULL where it is not held. */
static void *start_of(const Rows *rows, int kind, int64_t column)
{
    int64_t numbers = (column + rows->border) * rows->channels;
    return rows->kinds[kind] ? rows->kinds[kind] + numbers * SIZES[kind] : 0;
}

EXPORT void put_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      const uint8_t *bytes)
{
    const int64_t count = columns * tensor->channels, border = tensor->border * tensor->channels;
    for (int64_t r = first; r < end; r++, bytes += count)
        memcpy(line_of(tensor, BYTES, r) + border, bytes, count);
}

EXPORT void get_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      uint8_t *bytes)
{
    const int64_t count = columns * tensor->channels, border = tensor->border * tensor->channels;
    for (int64_t r = first; r < end; r++, bytes += count)
        memcpy(bytes, line_of(tensor, BYTES, r) + border, count);
}

EXPORT void put_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       const float *planes, int64_t plane, int64_t row)
{
    const int64_t channels = tensor->channels;
    for (int64_t r = first; r < end; r++, planes += row) {
        const int64_t border = tensor->border * channels;
        float *floats = tensor->kinds[FLOATS] ? (float *)line_of(tensor, FLOATS, r) + border : 0;
        uint16_t *halves =
            tensor->kinds[HALVES] ? (uint16_t *)line_of(tensor, HALVES, r) + border : 0;
        for (int64_t left = 0; left < columns; left += BLOCK)
            for (int64_t channel = 0; channel < channels; channel++) {
                const float *in = planes + channel * plane;
                for (int64_t x = left; x < least(left + BLOCK, columns); x++) {
                    if (floats)
                        floats[x * channels + channel] = in[x];
                    if (halves)
                        halves[x * channels + channel] = upper_half(in[x]);
                }
            }
    }
}

EXPORT void get_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       float *planes, int64_t plane)
{
    const int64_t channels = tensor->channels;
    for (int64_t r = first; r < end; r++, planes += columns) {
        const float *in = (const float *)line_of(tensor, FLOATS, r) + tensor->border * channels;
        for (int64_t left = 0; left < columns; left += BLOCK)
            for (int64_t channel = 0; channel < channels; channel++)
                for (int64_t x = left; x < least(left + BLOCK, columns); x++)
                    planes[channel * plane + x] = in[x * channels + channel];
    }
}

/* Rows of positions that a layer has done once the planned rows are there. */
static int64_t rows_of(const Rows *tensors, const Layer *layer, int is_last)
{
    const Rows *source = tensors + layer->source;
    int is_whole = is_last && source->planned == source->total;
    int64_t known = source->planned + (is_whole ? layer->pad : 0) + layer->pad;
    if (known < layer->call.kernel_rows)
        return layer->done;
    int64_t rows = (known - layer->call.kernel_rows) / layer->stride + 1;
    if (layer->added >= 0)
        rows = least(rows, tensors[layer->added].planned / layer->side);
    if (is_last && layer->most)
        rows = least(rows, layer->done + layer->most);
    if (!is_last || rows * layer->side < tensors[layer->output].total)
        rows -= rows % rows_at_a_time(&layer->call);
    return rows > layer->done ? rows : layer->done;
}

static Ring ring_of(const Rows *rows, int64_t row)
{
    Ring ring = {place_of(rows, row), rows->room};
    return ring;
}

static void prepare(const Rows *tensors, Layer *layer, int64_t done)
{
    Convolution *c = &layer->call;
    const Rows *source = tensors + layer->source, *output = tensors + layer->output;
    int64_t row = layer->done * layer->side;
    int kind = c->is_bytes ? BYTES : c->is_halves ? HALVES : FLOATS;
    c->input = start_of(source, kind, -layer->pad);
    c->reads = ring_of(source, layer->done * layer->stride - layer->pad);
    c->floats = start_of(output, FLOATS, 0);
    c->halves = start_of(output, HALVES, 0);
    c->bytes = start_of(output, BYTES, 0);
    c->writes = ring_of(output, row);
    if (layer->added >= 0) {
        c->added = start_of(tensors + layer->added, FLOATS, 0);
        c->adds = ring_of(tensors + layer->added, row);
    }
    c->rows = done - layer->done;
    layer->done = done;
    layer->most = c->rows > layer->most ? c->rows : layer->most;
}

static void put_border_below(const Rows *rows)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int64_t i = 0; rows->kinds[kind] && i < rows->border; i++)
            memset(line_of(rows, kind, rows->end + i), kind == BYTES ? (int)rows->fill : 0,
                   rows->pitches[kind] * SIZES[kind]);
}

EXPORT int plan_rows(Rows *tensors, int64_t count, Layer *layers, int64_t layers_count,
                     int64_t rows, int is_last)
{
    int has_room = 1;
    tensors[0].planned = tensors[0].total = tensors[0].end + rows;
    for (int64_t i = 0; i < layers_count; i++) {
        const Layer *layer = layers + i;
        int64_t last = tensors[layer->source].total + 2 * layer->pad - layer->call.kernel_rows;
        tensors[layer->output].total = (last / layer->stride + 1) * layer->side;
        tensors[layer->output].planned = rows_of(tensors, layer, is_last) * layer->side;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t rows_held = tensors[i].planned + tensors[i].border - tensors[i].first;
        has_room &= tensors[i].room && rows_held <= tensors[i].room;
    }
    if (!has_room)
        return 0;
    for (int64_t i = 0; i < layers_count; i++)
        prepare(tensors, layers + i, tensors[layers[i].output].planned / layers[i].side);
    for (int64_t i = 0; i < count; i++) {
        tensors[i].end = tensors[i].planned;
        if (is_last && tensors[i].end == tensors[i].total)
            put_border_below(tensors + i);
    }
    return 1;
}

static void wait_for(const int64_t *done, int64_t count)
{
    for (int64_t i = 0; __atomic_load_n(done, __ATOMIC_ACQUIRE) < count; i++)
        if (i < PAUSES)
            _mm_pause();
        else
            sched_yield();
}

/* A layer is cut into segments of columns, and these into rows of a few blocks of channels or of a
   few columns. A thread begins with its own segment, of which it has the columns of the layer
   before at hand, and goes on with what others have not begun. */
static void run_layer(const Convolution *c, int64_t *counters, int64_t threads, int64_t thread,
                      int how)
{
    int64_t units = (c->columns + SEGMENT - 1) / SEGMENT;
    int64_t segments = least(threads, units);
    int64_t widest = (units + segments - 1) / segments * SEGMENT;
    int64_t of_row = parts_of(c, least(widest, c->columns), how), at_a_time = rows_at_a_time(c);
    int64_t rows = (c->rows + at_a_time - 1) / at_a_time, parts = rows * of_row;
    int64_t *done = counters + threads, finished = 0;
    for (int64_t i = 0; i < segments; i++) {
        int64_t segment = (thread + i) % segments;
        int64_t first = segment * units / segments * SEGMENT;
        int64_t end = least((segment + 1) * units / segments * SEGMENT, c->columns);
        int64_t next;
        while ((next = __atomic_fetch_add(counters + segment, 1, __ATOMIC_RELAXED)) < parts) {
            sum_columns(c, next % rows * at_a_time, next / rows, of_row, first, end, how);
            finished++;
        }
    }
    __atomic_fetch_add(done, finished, __ATOMIC_RELEASE);
    wait_for(done, parts * segments);
}

EXPORT void run_layers(const Layer *layers, int64_t layers_count, int64_t *counters,
                       int64_t threads, int64_t thread, int how)
{
    begin_convolutions(how);
    for (int64_t i = 0; i < layers_count; i++)
        run_layer(&layers[i].call, counters + i * (threads + 1), threads, thread, how);
    end_convolutions(how);
}

#else

EXPORT void drop_rows(Rows *tensors, int64_t count, const Layer *layers, int64_t layers_count)
{
    (void)tensors, (void)count, (void)layers, (void)layers_count;
}

EXPORT void put_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      const uint8_t *bytes)
{
    (void)tensor, (void)first, (void)end, (void)columns, (void)bytes;
}

EXPORT void get_bytes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                      uint8_t *bytes)
{
    (void)tensor, (void)first, (void)end, (void)columns, (void)bytes;
}

EXPORT void put_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       const float *planes, int64_t plane, int64_t row)
{
    (void)tensor, (void)first, (void)end, (void)columns, (void)planes, (void)plane, (void)row;
}

EXPORT void get_planes(const Rows *tensor, int64_t first, int64_t end, int64_t columns,
                       float *planes, int64_t plane)
{
    (void)tensor, (void)first, (void)end, (void)columns, (void)planes, (void)plane;
}

EXPORT int plan_rows(Rows *tensors, int64_t count, Layer *layers, int64_t layers_count,
                     int64_t rows, int is_last)
{
    (void)tensors, (void)count, (void)layers, (void)layers_count, (void)rows, (void)is_last;
    return 0;
}

EXPORT void run_layers(const Layer *layers, int64_t layers_count, int64_t *counters,
                       int64_t threads, int64_t thread, int how)
{
    (void)layers, (void)layers_count, (void)counters, (void)threads, (void)thread, (void)how;
}

#endif
