/* backend/wide/attention_wide.c - one split of attention for a tile of queries.
 *
 * Scores: a lane is a token. The tile's queries are turned to [head_dim, tile], so that a broadcast takes from one place, and
 * a row of K is read and widened once for all of them; few queries take several pages at a time, which are that many more
 * independent sums. Values: a lane is a channel, and the sums of the whole tile stay in registers over all tokens.
 *
 * Pages lie far apart, where no prefetcher of a CPU follows: while a page of K is read the same bytes of V are fetched, and
 * while that is read the next call's K. Two cores of an EPYC 9004 decode at 25 GB/s of their 30, and at 10 without. */
#include "backend/wide/page_types.h"

enum { STRIDE = LLI_SPLIT_TOKENS + LLI_V16, MAX_SUMS = 24, MAX_ROW = 8 };

/* Positions are those of the split. */
struct tile {
    struct lli_query *queries;
    size_t n;           /* queries; the kernels compute for n_q >= n */
    size_t from, to;    /* what some query sees */
    size_t first, last; /* pages */
    float *q, *scores;  /* [head_dim, n_q]; [n_q, STRIDE] from the first page on */
};

/* ---- the two products of a tile */

/* scores of n_pages pages of keys; the lines of `ahead` are fetched. */
LLI_INLINE void score_pages(float *out, const float *q, const uint8_t *const *k, const uint8_t *const *ahead,
                            const struct lli_attend *a, size_t n_q, size_t n_pages, const struct lli_page_type *type)
{
    size_t head_dim = a->head_dim;
    lli_v16 sum[MAX_SUMS], scale = lli_v16_set(a->scale);
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_pages; i++)
        sum[i] = lli_v16_set(0);
    for (size_t block = 0; block < head_dim; block += LLI_ACT_BLOCK) {
        size_t end = block + LLI_ACT_BLOCK < head_dim ? block + LLI_ACT_BLOCK : head_dim;
        lli_v16 factor[MAX_ROW];
        LLI_UNROLL
        for (size_t p = 0; p < n_pages; p++) {
            factor[p] = type->key_scale(k[p], head_dim, block);
            if (type->has_scales)
                __builtin_prefetch(ahead[p] + head_dim * LLI_V16 * type->size + block, 0, 2);
        }
        for (size_t d = block; d < end; d++, q += n_q) {
            lli_v16 row[MAX_ROW];
            LLI_UNROLL
            for (size_t p = 0; p < n_pages; p++) {
                row[p] = type->key(k[p], d, factor[p]);
                __builtin_prefetch(ahead[p] + d * LLI_V16 * type->size, 0, 2);
            }
            LLI_UNROLL
            for (size_t i = 0; i < n_q * n_pages; i++)
                sum[i] = lli_v16_fma(lli_v16_set(q[i / n_pages]), row[i % n_pages], sum[i]);
        }
    }
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_pages; i++)
        lli_v16_store(out + i / n_pages * STRIDE + i % n_pages * LLI_V16, lli_v16_mul(sum[i], scale));
}

/* Tokens from .. to - 1 of a page, n_d vectors of n channels from d on. p[n_q, STRIDE]: of the page's first token. The lines of
 * `near` come from the second cache to the first, those of `ahead` to the second. */
LLI_INLINE void add_page(lli_v16 *sum, const float *p, const uint8_t *v, const uint8_t *near, const uint8_t *ahead, size_t from,
                         size_t to, size_t head_dim, size_t d, size_t n_q, size_t n_d, size_t n,
                         const struct lli_page_type *type)
{
    for (size_t t = from; t < to; t++) {
        lli_v16 row[MAX_ROW];
        if (type->has_scales)
            __builtin_prefetch(ahead + head_dim * LLI_V16 * type->size + t * head_dim / LLI_V16, 0, 2);
        LLI_UNROLL
        for (size_t j = 0; j < n_d; j++) {
            size_t at = (t * head_dim + d + j * LLI_V16) * type->size;
            if (j * type->size % 4 == 0) { /* a line */
                __builtin_prefetch(near + at, 0, 3);
                __builtin_prefetch(ahead + at, 0, 2);
            }
            row[j] = type->value(v, head_dim, t, d + j * LLI_V16, n);
        }
        LLI_UNROLL
        for (size_t i = 0; i < n_q * n_d; i++)
            sum[i] = lli_v16_fma(lli_v16_set(p[i / n_d * STRIDE + t]), row[i % n_d], sum[i]);
    }
}

/* o of n_d vectors of n channels from d on. */
LLI_INLINE void sum_values(const struct lli_attend *a, const struct tile *tile, size_t d, size_t n_q, size_t n_d, size_t n,
                           const struct lli_page_type *type)
{
    lli_v16 sum[MAX_SUMS];
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_d; i++)
        sum[i] = lli_v16_set(0);
    for (size_t page = tile->first; page < tile->last; page++) {
        size_t at = page * LLI_V16, from = tile->from > at ? tile->from - at : 0;
        size_t to = tile->to - at < LLI_V16 ? tile->to - at : LLI_V16;
        const uint8_t *near = a->v[page + 1 < tile->last ? page + 1 : page];
        add_page(sum, tile->scores + (page - tile->first) * LLI_V16, a->v[page], near,
                 a->next[page] ? a->next[page] : a->v[page], from, to, a->head_dim, d, n_q, n_d, n, type);
    }
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_d; i++)
        if (i / n_d < tile->n) {
            float *o = tile->queries[i / n_d].o + d + i % n_d * LLI_V16;
            lli_v16 x = lli_v16_add(sum[i], lli_v16_set(0)); /* no -0 */
            if (n == LLI_V16)
                lli_v16_store(o, x);
            else
                lli_v16_store_n(o, x, n);
        }
}

/* ---- softmax */

static void cap_scores(float *s, size_t from, size_t to, float softcap)
{
    lli_v16 cap = lli_v16_set(softcap);
    for (size_t t = from; t < to; t += LLI_V16)
        lli_v16_store(s + t, lli_v16_mul(cap, lli_v16_tanh(lli_v16_div(lli_v16_load(s + t), cap))));
}

/* The scores s[n] of one query, which sees first .. last - 1, become p: +0 for what it does not see. */
static void soften(struct lli_query *u, float *s, size_t first, size_t last, size_t n, float softcap)
{
    size_t from = first / LLI_V16 * LLI_V16, to = (last + LLI_V16 - 1) / LLI_V16 * LLI_V16, end = to - LLI_V16;
    lli_v16 m = lli_v16_set(-__builtin_inff()), lanes = lli_v16_set(0), hidden = m;
    if (softcap > 0)
        cap_scores(s, from, to, softcap);
    lli_v16_store(s + from, lli_v16_choose(lli_m16_first(first - from), hidden, lli_v16_load(s + from)));
    lli_v16_store(s + end, lli_v16_choose(lli_m16_first(last - end), lli_v16_load(s + end), hidden));
    for (size_t t = from; t < to; t += LLI_V16)
        m = lli_v16_max(m, lli_v16_load(s + t));
    u->m = lli_v16_top(m);
    m = lli_v16_set(u->m);
    for (size_t t = from; t < to; t += LLI_V16) {
        lli_v16 p = lli_v16_exp(lli_v16_sub(lli_v16_load(s + t), m));
        lanes = lli_v16_add(lanes, p);
        lli_v16_store(s + t, p);
    }
    u->l = lli_v16_sum(lanes);
    for (size_t t = 0; t < from; t += LLI_V16)
        lli_v16_store(s + t, lli_v16_set(0));
    for (size_t t = to; t < n; t += LLI_V16)
        lli_v16_store(s + t, lli_v16_set(0));
}

/* ---- a tile */

LLI_INLINE void attend_tile(const struct lli_attend *a, const struct tile *tile, size_t n_q, size_t n_pages, size_t n_d,
                            const struct lli_page_type *type)
{
    size_t d = 0, at = tile->first * LLI_V16;
    for (size_t page = tile->first; page < tile->last; page += n_pages) {
        const uint8_t *k[MAX_ROW], *v[MAX_ROW];
        LLI_UNROLL
        for (size_t p = 0; p < n_pages; p++) { /* behind the last page: it once more, for nothing */
            k[p] = a->k[page + p < tile->last ? page + p : tile->last - 1];
            v[p] = a->v[page + p < tile->last ? page + p : tile->last - 1];
        }
        score_pages(tile->scores + (page - tile->first) * LLI_V16, tile->q, k, v, a, n_q, n_pages, type);
    }
    for (size_t i = 0; i < tile->n; i++) {
        struct lli_query *u = &tile->queries[i];
        soften(u, tile->scores + i * STRIDE, u->first - at, u->last - at, tile->last * LLI_V16 - at, a->softcap);
    }
    for (; d + n_d * LLI_V16 <= a->head_dim; d += n_d * LLI_V16)
        sum_values(a, tile, d, n_q, n_d, LLI_V16, type);
    for (; d + LLI_V16 <= a->head_dim; d += LLI_V16)
        sum_values(a, tile, d, n_q, 1, LLI_V16, type);
    if (d < a->head_dim)
        sum_values(a, tile, d, n_q, 1, a->head_dim - d, type);
}

/* Queries that are too few stand in for the missing ones. */
static void turn(const struct tile *tile, size_t head_dim, size_t n_q)
{
    for (size_t i = 0; i < n_q; i++) {
        const float *q = tile->queries[i < tile->n ? i : 0].q;
        for (size_t d = 0; d < head_dim; d++)
            tile->q[d * n_q + i] = q[d];
    }
}

/* The union of what the queries see. */
static void look(struct tile *tile)
{
    tile->from = tile->queries[0].first;
    tile->to = tile->queries[0].last;
    for (size_t i = 1; i < tile->n; i++) {
        tile->from = tile->queries[i].first < tile->from ? tile->queries[i].first : tile->from;
        tile->to = tile->queries[i].last > tile->to ? tile->queries[i].last : tile->to;
    }
    tile->first = tile->from / LLI_V16;
    tile->last = (tile->to + LLI_V16 - 1) / LLI_V16;
}

/* Queries, pages of K and vectors of V at a time: as many sums as registers hold, at least 8 registers of them. */
#if defined(LLI_ISA_AVX512)
#define SHAPES(shape, type)                                                                                                    \
    shape(1, 8, 8, type) shape(2, 8, 8, type) shape(4, 4, 4, type) shape(6, 4, 4, type) shape(8, 2, 2, type)                   \
        shape(12, 2, 2, type)
enum { MOST = 12 };
#else
#define SHAPES(shape, type) shape(1, 4, 4, type) shape(2, 2, 2, type) shape(4, 1, 1, type) shape(6, 1, 1, type)
enum { MOST = 6 };
#endif

#define DEFINE(n_q, n_pages, n_d, type)                                                                                        \
    static void tile_##type##_##n_q(const struct lli_attend *a, const struct tile *tile)                                       \
    {                                                                                                                          \
        attend_tile(a, tile, n_q, n_pages, n_d, &lli_page_##type);                                                             \
    }
#define LIST(n_q, n_pages, n_d, type) {n_q, tile_##type##_##n_q},

struct shape {
    size_t n_q;
    void (*run)(const struct lli_attend *a, const struct tile *tile);
};

static void attend(const struct lli_attend *a, const struct shape *shapes)
{
    struct tile tile = {.queries = a->queries, .q = a->scratch};
    tile.scores = tile.q + LLI_ATTEND_TILE * a->head_dim;
    for (size_t left = a->n_queries; left > 0; left -= tile.n, tile.queries += tile.n) {
        const struct shape *shape = shapes;
        tile.n = left < MOST ? left : MOST;
        while (shape->n_q < tile.n)
            shape++;
        look(&tile);
        turn(&tile, a->head_dim, shape->n_q);
        shape->run(a, &tile);
    }
}

#define KV_TYPE(type)                                                                                                          \
    SHAPES(DEFINE, type)                                                                                                       \
    void LLI_WIDE(attend_##type)(const struct lli_attend *a)                                                                   \
    {                                                                                                                          \
        static const struct shape shapes[] = {SHAPES(LIST, type)};                                                             \
        attend(a, shapes);                                                                                                     \
    }

KV_TYPE(f32)
KV_TYPE(f16)
KV_TYPE(q8_0)
