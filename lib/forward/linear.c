/* forward/linear.c - the products of a stage are cut into pieces: a range of weight rows x a range of rows of activations. */
#include "forward/linear.h"

#include <string.h>

#include "forward/adapt.h"
#include "forward/norm.h"

enum {
    PER_WORKER = 16, /* pieces a worker has at least, so that they end together (Zen 5, decoding: 1-2 % more than 8) */
    TILE_ROWS = 192  /* rows of activations of a piece: they share a piece of weights in the cache */
};

int lli_linear_wants_q8(const struct lli_linear *list, size_t n)
{
    int q8 = 0;
    for (size_t i = 0; i < n; i++)
        q8 |= !list[i].w->type->is_float;
    return q8;
}

/* ---- inputs */

int lli_linear_take(const struct lli_pass *pass, struct lli_q8 *out, const float *x, size_t n, int wants_q8)
{
    if (!wants_q8 || n == 0)
        return pass->kernels.finite(x, n) ? 0 : -1;
    return pass->kernels.quantise(out, x, n);
}

struct taking {
    const float *x;
    size_t n;
    uint32_t layer, role; /* of the norm through which scratch.x goes first; LLI_N_ROLES: through none */
    int wants_q8;
};

static void take_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct taking *t = arg;
    const struct lli_scratch *s = &pass->scratch;
    (void)worker;
    if (t->role != LLI_N_ROLES)
        lli_norm_role(pass, s->normed + row * t->n, s->x + row * t->n, t->layer, t->role, t->n);
    if (lli_linear_take(pass, s->q8 + row * lli_q8_blocks(t->n), t->x + row * t->n, t->n, t->wants_q8) < 0)
        lli_pass_mark(pass, row);
}

void lli_linear_take_rows(const struct lli_pass *pass, const float *x, size_t n, int wants_q8)
{
    struct taking t = {x, n, 0, LLI_N_ROLES, wants_q8};
    lli_pass_share(pass, take_row, &t, pass->plan->n_rows);
}

void lli_linear_take_normed(const struct lli_pass *pass, uint32_t layer, uint32_t role, int wants_q8)
{
    struct taking t = {pass->scratch.normed, pass->config->n_embd, layer, role, wants_q8};
    lli_pass_share(pass, take_row, &t, pass->plan->n_rows);
}

/* ---- products */

struct multiplying {
    const struct lli_stage *stage;
    size_t n_tiles;                           /* of rows of activations, as equal as can be */
    size_t columns[LLI_STAGE_PRODUCTS];       /* weight rows of a piece */
    size_t first_range[LLI_STAGE_PRODUCTS];   /* of a set */
    size_t first_product[LLI_STAGE_PRODUCTS]; /* of a set: its number in the stage */
};

static void finish(const struct lli_pass *pass, const struct lli_linear *l, size_t first_row, size_t n_rows, size_t first,
                   size_t last)
{
    for (size_t i = first_row; (l->bias || l->add_to) && i < first_row + n_rows; i++) {
        float *out = l->out + i * l->w->n_out + first;
        if (l->bias)
            pass->kernels.add(out, out, l->bias + first, last - first);
        if (l->add_to) {
            float *sum = l->add_to + i * l->w->n_out + first;
            pass->kernels.add(sum, sum, out, last - first);
        }
    }
}

/* A rank whose part of K is empty. */
static void clear(const struct lli_product *p, size_t first, size_t last)
{
    for (size_t i = 0; i < p->n_rows; i++)
        memset(p->out + i * p->out_stride + first, 0, (last - first) * sizeof *p->out);
}

/* Weight rows first .. last - 1 of product i of the stage. */
static void multiply(const struct lli_pass *pass, const struct lli_linear *l, size_t i, size_t first_row, size_t n_rows,
                     size_t first, size_t last, int worker)
{
    const struct lli_matrix *w = l->w;
    struct lli_product product = {
        .out = l->out + first_row * w->n_out,
        .out_stride = w->n_out,
        .weights = w->data + l->mat * w->mat_bytes,
        .n_in = w->n_in,
        .subtree = w->subtree,
        .n_rows = n_rows,
        .scratch = pass->scratch.products + (size_t)worker * LLI_MATMUL_SCRATCH,
    };
    if (w->type->is_float)
        product.x = l->input + first_row * w->n_in;
    else
        product.q8 = l->q8 + first_row * lli_q8_blocks(w->n_in);
    if (w->n_in > 0)
        pass->kernels.matmul[w->type->id](&product, first, last);
    else
        clear(&product, first, last);
    lli_adapt_add(pass, l, i, first_row, n_rows, first, last, worker);
    if (!lli_linear_is_shared(w))
        finish(pass, l, first_row, n_rows, first, last);
}

static void multiply_piece(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    const struct multiplying *m = arg;
    size_t range = piece / m->n_tiles, tile = piece % m->n_tiles, n_rows = m->stage->n_rows, i = m->stage->n - 1;
    size_t first_row = tile * n_rows / m->n_tiles, first, last;
    const struct lli_set *set;
    n_rows = (tile + 1) * n_rows / m->n_tiles - first_row;
    while (range < m->first_range[i])
        i--;
    set = &m->stage->sets[i];
    first = (range - m->first_range[i]) * m->columns[i];
    last = first + m->columns[i] < set->list->w->n_out ? first + m->columns[i] : set->list->w->n_out;
    for (size_t j = 0; j < set->n; j++)
        multiply(pass, &set->list[j], m->first_product[i] + j, first_row, n_rows, first, last, worker);
    if (set->behind)
        set->behind(pass, set->arg, first_row, n_rows, first, last);
}

/* The least multiple of both. */
static size_t least_step(size_t align)
{
    size_t step = LLI_MATMUL_STEP;
    while (align > 0 && step % align != 0)
        step += LLI_MATMUL_STEP;
    return step;
}

void lli_linear_run(const struct lli_pass *pass, const struct lli_stage *stage)
{
    struct multiplying m = {.stage = stage, .n_tiles = (stage->n_rows + TILE_ROWS - 1) / TILE_ROWS};
    size_t total = 0, n_ranges = 0, n_products = 0, columns;
    lli_adapt_begin(pass, stage);
    for (size_t i = 0; i < stage->n; i++)
        total += stage->sets[i].list->w->n_out;
    columns = total * m.n_tiles / ((size_t)pass->workers->n * PER_WORKER);
    for (size_t i = 0; i < stage->n; i++) {
        size_t step = least_step(stage->sets[i].align);
        m.columns[i] = (columns / step + 1) * step;
        m.first_range[i] = n_ranges;
        m.first_product[i] = n_products;
        n_products += stage->sets[i].n;
        n_ranges += (stage->sets[i].list->w->n_out + m.columns[i] - 1) / m.columns[i];
    }
    lli_pass_share(pass, multiply_piece, &m, n_ranges * m.n_tiles);
}

int lli_linear_is_shared(const struct lli_matrix *w)
{
    return w->subtree.n_whole > 0 && w->subtree.n < LLI_N_SEGMENTS;
}

static void finish_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_linear *l = arg;
    (void)worker;
    finish(pass, l, row, 1, 0, l->w->n_out);
}

void lli_linear_join(const struct lli_pass *pass, const struct lli_linear *l, size_t n_rows)
{
    if (!lli_linear_is_shared(l->w))
        return;
    lli_comm_sum(pass->comm, l->out, n_rows * l->w->n_out);
    lli_pass_share(pass, finish_row, l, n_rows);
}

void lli_linear_run_one(const struct lli_pass *pass, const struct lli_linear *l, size_t n_rows)
{
    const struct lli_set set = {.list = l, .n = 1};
    lli_linear_run(pass, &(struct lli_stage){&set, 1, n_rows});
    lli_linear_join(pass, l, n_rows);
}
