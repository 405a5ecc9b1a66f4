#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels.h"

/* Builds that poison recycled pages leave no zeros behind a page's first position: all are computed there. */
#ifdef LLI_POISON
enum { FILL_STRIDE = 1 };
#else
enum { FILL_STRIDE = LLI_PAGE_TOKENS };
#endif

static uint32_t pages(uint32_t positions)
{
    return (positions + LLI_PAGE_TOKENS - 1) / LLI_PAGE_TOKENS;
}

uint32_t steps_blocks(uint32_t n_sessions, uint32_t positions)
{
    return n_sessions * pages(positions);
}

int steps_init(struct steps *s, struct network *network, uint32_t n_sessions, uint32_t positions)
{
    uint32_t n_rows = n_sessions > STEPS_CHUNK ? n_sessions : STEPS_CHUNK;
    *s = (struct steps){.network = network, .n_sessions = n_sessions, .table_len = pages(positions)};
    size_t n = (size_t)n_sessions * s->table_len;
    s->tables = calloc(n * network->n_groups + 1, sizeof *s->tables);
    s->rows = calloc(n_rows, sizeof *s->rows);
    s->seqs = calloc(n_rows, sizeof *s->seqs);
    if (!s->tables || !s->rows || !s->seqs)
        return -1;
    /* As lockstep would take them from a pool: all sessions' first blocks, then all second ones. */
    for (uint32_t i = 0; i < n_sessions; i++)
        for (uint32_t b = 0; b < s->table_len; b++)
            for (uint32_t g = 0; g < network->n_groups; g++)
                s->tables[g * n + i * s->table_len + b] = 1 + (b * network->n_groups + g) * n_sessions + i;
    return 0;
}

/* Fisher and Yates; the numbers as in kernels.c. */
void steps_scatter(struct steps *s)
{
    uint64_t state = 11;
    for (uint32_t i = s->network->n_groups * s->n_sessions * s->table_len; i > 1; i--) {
        uint32_t at = (uint32_t)(kernels_random(&state) % i), kept = s->tables[i - 1];
        s->tables[i - 1] = s->tables[at];
        s->tables[at] = kept;
    }
}

void steps_finish(struct steps *s)
{
    free(s->tables);
    free(s->rows);
    free(s->seqs);
    *s = (struct steps){0};
}

/* ---- plans */

static int32_t token_at(const struct steps *s, uint32_t session, uint32_t pos)
{
    return (int32_t)(((uint64_t)pos * 7919 + (uint64_t)session * 101 + 13) % s->network->config.n_vocab);
}

static void show(const struct steps *s, struct lli_seq *seq, const uint32_t *blocks, uint32_t first_row)
{
    *seq = (struct lli_seq){.first_row = first_row};
    for (uint32_t g = 0; g < s->network->n_groups; g++)
        seq->blocks[g] = blocks + (size_t)g * s->n_sessions * s->table_len;
}

static void add_row(struct steps *s, struct lli_plan *plan, uint32_t session, uint32_t pos, int wants_logits)
{
    const uint32_t *blocks = s->tables + (size_t)session * s->table_len;
    if (plan->n_seqs == 0 || plan->seqs[plan->n_seqs - 1].blocks[0] != blocks)
        show(s, &plan->seqs[plan->n_seqs++], blocks, plan->n_rows);
    plan->seqs[plan->n_seqs - 1].n_rows++;
    plan->rows[plan->n_rows++] = (struct lli_row){token_at(s, session, pos), pos, (uint16_t)(plan->n_seqs - 1),
                                                  (uint16_t)(wants_logits ? LLI_ROW_LOGITS : 0)};
    plan->n_logits += wants_logits ? 1 : 0;
}

static int run(struct steps *s, struct lli_plan *plan)
{
    if (plan->n_rows == 0)
        return 0;
    lli_forward_run(s->network->forward, plan);
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        if (plan->seqs[i].status < 0)
            return -1;
    return 0;
}

static struct lli_plan begin(struct steps *s)
{
    return (struct lli_plan){.rows = s->rows, .seqs = s->seqs};
}

int steps_prompt(struct steps *s, uint32_t first, uint32_t n)
{
    uint32_t end = first + n;
    for (; first < end; first += STEPS_CHUNK) {
        struct lli_plan plan = begin(s);
        for (uint32_t pos = first; pos < end && pos < first + STEPS_CHUNK; pos++)
            add_row(s, &plan, 0, pos, pos + 1 == end);
        if (run(s, &plan) < 0)
            return -1;
    }
    return 0;
}

int steps_prefill(struct steps *s, uint32_t n)
{
    return steps_prompt(s, 0, n);
}

static void show_progress(uint32_t done, uint32_t all)
{
    if (isatty(2))
        fprintf(stderr, "\rcontext %u of %u%s", done, all, done == all ? "\n" : "");
}

int steps_fill(struct steps *s, uint32_t n)
{
    struct lli_plan plan = begin(s);
    for (uint32_t i = 0; i < s->n_sessions; i++)
        for (uint32_t pos = 0; pos < n; pos += FILL_STRIDE) {
            add_row(s, &plan, i, pos, 0);
            if (plan.n_rows < STEPS_CHUNK)
                continue;
            show_progress(i * n + pos, s->n_sessions * n);
            if (run(s, &plan) < 0)
                return -1;
            plan = begin(s);
        }
    if (run(s, &plan) < 0)
        return -1;
    if (s->n_sessions * pages(n) >= STEPS_CHUNK)
        show_progress(s->n_sessions * n, s->n_sessions * n);
    return 0;
}

int steps_decode(struct steps *s, uint32_t pos)
{
    struct lli_plan plan = begin(s);
    for (uint32_t i = 0; i < s->n_sessions; i++)
        add_row(s, &plan, i, pos, 1);
    return run(s, &plan);
}
