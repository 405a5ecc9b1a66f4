/* kernel_products.c - matrix products, for each type of weights and some numbers of activation rows.
 *
 * Copies of the matrix fill the buffer of the limits and are taken in turn, so that the weights come from memory as they do
 * in a model. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"
#include "backend/pack.h"
#include "base/dtype.h"
#include "base/half.h"

enum { ALIGN = 64, PER_WORKER = 16, TILE_ROWS = 192 }; /* pieces as forward/linear.c cuts them */

struct product_job {
    struct kernel_bench *b;
    const struct lli_dtype *type;
    size_t n_in, n_out;
    size_t n_tiles, piece_columns, n_pieces; /* a piece: a tile of activation rows x a range of weight rows */
    size_t copy_bytes, n_copies, copy;       /* of the packed matrix in the buffer; the one that comes next */
    struct lli_product product;
    struct lli_q8 *q8; /* of the product */
    uint8_t *scratch;  /* [workers, LLI_MATMUL_SCRATCH] */
};

/* ---- weights */

/* Random bits with scales of 2^-7 .. 2^-4; float elements of -1 .. 1. */
static void fill_rows(uint8_t *out, const struct lli_dtype *type, size_t n, uint64_t *state)
{
    size_t n_blocks = n / type->block;
    for (size_t i = 0; i < n_blocks * type->block_bytes; i++)
        out[i] = (uint8_t)(kernels_random(state) >> 56);
    for (size_t i = 0; i < n_blocks; i++) {
        uint8_t *block = out + i * type->block_bytes;
        float x;
        kernels_random_floats(&x, 1, state);
        uint16_t half = type->id == LLI_BF16 ? lli_bf16_from_f32(x) : lli_half_from_f32(x);
        if (type->id == LLI_F32)
            memcpy(block, &x, sizeof x);
        else if (type->is_float)
            memcpy(block, &half, sizeof half);
        for (int j = 0; j < 2 && !type->is_float && type->scale_at[j] >= 0; j++) {
            uint16_t scale = (uint16_t)(0x2000 + (kernels_random(state) & 0x0fff));
            if (type->id == LLI_MXFP4)
                block[0] = (uint8_t)(120 + scale % 4);
            else
                memcpy(block + type->scale_at[j], &scale, sizeof scale);
        }
    }
}

/* Bytes of the matrix as the backend wants it. */
static size_t packed_bytes(const struct product_job *j)
{
    size_t lanes = (size_t)j->b->backend->lanes;
    if (lanes == 1)
        return j->n_out * lli_dtype_row_bytes(j->type, j->n_in);
    return lli_pack_groups(lanes, j->n_out) * lli_pack_group_bytes(j->type, lanes, j->n_in);
}

static int pack(uint8_t *out, const struct product_job *j, const uint8_t *rows)
{
    size_t lanes = (size_t)j->b->backend->lanes;
    if (lanes == 1)
        memcpy(out, rows, packed_bytes(j));
    else if (lli_pack_rows(out, j->type, lanes, rows, lli_dtype_row_bytes(j->type, j->n_in), j->n_out, j->n_in, 0,
                           lli_pack_groups(lanes, j->n_out)) >= 0)
        return kernels_fail("matmul", "random weights are not finite");
    return 0;
}

static int make_weights(struct product_job *j, uint64_t *state)
{
    const struct limits *l = j->b->limits;
    uint8_t *rows = malloc(j->n_out * lli_dtype_row_bytes(j->type, j->n_in));
    int status;
    j->copy_bytes = (packed_bytes(j) + ALIGN - 1) / ALIGN * ALIGN;
    j->n_copies = l->buffer_bytes / j->copy_bytes;
    if (!rows || j->n_copies == 0) {
        free(rows);
        return kernels_fail("matmul", rows ? "--buffer is too small for the matrix" : "no memory");
    }
    fill_rows(rows, j->type, j->n_out * j->n_in, state);
    status = pack(l->buffer, j, rows);
    free(rows);
    for (size_t i = 1; i < j->n_copies && status == 0; i++)
        memcpy(l->buffer + i * j->copy_bytes, l->buffer, j->copy_bytes);
    return status;
}

/* ---- activations */

static void free_activations(struct product_job *j, float *x)
{
    free(x);
    free(j->product.out);
    free(j->q8);
    free(j->scratch);
}

/* Of the largest number of rows. NULL without memory. */
static float *make_activations(struct product_job *j, size_t n_rows, uint64_t *state)
{
    size_t n = n_rows * j->n_in;
    float *x = malloc(n * sizeof *x);
    j->product.out = malloc(n_rows * j->n_out * sizeof *j->product.out);
    j->product.q8 = j->q8 = malloc(lli_q8_blocks(n) * sizeof *j->q8);
    j->scratch = aligned_alloc(ALIGN, (size_t)j->b->limits->workers->n * LLI_MATMUL_SCRATCH);
    if (!x || !j->product.out || !j->q8 || !j->scratch) {
        free_activations(j, x);
        return NULL;
    }
    kernels_random_floats(x, n, state);
    for (size_t i = 0; i < n_rows; i++)
        j->b->kernels.quantise(j->q8 + i * lli_q8_blocks(j->n_in), x + i * j->n_in, j->n_in);
    return x;
}

/* ---- rounds */

static void multiply(void *arg, size_t piece, int worker)
{
    const struct product_job *j = arg;
    struct lli_product p = j->product;
    size_t tile = piece % j->n_tiles, row = tile * p.n_rows / j->n_tiles;
    size_t first = piece / j->n_tiles * j->piece_columns, last = first + j->piece_columns;
    p.n_rows = (tile + 1) * p.n_rows / j->n_tiles - row;
    p.out += row * p.out_stride;
    p.x += row * p.n_in;
    p.q8 += row * lli_q8_blocks(p.n_in);
    p.scratch = j->scratch + (size_t)worker * LLI_MATMUL_SCRATCH;
    j->b->kernels.matmul[j->type->id](&p, first, last < j->n_out ? last : j->n_out);
}

static void run_round(void *arg)
{
    struct product_job *j = arg;
    j->product.weights = j->b->limits->buffer + j->copy * j->copy_bytes;
    j->copy = (j->copy + 1) % j->n_copies;
    lli_workers_share(j->b->limits->workers, multiply, j, j->n_pieces);
}

static void cut(struct product_job *j)
{
    size_t n_pieces = (size_t)j->b->limits->workers->n * PER_WORKER;
    j->n_tiles = (j->product.n_rows + TILE_ROWS - 1) / TILE_ROWS;
    j->piece_columns = (j->n_out * j->n_tiles / n_pieces / LLI_MATMUL_STEP + 1) * LLI_MATMUL_STEP;
    j->n_pieces = j->n_tiles * ((j->n_out + j->piece_columns - 1) / j->piece_columns);
}

static void measure(struct product_job *j, size_t n_rows)
{
    struct kernel_bench *b = j->b;
    double ops = 2.0 * (double)n_rows * (double)j->n_in * (double)j->n_out;
    double bytes = (double)(j->n_out * lli_dtype_row_bytes(j->type, j->n_in));
    struct work work = {.bytes = bytes};
    struct measured m;
    if (j->type->is_float)
        work.fp_ops = ops;
    else
        work.integer_ops = ops;
    j->product.n_rows = n_rows;
    cut(j);
    kernels_time(&m, b, &work, run_round, j);
    report_begin(b->report, "kernel");
    report_text(b->report, "kernel", "matmul");
    report_text(b->report, "type", j->type->name);
    report_number(b->report, "rows", (double)n_rows, 0);
    report_number(b->report, "n_in", (double)j->n_in, 0);
    report_number(b->report, "n_out", (double)j->n_out, 0);
    report_number(b->report, "gops_per_second", ops / m.seconds / 1e9, 2);
    report_number(b->report, "gbytes_per_second", bytes / m.seconds / 1e9, 2);
    report_number(b->report, "limit_share", m.share, 4);
    report_text(b->report, "bound", m.bound);
    report_number(b->report, "limit_drift", m.drift, 3);
    report_end(b->report);
}

static int measure_type(struct kernel_bench *b, const struct lli_dtype *type)
{
    const struct options *o = b->options;
    struct product_job j = {.b = b, .type = type, .n_in = o->shape.at[0], .n_out = o->shape.at[1]};
    uint64_t state = 1 + type->id;
    size_t most = 1;
    float *x;
    for (int i = 0; i < o->rows.n; i++)
        most = o->rows.at[i] > most ? o->rows.at[i] : most;
    x = make_activations(&j, most, &state);
    if (!x)
        return kernels_fail("matmul", "no memory");
    j.product.x = x;
    j.product.n_in = j.n_in;
    j.product.out_stride = j.n_out;
    int status = make_weights(&j, &state);
    for (int i = 0; i < o->rows.n && status == 0; i++)
        measure(&j, o->rows.at[i]);
    free_activations(&j, x);
    return status;
}

int kernels_products(struct kernel_bench *b)
{
    int status = 0;
    for (uint32_t id = 0; id < LLI_N_TYPES && status == 0; id++) {
        const struct lli_dtype *type = lli_dtype_find(id);
        if (type && b->kernels.matmul[id] && (b->options->types == 0 || b->options->types >> id & 1))
            status = measure_type(b, type);
    }
    return status;
}
