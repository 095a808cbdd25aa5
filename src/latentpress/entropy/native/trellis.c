/* Dependent quantization: symbols in lanes, in the order of the lanes. */

#include "native.h"

#include <string.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define HAS_SSE2
#define PICK(v, a, b, c, d) _mm_shuffle_ps(v, v, _MM_SHUFFLE(d, c, b, a))
#endif

#define STATES 8
#define REACH 250 /* larger magnitudes cost as many bits as this one, for the encoder */
#define FAR 1e30f /* the cost of what cannot be */

static const uint8_t NEXT[STATES][2] = {{0, 2}, {5, 7}, {1, 3}, {6, 4},
                                        {2, 0}, {4, 6}, {3, 1}, {7, 5}};

/* The two ways into every state: the state before, and the kind of the symbol, 2 * quantizer +
   parity. They are NEXT from the other end. */
static const uint8_t ORIGIN[2][STATES] = {{0, 2, 0, 2, 3, 1, 3, 1}, {4, 6, 4, 6, 5, 7, 5, 7}};
static const uint8_t KIND[2][STATES] = {{0, 0, 1, 1, 3, 2, 2, 3}, {1, 1, 0, 0, 2, 3, 3, 2}};

/* The symbols of a group whose quantizer is `which`: gathered, coded as one run, put back. */
static int push_half(Stack *stack, const Tables *tables, int32_t table, const int32_t *symbols,
                     const uint8_t *odd, int64_t n, int which, int32_t *run)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        run[m] = symbols[i];
        m += (odd[i] != 0) == which;
    }
    return m ? push_run(stack, tables, table, run, m) : OK;
}

/* table: (n,) of the even quantizer; the odd one's stand odd_tables higher. run: scratch,
   (lanes,). */
EXPORT int trellis_push(Stack *stack, const Tables *tables, const int32_t *symbols,
                        const uint8_t *odd, const uint16_t *table, int64_t n, int64_t lanes,
                        int32_t odd_tables, int32_t *run)
{
    int64_t end = n;
    while (end > 0) {
        const int64_t step = (end - 1) / lanes * lanes;
        int64_t start = end - 1;
        while (start > step && table[start - 1] == table[end - 1])
            start--;
        for (int which = 1; which >= 0; which--) {
            const int error =
                push_half(stack, tables, table[start] + which * odd_tables, symbols + start,
                          odd + start, end - start, which, run);
            if (error)
                return error;
        }
        end = start;
    }
    return OK;
}

/* state: scratch, (lanes,). run: scratch, (lanes,). */
EXPORT int trellis_pop(Stack *stack, const Tables *tables, int32_t *symbols, uint8_t *odd,
                       const uint16_t *table, int64_t n, int64_t lanes, int32_t odd_tables,
                       uint8_t *state, int32_t *run)
{
    for (int64_t lane = 0; lane < lanes; lane++)
        state[lane] = 0;
    for (int64_t start = 0, end; start < n; start = end) {
        const int64_t step = start / lanes * lanes;
        const int64_t after = step + lanes < n ? step + lanes : n;
        int64_t amount[2] = {0, 0};
        for (end = start; end < after && table[end] == table[start]; end++) {
            odd[end] = state[end - step] & 1;
            amount[odd[end]]++;
        }
        for (int which = 0; which < 2; which++) {
            if (!amount[which])
                continue;
            const int error = pop_run(stack, tables, table[start] + which * odd_tables, run,
                                      amount[which]);
            if (error)
                return error;
            for (int64_t i = start, k = 0; i < end; i++)
                if (odd[i] == which)
                    symbols[i] = run[k++];
        }
        for (int64_t i = start; i < end; i++)
            state[i - step] = NEXT[state[i - step]][symbols[i] & 1];
    }
    return OK;
}

/* bits: of the magnitudes 0..REACH under a table. The cheapest magnitude of each parity, and its
   cost; sums are doubles, as NumPy has them, and rounded once. */
static inline void cheapest_of(float size, float shift, double weight, const float *bits,
                               float *cost, uint16_t *chosen)
{
    const int32_t nearest = (int32_t)(size + shift);
    const int32_t even = nearest + (nearest & 1), odd = nearest + ((nearest & 1) ^ 1);
    const int32_t trials[2][3] = {{0, even > 2 ? even - 2 : 0, even},
                                  {odd > 3 ? odd - 2 : 1, odd, odd}};
    for (int parity = 0; parity < 2; parity++) {
        double least = 0;
        int32_t best = 0;
        for (int i = 0; i < 3 - parity; i++) {
            const int32_t t = trials[parity][i];
            if (i > 0 && t == trials[parity][i - 1]) /* of small values, which are the most */
                continue;
            const double error = (double)size - t + (t > 0 ? (double)shift : 0.0);
            const double sum = weight * (error * error) + bits[t < REACH ? t : REACH];
            if (i == 0 || sum < least) {
                least = sum;
                best = t;
            }
        }
        cost[parity] = (float)least;
        chosen[parity] = (uint16_t)best;
    }
}

/* The costs of a lane's states after one more symbol, of whose kinds the costs are given: in place.
   A bit a state, whether its cheapest way is the second one. */
static inline uint8_t arrive(float *total, const float *cost)
{
#ifdef HAS_SSE2 /* the same additions, four states at a time */
    const __m128 low = _mm_loadu_ps(total), high = _mm_loadu_ps(total + 4);
    const __m128 c = _mm_set_ps(cost[3], cost[2], cost[1], cost[0]);
    const __m128 a = _mm_add_ps(PICK(low, 0, 2, 0, 2), PICK(c, 0, 0, 1, 1));
    const __m128 b = _mm_add_ps(PICK(high, 0, 2, 0, 2), PICK(c, 1, 1, 0, 0));
    const __m128 d = _mm_add_ps(PICK(low, 3, 1, 3, 1), PICK(c, 3, 2, 2, 3));
    const __m128 e = _mm_add_ps(PICK(high, 1, 3, 1, 3), PICK(c, 2, 3, 3, 2));
    _mm_storeu_ps(total, _mm_min_ps(b, a));
    _mm_storeu_ps(total + 4, _mm_min_ps(e, d));
    const int first = _mm_movemask_ps(_mm_cmplt_ps(b, a));
    return (uint8_t)(first | _mm_movemask_ps(_mm_cmplt_ps(e, d)) << 4);
#else
    float next[STATES];
    unsigned way = 0;
    for (int s = 0; s < STATES; s++) {
        const float a = total[ORIGIN[0][s]] + cost[KIND[0][s]];
        const float b = total[ORIGIN[1][s]] + cost[KIND[1][s]];
        way |= (unsigned)(b < a) << s;
        next[s] = b < a ? b : a;
    }
    memcpy(total, next, sizeof next);
    return (uint8_t)way;
#endif
}

/* The path of least weight * error^2 + bits through all lanes (Viterbi).

   v: (n,), within +-32765. table: (n,). bits: (2, rows, REACH + 1). Scratch: chosen (n, 4),
   second (n,), total (lanes, 8). */
EXPORT int trellis_quantize(const float *v, const uint16_t *table, int64_t n, int64_t lanes,
                            float weight, const float *bits, int32_t rows, int32_t *symbols,
                            uint8_t *odd, uint16_t *chosen, uint8_t *second, float *total)
{
    for (int64_t lane = 0; lane < lanes; lane++)
        for (int s = 0; s < STATES; s++)
            total[STATES * lane + s] = s ? FAR : 0;
    for (int64_t i = 0, lane = 0; i < n; i++, lane = lane + 1 < lanes ? lane + 1 : 0) {
        if (table[i] >= rows)
            return NO_SUCH_TABLE;
        float size = v[i] < 0 ? -v[i] : v[i], cost[4];
        if (!(size <= 32765)) /* not a number */
            size = 32765;
        for (int quantizer = 0; quantizer < 2; quantizer++)
            cheapest_of(size, 0.5f * (float)quantizer, weight,
                        bits + ((int64_t)quantizer * rows + table[i]) * (REACH + 1),
                        cost + 2 * quantizer, chosen + 4 * i + 2 * quantizer);
        second[i] = arrive(total + STATES * lane, cost);
    }
    for (int64_t lane = 0; lane < lanes && lane < n; lane++) {
        const float *t = total + STATES * lane;
        int state = 0;
        for (int s = 1; s < STATES; s++)
            if (t[s] < t[state])
                state = s;
        for (int64_t i = lane + (n - 1 - lane) / lanes * lanes; i >= 0; i -= lanes) {
            const int way = second[i] >> state & 1;
            const int k = KIND[way][state];
            const int32_t magnitude = chosen[4 * i + k];
            symbols[i] = v[i] < 0 ? -magnitude : magnitude;
            odd[i] = (uint8_t)(k >> 1);
            state = ORIGIN[way][state];
        }
    }
    return OK;
}
