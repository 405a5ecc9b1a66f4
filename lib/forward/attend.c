/* forward/attend.c - see attend.h. Pages are read where they lie: nothing is gathered, and no buffer grows with the context.
 *
 * A row meets its splits in ascending order: the first one sets o, m and l, the others are merged (docs/numerics.md). A walked
 * tile has its sums in scratch.attended, .max and .total from the start; those of a spread tile come there out of its parts. A
 * sink is merged last, as a split of one position without a value. */
#include "forward/attend.h"

#include <string.h>

struct stage {
    const struct lli_tiling *tiling; /* the layer's */
    uint32_t layer, window;          /* positions seen; 0: all */
    uint32_t window_at;              /* first split that has parts, counted from a tile's first */
};

/* One tile and some heads of K and V. */
struct work {
    const struct lli_pass *pass;
    const struct stage *stage;
    const struct lli_tile *tile;
    size_t first_head, end_head;
    size_t kv_head; /* that is in hand, in a call of some heads each in turn */
    size_t group;
    int is_spread;
    struct lli_query *queries; /* of a split; those of a row stand together */
    float *split;              /* their o where it is to be merged */
};

/* ---- what a row sees */

static size_t first_seen(const struct stage *s, const struct lli_row *r)
{
    return s->window > 0 && r->pos >= s->window ? (size_t)r->pos + 1 - s->window : 0;
}

static size_t first_split(const struct stage *s, const struct lli_row *r)
{
    return first_seen(s, r) / LLI_SPLIT_TOKENS;
}

static size_t end_seen(const struct work *w, const struct lli_row *r)
{
    return lli_tiles_end(w->pass->plan, w->pass->config, r);
}

/* Of one split, as positions in it. 0: nothing. */
static int look(struct lli_query *out, const struct work *w, size_t row, size_t split)
{
    const struct lli_row *r = &w->pass->plan->rows[row];
    size_t from = first_seen(w->stage, r), to = end_seen(w, r), at = split * LLI_SPLIT_TOKENS;
    if (from >= at + LLI_SPLIT_TOKENS || to <= at)
        return 0;
    out->pos = (float)((int64_t)r->pos - (int64_t)at);
    out->first = from > at ? (uint32_t)(from - at) : 0;
    out->last = to - at < LLI_SPLIT_TOKENS ? (uint32_t)(to - at) : LLI_SPLIT_TOKENS;
    return 1;
}

/* ---- a split of a tile */

/* Where a row's heads stand in the buffers of parts, in units of heads. */
static size_t part_of(const struct work *w, size_t row, size_t split)
{
    size_t spread_row = w->tile->spread_row + row - w->tile->first_row;
    size_t part = spread_row * w->stage->tiling->window + split - w->tile->first_split - w->stage->window_at;
    return part * w->pass->config->n_heads + w->kv_head * w->group;
}

/* The same in the buffers of rows. */
static size_t head_of(const struct work *w, size_t row)
{
    return row * w->pass->config->n_heads + w->kv_head * w->group;
}

/* Behind the first n. Returns how many there are then. */
static size_t take_queries(const struct work *w, size_t split, size_t n)
{
    const struct lli_scratch *s = &w->pass->scratch;
    size_t head_dim = w->pass->config->head_dim;
    for (size_t row = w->tile->first_row; row < w->tile->first_row + w->tile->n_rows; row++) {
        struct lli_query u;
        int is_first = split == first_split(w->stage, &w->pass->plan->rows[row]);
        if (!look(&u, w, row, split))
            continue;
        for (size_t g = 0; g < w->group; g++, n++) {
            u.q = s->q + (head_of(w, row) + g) * head_dim;
            u.slope = w->pass->slopes ? w->pass->slopes[w->kv_head * w->group + g] : 0;
            if (w->is_spread)
                u.o = s->part_o + (part_of(w, row, split) + g) * head_dim;
            else
                u.o = is_first ? s->attended + (head_of(w, row) + g) * head_dim : w->split + n * head_dim;
            w->queries[n] = u;
        }
    }
    return n;
}

static size_t keep(const struct work *w, size_t split, size_t n)
{
    const struct lli_scratch *s = &w->pass->scratch;
    size_t head_dim = w->pass->config->head_dim;
    for (size_t row = w->tile->first_row; row < w->tile->first_row + w->tile->n_rows; row++) {
        struct lli_query seen;
        int is_first = split == first_split(w->stage, &w->pass->plan->rows[row]);
        if (!look(&seen, w, row, split))
            continue;
        for (size_t g = 0; g < w->group; g++, n++) {
            const struct lli_query *u = &w->queries[n];
            size_t part = w->is_spread ? part_of(w, row, split) + g : 0, head = head_of(w, row) + g;
            float *m = w->is_spread ? &s->part_m[part] : &s->max[head], *l = w->is_spread ? &s->part_l[part] : &s->total[head];
            if (w->is_spread || is_first) {
                *m = u->m;
                *l = u->l;
            } else {
                w->pass->kernels.merge(s->attended + head * head_dim, m, l, u->o, u->m, u->l, head_dim);
            }
        }
    }
    return n;
}

/* Pages of a split: those that the tile has positions in. */
static void find_pages(const uint8_t **k, const uint8_t **v, const struct work *w, size_t split, size_t kv_head)
{
    const struct lli_pages *pages = &w->pass->pages;
    const struct lli_plan *plan = w->pass->plan;
    const struct lli_row *last = &plan->rows[w->tile->first_row + w->tile->n_rows - 1];
    const uint32_t *blocks = plan->seqs[w->tile->seq].blocks[pages->layout.groups[w->stage->layer]];
    size_t from = first_seen(w->stage, &plan->rows[w->tile->first_row]) / LLI_PAGE_TOKENS;
    size_t last_page = (end_seen(w, last) - 1) / LLI_PAGE_TOKENS;
    for (size_t i = 0; i < LLI_SPLIT_PAGES; i++) {
        size_t page = split * LLI_SPLIT_PAGES + i;
        int is_seen = page >= from && page <= last_page;
        const uint8_t *at = NULL;
        if (is_seen)
            at = lli_pages_k(pages, blocks[page], w->stage->layer) + kv_head * pages->head_bytes;
        k[i] = at;
        if (v)
            v[i] = is_seen ? at + pages->page_bytes : NULL;
    }
}

/* Heads of a call: several where each has few queries. */
static size_t heads_of_call(const struct work *w)
{
    size_t most = LLI_ATTEND_HEADS / (w->tile->n_rows * w->group), all = w->end_head - w->first_head;
    return most < 1 ? 1 : most < all ? most : all;
}

/* n heads from `head` on. */
static void attend_heads(struct work *w, struct lli_attend *call, size_t split, size_t head, size_t n)
{
    size_t taken = 0, kept = 0;
    for (w->kv_head = head; w->kv_head < head + n; w->kv_head++)
        taken = take_queries(w, split, taken);
    call->n_heads = n;
    call->n_queries = taken / n;
    w->pass->kernels.attend[w->pass->pages.type](call);
    for (w->kv_head = head; w->kv_head < head + n; w->kv_head++)
        kept = keep(w, split, kept);
}

/* Heads innermost: so K and V are read in runs as long as all of them. */
static void attend_splits(struct work *w, size_t first, size_t last, int worker)
{
    const struct lli_pass *pass = w->pass;
    const struct lli_scratch *s = &pass->scratch;
    size_t each = heads_of_call(w);
    struct lli_attend call = {
        .queries = w->queries,
        .head_dim = pass->config->head_dim,
        .scale = pass->config->attention_scale,
        .softcap = pass->config->softcap,
        .scratch = s->attend + (size_t)worker * s->attend_bytes,
    };
    for (size_t split = first; split < last; split++)
        for (size_t head = w->first_head; head < w->end_head; head += each) {
            size_t next_head = head + each < w->end_head ? head + each : w->first_head;
            size_t next_split = next_head > head ? split : split + 1;
            find_pages(call.k, call.v, w, split, head);
            memset(call.next, 0, sizeof call.next);
            if (next_split < last)
                find_pages(call.next, NULL, w, next_split, next_head);
            attend_heads(w, &call, split, head, w->end_head - head < each ? w->end_head - head : each);
        }
}

/* ---- pieces */

/* A row has met all its splits. */
static void finish(const struct work *w, size_t row)
{
    const struct lli_scratch *s = &w->pass->scratch;
    const struct lli_kernels *kernels = &w->pass->kernels;
    const float *sinks = lli_pass_vector(w->pass, w->stage->layer, LLI_ATTN_SINKS);
    size_t head_dim = w->pass->config->head_dim, first = w->kv_head * w->group;
    if (sinks)
        memset(w->split, 0, head_dim * sizeof *w->split);
    for (size_t g = 0; g < w->group; g++) {
        size_t head = head_of(w, row) + g;
        float *out = s->attended + head * head_dim;
        if (sinks)
            kernels->merge(out, &s->max[head], &s->total[head], w->split, sinks[first + g], 1, head_dim);
        kernels->divide(out, out, s->total[head], head_dim);
    }
}

/* Piece i of as many as the tile could have: with more than one head in each, the last ones are empty. */
static struct work begin(const struct lli_pass *pass, const struct stage *stage, size_t tile, size_t i, int worker)
{
    size_t most = lli_tile_queries(pass->config), n_heads = pass->config->n_kv_heads, each = stage->tiling->tiles[tile].heads;
    return (struct work){
        .pass = pass,
        .stage = stage,
        .tile = &stage->tiling->tiles[tile],
        .first_head = i * each,
        .end_head = (i + 1) * each < n_heads ? (i + 1) * each : n_heads,
        .group = pass->config->n_heads / n_heads,
        .is_spread = tile >= stage->tiling->n_walked,
        .queries = pass->scratch.queries + (size_t)worker * most,
        .split = pass->scratch.split + (size_t)worker * most * pass->config->head_dim,
    };
}

static void walk(const struct lli_pass *pass, const struct stage *stage, size_t piece, int worker)
{
    size_t n = pass->config->n_kv_heads;
    struct work w = begin(pass, stage, piece / n, piece % n, worker);
    if (w.first_head >= w.end_head)
        return;
    attend_splits(&w, w.tile->first_split, w.tile->first_split + w.tile->n_splits, worker);
    for (size_t row = w.tile->first_row; row < w.tile->first_row + w.tile->n_rows; row++)
        for (w.kv_head = w.first_head; w.kv_head < w.end_head; w.kv_head++)
            finish(&w, row);
}

/* A run of splits of the window; the tile may end before. */
static void spread(const struct lli_pass *pass, const struct stage *stage, size_t piece, int worker)
{
    const struct lli_tiling *tiling = stage->tiling;
    size_t n = pass->config->n_kv_heads, run = piece / n % tiling->n_runs, tile = piece / n / tiling->n_runs;
    struct work w = begin(pass, stage, tiling->n_walked + tile, piece % n, worker);
    size_t end = stage->window_at + tiling->window, first = stage->window_at + run * tiling->run, last = first + tiling->run;
    end = end < w.tile->n_splits ? end : w.tile->n_splits;
    last = last < end ? last : end;
    if (first < last && w.first_head < w.end_head)
        attend_splits(&w, w.tile->first_split + first, w.tile->first_split + last, worker);
}

static void attend(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    const struct stage *stage = arg;
    size_t n_walked = stage->window_at == 0 ? (size_t)stage->tiling->n_walked * pass->config->n_kv_heads : 0;
    if (piece < n_walked)
        walk(pass, stage, piece, worker);
    else
        spread(pass, stage, piece - n_walked, worker);
}

/* The parts of a window join the sums of one row and one head of K and V; with the last one they are done. */
static void merge_row(const struct work *w, size_t row)
{
    const struct lli_pass *pass = w->pass;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_row *r = &pass->plan->rows[row];
    size_t head = head_of(w, row), head_dim = pass->config->head_dim, begins = first_split(w->stage, r);
    size_t first = w->tile->first_split + w->stage->window_at, end = first + w->stage->tiling->window;
    size_t last = (end_seen(w, r) - 1) / LLI_SPLIT_TOKENS + 1;
    for (size_t split = first > begins ? first : begins; split < end && split < last; split++) {
        size_t part = part_of(w, row, split);
        for (size_t g = 0; g < w->group; g++) {
            float *out = s->attended + (head + g) * head_dim, *o = s->part_o + (part + g) * head_dim;
            if (split > begins) {
                pass->kernels.merge(out, &s->max[head + g], &s->total[head + g], o, s->part_m[part + g], s->part_l[part + g],
                                    head_dim);
                continue;
            }
            memcpy(out, o, head_dim * sizeof *out);
            s->max[head + g] = s->part_m[part + g];
            s->total[head + g] = s->part_l[part + g];
        }
    }
    if (first < last && last <= end)
        finish(w, row);
}

static void merge(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    size_t n = pass->config->n_kv_heads;
    const struct stage *stage = arg;
    struct work w = begin(pass, stage, stage->tiling->n_walked + piece / n, 0, worker);
    w.kv_head = piece % n;
    for (size_t row = w.tile->first_row; row < w.tile->first_row + w.tile->n_rows; row++)
        merge_row(&w, row);
}

void lli_attend_run(const struct lli_pass *pass, uint32_t layer)
{
    int is_local = lli_config_is_local(pass->config, layer);
    const struct lli_tiling *t = &pass->tiling[is_local];
    struct stage stage = {.tiling = t, .layer = layer, .window = is_local ? pass->config->window : 0};
    size_t n_heads = pass->config->n_kv_heads, n_walked = t->n_walked * n_heads, n_spread = t->n_spread * n_heads;
    if (t->n_spread == 0)
        lli_pass_share(pass, attend, &stage, n_walked);
    for (uint32_t i = 0; i < t->n_windows; i++) {
        stage.window_at = i * t->window;
        lli_pass_share(pass, attend, &stage, (i == 0 ? n_walked : 0) + n_spread * t->n_runs);
        lli_pass_share(pass, merge, &stage, n_spread);
    }
}
