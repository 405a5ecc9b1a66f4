/* forward/adapt.c - runs are neighbouring rows of one adapter and one scale, ascending, so that a search finds those of a piece
 * of rows. A row's bits depend on nothing but its own run's adapter and scale. */
#include "forward/adapt.h"

#include "backend/pack.h"
#include "base/error.h"
#include "base/size.h"

/* ---- seats ------------------------------------------------------------------------------------------------------- */

int32_t lli_adapt_seat(struct lli_seat **out, struct lli_heap *heap, struct lli_adapter *adapter, uint32_t lanes,
                       size_t max_rows, int n_workers, struct llminf_error *err)
{
    struct lli_seat *seat = lli_alloc_zero(heap, 1, sizeof *seat);
    size_t n = 0;
    if (!seat)
        return lli_fail_memory(err, "adapter", sizeof *seat);
    *seat = (struct lli_seat){.heap = heap, .adapter = adapter, .max_rows = max_rows};
    lli_adapter_ref(adapter);
    int32_t status = lli_adapter_take(&seat->all, adapter, lanes, err);
    if (status == 0 && !lli_size_mul(&n, LLI_STAGE_PRODUCTS * max_rows, adapter->rank))
        seat->low = lli_alloc_array(heap, n, sizeof *seat->low);
    if (status == 0)
        seat->sums = lli_alloc_array(heap, (size_t)n_workers * LLI_ADAPT_SUMS, sizeof *seat->sums);
    if (status == 0 && (!seat->low || !seat->sums))
        status = lli_fail_memory(err, "adapter", n * sizeof *seat->low);
    if (status)
        lli_adapt_leave(seat);
    else
        *out = seat;
    return status;
}

void lli_adapt_leave(struct lli_seat *seat)
{
    if (!seat)
        return;
    lli_adapter_unref(seat->adapter);
    lli_free(seat->heap, seat->low);
    lli_free(seat->heap, seat->sums);
    lli_free(seat->heap, seat);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void add_row(struct lli_runs *runs, const struct lli_seq *seq, uint32_t row)
{
    struct lli_run *last = runs->n > 0 ? &runs->at[runs->n - 1] : NULL;
    if (!seq->seat)
        return;
    if (!last || last->seat != seq->seat || last->scale != seq->adapter_scale || last->first_row + last->n_rows != row) {
        last = &runs->at[runs->n++];
        *last = (struct lli_run){.seat = seq->seat, .scale = seq->adapter_scale, .first_row = row, .first_tile = runs->n_tiles};
    }
    if (last->n_rows++ % LLI_ADAPT_ROWS == 0)
        runs->n_tiles++;
}

void lli_adapt_find_rows(struct lli_pass *pass)
{
    const struct lli_plan *plan = pass->plan;
    pass->runs = (struct lli_runs){.at = pass->scratch.runs};
    for (uint32_t row = 0; row < plan->n_rows; row++)
        add_row(&pass->runs, &plan->seqs[plan->rows[row].seq], row);
}

void lli_adapt_find_logits(struct lli_pass *pass, size_t n_logits)
{
    const struct lli_plan *plan = pass->plan;
    pass->logit_runs = (struct lli_runs){.at = pass->scratch.logit_runs};
    for (uint32_t i = 0; i < n_logits; i++)
        add_row(&pass->logit_runs, &plan->seqs[plan->rows[pass->scratch.logit_rows[i]].seq], i);
}

/* Rows of the output are those with logits. Experts have rows of their own, and no adapters. */
static const struct lli_runs *runs_of(const struct lli_pass *pass, const struct lli_linear *l)
{
    return l->w->site == LLI_OUTPUT ? &pass->logit_runs : &pass->runs;
}

static float *low_of(const struct lli_seat *seat, const struct lli_low_rank *pair, size_t i, size_t row)
{
    return seat->low + i * seat->max_rows * seat->adapter->rank + row * pair->rank;
}

/* ---- A x --------------------------------------------------------------------------------------------------------- */

struct lowering {
    const struct lli_linear *at[LLI_STAGE_PRODUCTS];
    size_t first_piece[LLI_STAGE_PRODUCTS];
    size_t n;
};

static void lower_tile(const struct lli_pass *pass, const struct lli_linear *l, size_t i, const struct lli_run *run,
                       size_t tile, int worker)
{
    const struct lli_low_rank *pair = lli_adapter_find(run->seat->all, l->w->site);
    size_t first = tile * LLI_ADAPT_ROWS, n = run->n_rows - first, row = run->first_row + first;
    if (!pair)
        return;
    n = n < LLI_ADAPT_ROWS ? n : LLI_ADAPT_ROWS;
    float *low = low_of(run->seat, pair, i, row);
    const struct lli_product product = {
        .out = low,
        .out_stride = pair->rank,
        .weights = pair->a.data,
        .n_in = pair->a.n_in,
        .n_rows = n,
        .x = l->input + row * pair->a.n_in,
        .scratch = pass->scratch.products + (size_t)worker * LLI_MATMUL_SCRATCH,
    };
    pass->kernels.matmul[pair->a.type->id](&product, 0, pair->rank);
    pass->kernels.scale(low, low, (float)(run->scale * pair->factor), n * pair->rank);
}

static void lower(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    const struct lowering *all = arg;
    size_t i = all->n - 1;
    while (piece < all->first_piece[i])
        i--;
    piece -= all->first_piece[i];
    const struct lli_runs *runs = runs_of(pass, all->at[i]);
    size_t low = 0, high = runs->n; /* low's first tile is not behind the piece, high's is */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (runs->at[middle].first_tile <= piece)
            low = middle;
        else
            high = middle;
    }
    lower_tile(pass, all->at[i], i, &runs->at[low], piece - runs->at[low].first_tile, worker);
}

static int has_any(const struct lli_runs *runs, uint32_t site)
{
    for (uint32_t i = 0; i < runs->n; i++)
        if (lli_adapter_find(runs->at[i].seat->all, site))
            return 1;
    return 0;
}

void lli_adapt_begin(const struct lli_pass *pass, const struct lli_stage *stage)
{
    struct lowering all = {.n = 0};
    size_t n_pieces = 0;
    if (pass->runs.n == 0)
        return;
    for (size_t i = 0; i < stage->n; i++) {
        for (size_t j = 0; j < stage->sets[i].n; j++) {
            const struct lli_linear *l = &stage->sets[i].list[j];
            const struct lli_runs *runs = runs_of(pass, l);
            all.at[all.n] = l;
            all.first_piece[all.n++] = n_pieces;
            n_pieces += has_any(runs, l->w->site) ? runs->n_tiles : 0;
        }
    }
    lli_pass_share(pass, lower, &all, n_pieces);
}

/* ---- B ----------------------------------------------------------------------------------------------------------- */

/* Rows of a tile, columns of a piece: as many of both as there is room for. */
static void raise_part(const struct lli_pass *pass, const struct lli_linear *l, const struct lli_low_rank *pair,
                       const float *low, float *sums, size_t row, size_t n_rows, size_t first, size_t last, int worker)
{
    const struct lli_matrix *b = &pair->b;
    size_t group = b->lanes > 1 ? lli_pack_group_bytes(b->type, b->lanes, b->n_in) : lli_dtype_row_bytes(b->type, b->n_in);
    const struct lli_product product = {
        .out = sums,
        .out_stride = LLI_ADAPT_COLUMNS,
        .weights = b->data + first / b->lanes * group,
        .n_in = b->n_in,
        .n_rows = n_rows,
        .x = low,
        .scratch = pass->scratch.products + (size_t)worker * LLI_MATMUL_SCRATCH,
    };
    pass->kernels.matmul[b->type->id](&product, 0, last - first);
    for (size_t i = 0; i < n_rows; i++) {
        float *out = l->out + (row + i) * l->w->n_out + first;
        pass->kernels.add(out, out, sums + i * LLI_ADAPT_COLUMNS, last - first);
    }
}

static void raise_run(const struct lli_pass *pass, const struct lli_linear *l, size_t i, const struct lli_run *run,
                      size_t first_row, size_t end_row, size_t first, size_t last, int worker)
{
    const struct lli_low_rank *pair = lli_adapter_find(run->seat->all, l->w->site);
    float *sums = run->seat->sums + (size_t)worker * LLI_ADAPT_SUMS;
    for (size_t row = first_row; pair && row < end_row; row += LLI_ADAPT_ROWS) {
        size_t n = end_row - row < LLI_ADAPT_ROWS ? end_row - row : LLI_ADAPT_ROWS;
        for (size_t at = first; at < last; at += LLI_ADAPT_COLUMNS)
            raise_part(pass, l, pair, low_of(run->seat, pair, i, row), sums, row, n, at,
                       last - at < LLI_ADAPT_COLUMNS ? last : at + LLI_ADAPT_COLUMNS, worker);
    }
}

/* The first run that ends behind a row. */
static uint32_t find_run(const struct lli_runs *runs, size_t row)
{
    uint32_t low = 0, high = runs->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (runs->at[middle].first_row + runs->at[middle].n_rows <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void lli_adapt_add(const struct lli_pass *pass, const struct lli_linear *l, size_t i, size_t first_row, size_t n_rows,
                   size_t first, size_t last, int worker)
{
    const struct lli_runs *runs = runs_of(pass, l);
    size_t end = first_row + n_rows;
    if (runs->n == 0)
        return;
    for (uint32_t k = find_run(runs, first_row); k < runs->n && runs->at[k].first_row < end; k++) {
        const struct lli_run *run = &runs->at[k];
        size_t from = run->first_row > first_row ? run->first_row : first_row, to = run->first_row + run->n_rows;
        raise_run(pass, l, i, run, from, to < end ? to : end, first, last, worker);
    }
}
