/* backend/wide/attention_wide.c - one split of attention for a tile of queries.
 *
 * Scores: a lane is a token. The tile's queries are turned to [head_dim, tile], so that a broadcast takes from one place, and
 * a row of K is read and widened once for all of them; few queries take several pages at a time, which are that many more
 * independent sums. Values: a lane is a channel, and the sums of the whole tile stay in registers over all tokens.
 *
 * Queries of one head: while a page of K is read the same bytes of V are fetched, and while that is read the next call's K.
 * Few queries of several heads go through some pages at a time, all heads of them, some KiB behind what is fetched: so memory
 * is read in runs that a CPU's own prefetchers follow (two cores of Zen 5 decode at 0.78 of what a loop of loads reads, and at
 * 0.71 head by head). */
#include "backend/wide/page_types.h"

enum { STRIDE = LLI_SPLIT_TOKENS + LLI_V16, MAX_SUMS = 24, MAX_ROW = 8, AHEAD = 4096 /* bytes */ };

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

/* Some pages of values of one head: v[first .. last - 1], its part of each; p is of the first. */
struct values {
    struct lli_query *queries; /* [n] */
    size_t n, first, last;
    const float *p;
    const uint8_t *v[LLI_SPLIT_PAGES], *near[LLI_SPLIT_PAGES], *ahead[LLI_SPLIT_PAGES];
};

/* o of n_d vectors of n channels from d on: from +0 with the tile's first page, ready with its last. */
LLI_INLINE void sum_values(const struct tile *tile, const struct values *x, size_t head_dim, size_t d, size_t n_q, size_t n_d,
                           size_t n, const struct lli_page_type *type)
{
    lli_v16 sum[MAX_SUMS];
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_d; i++) {
        const float *o = x->queries[i / n_d < x->n ? i / n_d : 0].o + d + i % n_d * LLI_V16;
        sum[i] = x->first == tile->first ? lli_v16_set(0) : n == LLI_V16 ? lli_v16_load(o) : lli_v16_load_n(o, n);
    }
    for (size_t page = x->first; page < x->last; page++) {
        size_t at = page * LLI_V16, from = tile->from > at ? tile->from - at : 0;
        size_t to = tile->to - at < LLI_V16 ? tile->to - at : LLI_V16;
        add_page(sum, x->p + (page - x->first) * LLI_V16, x->v[page], x->near[page], x->ahead[page], from, to, head_dim, d, n_q,
                 n_d, n, type);
    }
    LLI_UNROLL
    for (size_t i = 0; i < n_q * n_d; i++)
        if (i / n_d < x->n) {
            float *o = x->queries[i / n_d].o + d + i % n_d * LLI_V16;
            lli_v16 whole = x->last == tile->last ? lli_v16_add(sum[i], lli_v16_set(0)) : sum[i]; /* no -0 */
            if (n == LLI_V16)
                lli_v16_store(o, whole);
            else
                lli_v16_store_n(o, whole, n);
        }
}

LLI_INLINE void sum_channels(const struct tile *tile, const struct values *x, size_t head_dim, size_t n_q, size_t n_d,
                             const struct lli_page_type *type)
{
    size_t d = 0;
    for (; d + n_d * LLI_V16 <= head_dim; d += n_d * LLI_V16)
        sum_values(tile, x, head_dim, d, n_q, n_d, LLI_V16, type);
    for (; d + LLI_V16 <= head_dim; d += LLI_V16)
        sum_values(tile, x, head_dim, d, n_q, 1, LLI_V16, type);
    if (d < head_dim)
        sum_values(tile, x, head_dim, d, n_q, 1, head_dim - d, type);
}

/* ---- softmax */

static void cap_scores(float *s, size_t from, size_t to, float softcap)
{
    lli_v16 cap = lli_v16_set(softcap);
    for (size_t t = from; t < to; t += LLI_V16)
        lli_v16_store(s + t, lli_v16_mul(cap, lli_v16_tanh(lli_v16_div(lli_v16_load(s + t), cap))));
}

/* s[0] is of position `at` of the split. */
static void slope_scores(float *s, size_t from, size_t to, size_t at, const struct lli_query *u)
{
    static const float steps[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    lli_v16 slope = lli_v16_set(u->slope), pos = lli_v16_set(u->pos), step = lli_v16_load(steps);
    for (size_t t = from; t < to; t += LLI_V16) {
        lli_v16 far = lli_v16_sub(lli_v16_add(lli_v16_set((float)(at + t)), step), pos);
        lli_v16_store(s + t, lli_v16_fma(slope, far, lli_v16_load(s + t)));
    }
}

/* The scores s[n] of one query, the first of position `at` of the split, become p: +0 for what it does not see. */
static void soften(struct lli_query *u, float *s, size_t at, size_t n, float softcap)
{
    size_t first = u->first - at, last = u->last - at;
    size_t from = first / LLI_V16 * LLI_V16, to = (last + LLI_V16 - 1) / LLI_V16 * LLI_V16, end = to - LLI_V16;
    lli_v16 m = lli_v16_set(-__builtin_inff()), lanes = lli_v16_set(0), hidden = m;
    if (softcap > 0)
        cap_scores(s, from, to, softcap);
    if (u->slope > 0)
        slope_scores(s, from, to, at, u);
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

/* Of n queries whose scores begin with the tile's first page. */
static void soften_all(const struct lli_attend *a, const struct tile *tile, float *scores, struct lli_query *queries, size_t n)
{
    size_t at = tile->first * LLI_V16;
    for (size_t i = 0; i < n; i++)
        soften(&queries[i], scores + i * STRIDE, at, tile->last * LLI_V16 - at, a->softcap);
}

/* ---- a tile of one head */

LLI_INLINE void attend_tile(const struct lli_attend *a, const struct tile *tile, size_t n_q, size_t n_pages, size_t n_d,
                            const struct lli_page_type *type)
{
    struct values x = {.queries = tile->queries, .n = tile->n, .first = tile->first, .last = tile->last, .p = tile->scores};
    for (size_t page = tile->first; page < tile->last; page += n_pages) {
        const uint8_t *k[MAX_ROW], *v[MAX_ROW];
        LLI_UNROLL
        for (size_t p = 0; p < n_pages; p++) { /* behind the last page: it once more, for nothing */
            k[p] = a->k[page + p < tile->last ? page + p : tile->last - 1];
            v[p] = a->v[page + p < tile->last ? page + p : tile->last - 1];
        }
        score_pages(tile->scores + (page - tile->first) * LLI_V16, tile->q, k, v, a, n_q, n_pages, type);
    }
    soften_all(a, tile, tile->scores, tile->queries, tile->n);
    for (size_t page = tile->first; page < tile->last; page++) {
        x.v[page] = a->v[page];
        x.near[page] = a->v[page + 1 < tile->last ? page + 1 : page];
        x.ahead[page] = a->next[page] ? a->next[page] : a->v[page];
    }
    sum_channels(tile, &x, a->head_dim, n_q, n_d, type);
}

/* The n queries of a head. Those that are too few stand in for the missing ones. */
static void turn(float *out, const struct lli_query *queries, size_t n, size_t head_dim, size_t n_q)
{
    for (size_t i = 0; i < n_q; i++) {
        const float *q = queries[i < n ? i : 0].q;
        for (size_t d = 0; d < head_dim; d++)
            out[d * n_q + i] = q[d];
    }
}

/* The union of what n queries see. */
static void look(struct tile *tile, size_t n)
{
    tile->from = tile->queries[0].first;
    tile->to = tile->queries[0].last;
    for (size_t i = 1; i < n; i++) {
        tile->from = tile->queries[i].first < tile->from ? tile->queries[i].first : tile->from;
        tile->to = tile->queries[i].last > tile->to ? tile->queries[i].last : tile->to;
    }
    tile->first = tile->from / LLI_V16;
    tile->last = (tile->to + LLI_V16 - 1) / LLI_V16;
}

/* ---- few queries of several heads */

/* Pages [n_pages] of all heads, and those that are read after them; what is not known is NULL. */
struct run {
    const uint8_t *pages[MAX_ROW], *then[MAX_ROW];
    size_t n_heads, head_bytes;
};

/* What is read about AHEAD bytes after a head's part of a page: that of a later head, or of a first one of the page then. */
LLI_INLINE const uint8_t *ahead_of(const struct run *run, size_t page, size_t head)
{
    size_t heads = AHEAD / run->head_bytes < 1 ? 1 : AHEAD / run->head_bytes, later = head + heads;
    if (later < run->n_heads)
        return run->pages[page] + later * run->head_bytes;
    if (!run->then[page] || later - run->n_heads >= run->n_heads)
        return run->pages[page] + head * run->head_bytes;
    return run->then[page] + (later - run->n_heads) * run->head_bytes;
}

/* Pages from `page` on; behind the last one it stands once more. After those of the tile come those of `next`, from its
 * first on. */
LLI_INLINE void find_run(struct run *out, const struct lli_attend *a, const struct tile *tile, const uint8_t *const *pages,
                         const uint8_t *const *next, size_t page, size_t n_pages, const struct lli_page_type *type)
{
    out->n_heads = a->n_heads;
    out->head_bytes = lli_kv_head_bytes(type->id, a->head_dim);
    LLI_UNROLL
    for (size_t p = 0; p < n_pages; p++) {
        size_t then = page + n_pages + p;
        out->pages[p] = pages[page + p < tile->last ? page + p : tile->last - 1];
        out->then[p] = then < tile->last ? pages[then] : page + n_pages >= tile->last ? next[p] : NULL;
    }
}

/* n_pages pages of keys from `page` on. */
LLI_INLINE void score_heads(const struct lli_attend *a, const struct tile *tile, size_t page, size_t n_q, size_t n_pages,
                            const struct lli_page_type *type)
{
    struct run run;
    find_run(&run, a, tile, a->k, a->v + tile->first, page, n_pages, type);
    for (size_t head = 0; head < a->n_heads; head++) {
        const uint8_t *k[MAX_ROW], *ahead[MAX_ROW];
        LLI_UNROLL
        for (size_t p = 0; p < n_pages; p++) {
            k[p] = run.pages[p] + head * run.head_bytes;
            ahead[p] = ahead_of(&run, p, head);
        }
        score_pages(tile->scores + head * n_q * STRIDE + (page - tile->first) * LLI_V16, tile->q + head * n_q * a->head_dim, k,
                    ahead, a, n_q, n_pages, type);
    }
}

/* The same of values. */
LLI_INLINE void sum_heads(const struct lli_attend *a, const struct tile *tile, size_t page, size_t n_q, size_t n_pages,
                          size_t n_d, const struct lli_page_type *type)
{
    struct values x = {.n = tile->n, .first = page, .last = page + n_pages < tile->last ? page + n_pages : tile->last};
    struct run run;
    find_run(&run, a, tile, a->v, a->next, page, n_pages, type);
    for (size_t head = 0; head < a->n_heads; head++) {
        x.queries = tile->queries + head * tile->n;
        x.p = tile->scores + head * n_q * STRIDE + (page - tile->first) * LLI_V16;
        LLI_UNROLL
        for (size_t p = 0; p < n_pages; p++)
            if (page + p < x.last) {
                x.v[page + p] = run.pages[p] + head * run.head_bytes;
                x.near[page + p] = x.ahead[page + p] = ahead_of(&run, p, head);
            }
        sum_channels(tile, &x, a->head_dim, n_q, n_d, type);
    }
}

LLI_INLINE void attend_heads(const struct lli_attend *a, const struct tile *tile, size_t n_q, size_t n_pages, size_t n_d,
                             const struct lli_page_type *type)
{
    for (size_t page = tile->first; page < tile->last; page += n_pages)
        score_heads(a, tile, page, n_q, n_pages, type);
    for (size_t head = 0; head < a->n_heads; head++)
        soften_all(a, tile, tile->scores + head * n_q * STRIDE, tile->queries + head * tile->n, tile->n);
    for (size_t page = tile->first; page < tile->last; page += n_pages)
        sum_heads(a, tile, page, n_q, n_pages, n_d, type);
}

/* ---- shapes */

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
    }                                                                                                                          \
    static void heads_##type##_##n_q(const struct lli_attend *a, const struct tile *tile)                                      \
    {                                                                                                                          \
        attend_heads(a, tile, n_q, n_pages, n_d, &lli_page_##type);                                                            \
    }
#define LIST(n_q, n_pages, n_d, type) {n_q, tile_##type##_##n_q, heads_##type##_##n_q},

typedef void attend_shape_fn(const struct lli_attend *a, const struct tile *tile);

struct shape {
    size_t n_q;
    attend_shape_fn *tile, *heads;
};

static const struct shape *find_shape(const struct shape *shapes, size_t n_queries)
{
    while (shapes->n_q < n_queries)
        shapes++;
    return shapes;
}

/* Any number of queries of one head. */
static void attend_one(const struct lli_attend *a, const struct shape *shapes)
{
    struct tile tile = {.queries = a->queries, .q = a->scratch};
    tile.scores = tile.q + LLI_ATTEND_TILE * a->head_dim;
    for (size_t left = a->n_queries; left > 0; left -= tile.n, tile.queries += tile.n) {
        const struct shape *shape;
        tile.n = left < MOST ? left : MOST;
        shape = find_shape(shapes, tile.n);
        look(&tile, tile.n);
        turn(tile.q, tile.queries, tile.n, a->head_dim, shape->n_q);
        shape->tile(a, &tile);
    }
}

/* Few queries of each head. */
static void attend_several(const struct lli_attend *a, const struct shape *shapes)
{
    const struct shape *shape = find_shape(shapes, a->n_queries);
    struct tile tile = {.queries = a->queries, .n = a->n_queries, .q = a->scratch};
    tile.scores = tile.q + a->n_heads * shape->n_q * a->head_dim;
    look(&tile, a->n_heads * a->n_queries);
    for (size_t h = 0; h < a->n_heads; h++)
        turn(tile.q + h * shape->n_q * a->head_dim, tile.queries + h * a->n_queries, a->n_queries, a->head_dim, shape->n_q);
    shape->heads(a, &tile);
}

static void attend(const struct lli_attend *a, const struct shape *shapes, uint32_t type)
{
    if (a->n_queries > 0 && a->n_queries <= MOST) {
        attend_several(a, shapes);
        return;
    }
    for (size_t h = 0; h < a->n_heads; h++) {
        struct lli_attend one = *a;
        one.queries += h * a->n_queries;
        for (size_t page = 0; page < LLI_SPLIT_PAGES && h > 0; page++) {
            one.k[page] = a->k[page] ? a->k[page] + h * lli_kv_head_bytes(type, a->head_dim) : NULL;
            one.v[page] = a->v[page] ? a->v[page] + h * lli_kv_head_bytes(type, a->head_dim) : NULL;
        }
        attend_one(&one, shapes);
    }
}

#define KV_TYPE(type)                                                                                                          \
    SHAPES(DEFINE, type)                                                                                                       \
    void LLI_WIDE(attend_##type)(const struct lli_attend *a)                                                                   \
    {                                                                                                                          \
        static const struct shape shapes[] = {SHAPES(LIST, type)};                                                             \
        attend(a, shapes, lli_page_##type.id);                                                                                 \
    }

KV_TYPE(f32)
KV_TYPE(f16)
KV_TYPE(q8_0)
