/* forward/linear.c - the products of a stage are cut into pieces of weight rows, all products in one row of pieces. */
#include "forward/linear.h"

enum {
    MAX_PRODUCTS = 4,
    ROWS = 16,     /* weight rows of a piece: a multiple of every backend's lanes */
    PER_WORKER = 8 /* pieces a worker has at least, so that they end together */
};

int lli_linear_wants_q8(const struct lli_linear *list, size_t n)
{
    int q8 = 0;
    for (size_t i = 0; i < n; i++)
        q8 |= !list[i].w->type->is_float;
    return q8;
}

/* ---- inputs */

int lli_linear_take(const struct lli_pass *pass, size_t i, const float *x, size_t n, int q8)
{
    struct lli_q8 row;
    if (!q8)
        return pass->kernels.finite(x, n) ? 0 : -1;
    row = lli_q8_row(&pass->scratch.q8, n, i);
    return pass->kernels.quantise(&row, x, n);
}

struct taking {
    const float *x, *gain; /* gain: scratch.x is normed first */
    size_t n;
    int q8;
};

static void take_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct taking *t = arg;
    const struct lli_scratch *s = &pass->scratch;
    (void)worker;
    if (t->gain)
        pass->kernels.rmsnorm(s->normed + row * t->n, s->x + row * t->n, t->gain, t->n, pass->config->norm_eps);
    if (lli_linear_take(pass, row, t->x + row * t->n, t->n, t->q8) < 0)
        s->bad[row] = 1;
}

void lli_linear_take_rows(const struct lli_pass *pass, const float *x, size_t n, int q8)
{
    struct taking t = {x, NULL, n, q8};
    lli_pass_share(pass, take_row, &t, pass->plan->n_rows);
}

void lli_linear_take_normed(const struct lli_pass *pass, uint32_t layer, uint32_t role, int q8)
{
    struct taking t = {pass->scratch.normed, lli_pass_vector(pass, layer, role), pass->config->n_embd, q8};
    lli_pass_share(pass, take_row, &t, pass->plan->n_rows);
}

/* ---- products */

struct multiplying {
    const struct lli_linear *list;
    size_t n, n_rows;
    size_t piece_rows;                /* weight rows of a piece */
    size_t first_piece[MAX_PRODUCTS]; /* of a product */
};

/* One piece of one product: weight rows first .. last - 1. */
static void multiply(const struct lli_pass *pass, const struct lli_linear *l, size_t n_rows, size_t first, size_t last)
{
    const struct lli_matrix *w = l->w;
    size_t mat_bytes = w->n_out * lli_dtype_row_bytes(w->type, w->n_in);
    struct lli_product product = {
        .out = l->out,
        .out_stride = w->n_out,
        .weights = w->data + l->mat * mat_bytes,
        .n_in = w->n_in,
        .n_rows = n_rows,
        .x = l->input,
        .q8 = pass->scratch.q8,
    };
    pass->kernels.matmul[w->type->id](&product, first, last);
    for (size_t i = 0; i < n_rows; i++) {
        float *out = l->out + i * w->n_out + first;
        if (l->bias)
            pass->kernels.add(out, out, l->bias + first, last - first);
        if (l->add_to) {
            float *sum = l->add_to + i * w->n_out + first;
            pass->kernels.add(sum, sum, out, last - first);
        }
    }
}

static void multiply_piece(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    const struct multiplying *m = arg;
    size_t i = m->n - 1, first, last;
    (void)worker;
    while (piece < m->first_piece[i])
        i--;
    first = (piece - m->first_piece[i]) * m->piece_rows;
    last = first + m->piece_rows;
    multiply(pass, &m->list[i], m->n_rows, first, last < m->list[i].w->n_out ? last : m->list[i].w->n_out);
}

void lli_linear_run(const struct lli_pass *pass, const struct lli_linear *list, size_t n, size_t n_rows)
{
    struct multiplying m = {.list = list, .n = n, .n_rows = n_rows};
    size_t total = 0, n_pieces = 0;
    for (size_t i = 0; i < n; i++)
        total += list[i].w->n_out;
    m.piece_rows = (total / ((size_t)pass->workers->n * PER_WORKER) + ROWS) / ROWS * ROWS;
    for (size_t i = 0; i < n; i++) {
        m.first_piece[i] = n_pieces;
        n_pieces += (list[i].w->n_out + m.piece_rows - 1) / m.piece_rows;
    }
    lli_pass_share(pass, multiply_piece, &m, n_pieces);
}
