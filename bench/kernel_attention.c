/* kernel_attention.c - attention's kernel, a split at a time: one token against a long context, and the rows of a prompt.
 *
 * Keys and values of as many layers as the buffer of the limits holds are taken in turn, so that they come from memory. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"
#include "forward/forward.h"

enum { ALIGN = 64, KV_HEADS = 8, GROUP = 4, TILE_ROWS = 16, PROMPT = 512 };

/* What one worker works on. */
struct attention_desk {
    struct lli_query queries[TILE_ROWS * GROUP];
    float *q, *o; /* [TILE_ROWS * GROUP, head_dim] */
    void *scratch;
};

struct attention_job {
    struct kernel_bench *b;
    uint32_t type;
    size_t n_heads; /* of a piece */
    size_t head_dim, head_bytes, page_bytes, layer_bytes, n_layers, layer;
    size_t first, n_rows, n_splits, n_tiles; /* position of the first row; rows; splits that they see; tiles of them */
    float *memory;                           /* of all desks */
    struct attention_desk *desks;            /* [workers] */
};

/* ---- one piece: a tile of rows, a split, a head of K and V, or all heads for a single row, as forward/attend.c does it */

/* The head's part of K of each page of a split; V lies a page behind. */
static void find_pages(const uint8_t *out[LLI_SPLIT_PAGES], const struct attention_job *j, size_t split, size_t head)
{
    const uint8_t *at = j->b->limits->buffer + j->layer * j->layer_bytes + head * j->head_bytes;
    for (size_t i = 0; i < LLI_SPLIT_PAGES; i++)
        out[i] = at + (split * LLI_SPLIT_PAGES + i) * 2 * j->page_bytes;
}

/* Of n_heads heads, behind each other; returns those of one. */
static size_t take_queries(struct attention_desk *desk, const struct attention_job *j, size_t tile, size_t split)
{
    size_t n = 0, at = split * LLI_SPLIT_TOKENS;
    for (size_t head = 0; head < j->n_heads; head++)
        for (size_t row = tile * TILE_ROWS; row < j->n_rows && row < (tile + 1) * TILE_ROWS; row++) {
            size_t end = j->first + row + 1;
            for (size_t g = 0; g < GROUP && end > at; g++, n++) {
                uint32_t last = end - at < LLI_SPLIT_TOKENS ? (uint32_t)(end - at) : LLI_SPLIT_TOKENS;
                desk->queries[n] = (struct lli_query){
                    .q = desk->q + n * j->head_dim, .o = desk->o + n * j->head_dim, .first = 0, .last = last};
            }
        }
    return n / j->n_heads;
}

static void attend(void *arg, size_t piece, int worker)
{
    const struct attention_job *j = arg;
    struct attention_desk *desk = &j->desks[worker];
    size_t n_pieces = KV_HEADS / j->n_heads, head = piece % n_pieces * j->n_heads;
    size_t split = piece / n_pieces % j->n_splits, tile = piece / n_pieces / j->n_splits;
    struct lli_attend call = {
        .queries = desk->queries, .n_heads = j->n_heads, .head_dim = j->head_dim, .scale = 0.125f, .scratch = desk->scratch};
    call.n_queries = take_queries(desk, j, tile, split);
    if (call.n_queries == 0)
        return;
    find_pages(call.k, j, split, head);
    for (size_t i = 0; i < LLI_SPLIT_PAGES; i++)
        call.v[i] = call.k[i] + j->page_bytes;
    if (split + 1 < j->n_splits)
        find_pages(call.next, j, split + 1, head);
    j->b->kernels.attend[j->type](&call);
}

static void run_round(void *arg)
{
    struct attention_job *j = arg;
    lli_workers_share(j->b->limits->workers, attend, j, j->n_tiles * j->n_splits * (KV_HEADS / j->n_heads));
    j->layer = (j->layer + 1) % j->n_layers;
}

/* ---- memory */

static void finish(struct attention_job *j)
{
    free(j->memory);
    free(j->desks);
}

static int make_desks(struct attention_job *j)
{
    size_t n = (size_t)j->b->limits->workers->n, each = TILE_ROWS * GROUP * j->head_dim;
    size_t scratch = (lli_attend_scratch(j->head_dim) + ALIGN - 1) / ALIGN * ALIGN / sizeof(float);
    size_t stride = 2 * each + scratch;
    uint64_t state = 7;
    j->memory = aligned_alloc(ALIGN, n * stride * sizeof *j->memory);
    j->desks = calloc(n, sizeof *j->desks);
    if (!j->memory || !j->desks)
        return kernels_fail("attention", "no memory");
    kernels_random_floats(j->memory, n * stride, &state);
    for (size_t i = 0; i < n; i++) {
        j->desks[i].q = j->memory + i * stride;
        j->desks[i].o = j->desks[i].q + each;
        j->desks[i].scratch = j->desks[i].o + each;
    }
    return 0;
}

/* Bytes of K and V that are finite in every type: 0x2e2e is 0.097 in F16, 0x2e2e2e2e 4e-11 in F32, 0x2e 46 in Q8_0. */
static int init(struct attention_job *j)
{
    const struct limits *l = j->b->limits;
    j->type = j->b->options->kv_dtype;
    j->head_bytes = lli_kv_head_bytes(j->type, j->head_dim);
    j->page_bytes = KV_HEADS * j->head_bytes;
    j->n_tiles = (j->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    j->n_splits = (j->first + j->n_rows + LLI_SPLIT_TOKENS - 1) / LLI_SPLIT_TOKENS;
    j->layer_bytes = 2 * j->page_bytes * LLI_SPLIT_PAGES * j->n_splits;
    j->n_layers = l->buffer_bytes / j->layer_bytes;
    if (j->n_layers == 0)
        return kernels_fail("attention", "--buffer is too small for one layer's keys and values");
    memset(l->buffer, 0x2e, j->n_layers * j->layer_bytes);
    return make_desks(j);
}

/* ---- measuring */

static void report_attention(const struct attention_job *j, const char *name, const struct work *work, const struct measured *m)
{
    struct report *report = j->b->report;
    report_begin(report, "kernel");
    report_text(report, "kernel", name);
    report_text(report, "type", j->b->options->kv_name);
    report_number(report, "head_dim", (double)j->head_dim, 0);
    report_number(report, "depth", (double)j->first, 0);
    report_number(report, "rows", (double)j->n_rows, 0);
    report_number(report, "gflops_per_second", work->fp_ops / m->seconds / 1e9, 2);
    report_number(report, "gbytes_per_second", work->bytes / m->seconds / 1e9, 2);
    report_number(report, "limit_share", m->share, 4);
    report_text(report, "bound", m->bound);
    report_number(report, "limit_drift", m->drift, 3);
    report_end(report);
}

static int measure(struct kernel_bench *b, const char *name, size_t head_dim, size_t first, size_t n_rows)
{
    struct attention_job j = {
        .b = b, .n_heads = n_rows == 1 ? KV_HEADS : 1, .head_dim = head_dim, .first = first, .n_rows = n_rows};
    double positions = (double)n_rows * (double)first + (double)n_rows * (double)(n_rows + 1) / 2;
    int status = init(&j);
    if (status == 0) {
        struct measured m;
        struct work work = {.fp_ops = positions * 4 * KV_HEADS * GROUP * (double)head_dim};
        work.bytes = 2.0 * (double)j.page_bytes * (double)(first + n_rows) / LLI_PAGE_TOKENS;
        kernels_time(&m, b, &work, run_round, &j);
        report_attention(&j, name, &work, &m);
    }
    finish(&j);
    return status;
}

int kernels_attention(struct kernel_bench *b)
{
    static const size_t HEADS[] = {64, 128};
    uint32_t depth = b->options->depth > 0 ? b->options->depth : 8192;
    int status = 0;
    for (size_t i = 0; i < 2 && status == 0; i++) {
        status = measure(b, "attention_decode", HEADS[i], depth - 1, 1);
        if (status == 0)
            status = measure(b, "attention_prefill", HEADS[i], 0, PROMPT);
        if (status == 0 && depth > PROMPT)
            status = measure(b, "attention_prefill", HEADS[i], depth - PROMPT, PROMPT);
    }
    return status;
}
