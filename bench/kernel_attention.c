/* kernel_attention.c - attention's kernels in the order in which a step calls them: one token against a long context, and
 * the rows of a prompt.
 *
 * Keys and values of as many layers as the buffer of the limits holds are taken in turn, so that they come from memory. */
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"
#include "forward/forward.h"
#include "forward/scratch.h"

enum { ALIGN = 64, KV_HEADS = 8, GROUP = 4, SPLIT = LLI_SPLIT_TOKENS, PROMPT = 512 };

struct attention_job {
    struct kernel_bench *b;
    uint32_t type;
    size_t head_dim, head_bytes, page_bytes, layer_bytes, n_layers, layer;
    size_t first, n_rows; /* positions of the rows */
    float *memory;        /* [workers, worker_floats] */
    size_t worker_floats;
    _Atomic size_t next;
};

/* One split of one key head for the queries q[GROUP, head_dim]: scores, numerators, weighted values. */
static void attend_split(const struct attention_job *j, float *memory, size_t kv_head, size_t first, size_t n)
{
    const struct lli_kernels *k = &j->b->kernels;
    const uint8_t *layer = j->b->limits->buffer + j->layer * j->layer_bytes + kv_head * j->head_bytes;
    float *q = memory, *out = q + GROUP * j->head_dim, *scores = out + GROUP * j->head_dim, max, sum;
    for (size_t t = 0; t < n; t += LLI_PAGE_TOKENS)
        k->scores[j->type](scores + t, SPLIT, q, GROUP, layer + (first + t) / LLI_PAGE_TOKENS * 2 * j->page_bytes, j->head_dim,
                           0.125f);
    for (size_t h = 0; h < GROUP; h++)
        k->exp(scores + h * SPLIT, n, &max, &sum);
    memset(out, 0, GROUP * j->head_dim * sizeof *out);
    for (size_t t = 0; t < n; t += LLI_PAGE_TOKENS)
        k->values[j->type](out, scores + t, SPLIT, GROUP, layer + ((first + t) / LLI_PAGE_TOKENS * 2 + 1) * j->page_bytes,
                           n - t < LLI_PAGE_TOKENS ? n - t : LLI_PAGE_TOKENS, j->head_dim);
}

/* A piece is a row's query heads of one key head in one split, heads innermost; splits behind the row's end are empty. */
static void attend(void *arg, int index, int n_workers)
{
    struct attention_job *j = arg;
    float *memory = j->memory + (size_t)index * j->worker_floats;
    size_t n_splits = (j->first + j->n_rows + SPLIT - 1) / SPLIT, n_pieces = j->n_rows * n_splits * KV_HEADS, i;
    (void)n_workers;
    while ((i = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed)) < n_pieces) {
        size_t kv_head = i % KV_HEADS, first = i / KV_HEADS % n_splits * SPLIT, row = i / KV_HEADS / n_splits;
        size_t end = j->first + row + 1;
        if (first < end)
            attend_split(j, memory, kv_head, first, end - first < SPLIT ? end - first : SPLIT);
    }
}

static void run_round(void *arg)
{
    struct attention_job *j = arg;
    atomic_store_explicit(&j->next, 0, memory_order_relaxed);
    lli_workers_run(j->b->limits->workers, attend, j);
    j->layer = (j->layer + 1) % j->n_layers;
}

/* Bytes of K and V that are finite in both types: 0x2e2e is 0.097 in F16, 0x2e2e2e2e 4e-11 in F32. */
static int make_job(struct attention_job *j, size_t n_positions)
{
    const struct limits *l = j->b->limits;
    uint64_t state = 7;
    size_t n_floats = (size_t)l->workers->n * (j->worker_floats = GROUP * (2 * j->head_dim + SPLIT));
    j->type = j->b->options->kv_type == LLI_KV_F32 ? LLI_F32 : LLI_F16;
    j->head_bytes = j->head_dim * LLI_PAGE_TOKENS * (j->type == LLI_F32 ? 4 : 2);
    j->page_bytes = KV_HEADS * j->head_bytes;
    j->layer_bytes = 2 * j->page_bytes * ((n_positions + LLI_PAGE_TOKENS - 1) / LLI_PAGE_TOKENS);
    j->n_layers = l->buffer_bytes / j->layer_bytes;
    if (j->n_layers == 0)
        return kernels_fail("attention", "--buffer is too small for one layer's keys and values");
    memset(l->buffer, 0x2e, j->n_layers * j->layer_bytes);
    j->memory = aligned_alloc(ALIGN, n_floats * sizeof *j->memory);
    if (!j->memory)
        return kernels_fail("attention", "no memory");
    kernels_random_floats(j->memory, n_floats, &state);
    return 0;
}

static int measure(struct kernel_bench *b, const char *name, size_t head_dim, size_t first, size_t n_rows)
{
    struct attention_job j = {.b = b, .head_dim = head_dim, .first = first, .n_rows = n_rows};
    struct work work = {0};
    struct measured m;
    double positions = (double)n_rows * (double)first + (double)n_rows * (double)(n_rows + 1) / 2;
    if (make_job(&j, first + n_rows) < 0)
        return -1;
    work.bytes = (double)j.layer_bytes;
    work.fp_ops = positions * 4 * KV_HEADS * GROUP * (double)head_dim;
    kernels_time(&m, b, &work, run_round, &j);
    free(j.memory);
    report_begin(b->report, "kernel");
    report_text(b->report, "kernel", name);
    report_text(b->report, "type", j.type == LLI_F32 ? "f32" : "f16");
    report_number(b->report, "head_dim", (double)head_dim, 0);
    report_number(b->report, "depth", (double)first, 0);
    report_number(b->report, "rows", (double)n_rows, 0);
    report_number(b->report, "gflops_per_second", work.fp_ops / m.seconds / 1e9, 2);
    report_number(b->report, "gbytes_per_second", work.bytes / m.seconds / 1e9, 2);
    report_number(b->report, "limit_share", m.share, 4);
    report_text(b->report, "bound", m.bound);
    report_number(b->report, "limit_drift", m.drift, 3);
    report_end(b->report);
    return 0;
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
