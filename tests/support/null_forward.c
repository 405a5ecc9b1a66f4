/* null_forward.c - see null_forward.h. The state that tests share is guarded by one lock. */
#include "null_forward.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "forward/forward.h"
#include "forward/layout.h"
#include "kv/table.h"
#include "model/adapter.h"

struct entry {
    uint64_t hash; /* of the tokens 0..pos */
    uint32_t pos;
    int32_t token;
};

struct lli_forward {
    struct lli_heap *heap;
    struct lli_workers *workers;
    struct entry *entries; /* [n_blocks, 16] */
    struct entry *wanted;  /* [max_logits] what the rows that want logits stored */
    float *logits;         /* [max_logits, n_vocab] */
    uint32_t n_blocks, n_vocab, max_rows, max_logits, max_pos, n_wanted;
    struct lli_layout layout; /* each group holds the same */
    int is_draft;
    uint32_t wrong, fails, nan, bad; /* see null_forward.h */
};

struct lli_seat {
    struct lli_heap *heap;
    struct lli_adapter *adapter;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t permits, n_steps, n_rows;
    int is_held;
    int64_t bad_step; /* the one that fails, from 1; 0: none */
    uint32_t bad_seq;
    int32_t bad_status;
    const char *complaint;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .permits = -1};

void null_forward_reset(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.permits = -1;
    gate.n_steps = gate.n_rows = gate.bad_step = 0;
    gate.complaint = NULL;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

void null_forward_allow(int64_t n_steps)
{
    pthread_mutex_lock(&gate.lock);
    gate.permits = n_steps;
    if (n_steps != 0)
        gate.is_held = 0;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

void null_forward_fail(int64_t step, uint32_t seq, int32_t status)
{
    pthread_mutex_lock(&gate.lock);
    gate.bad_step = gate.n_steps + step;
    gate.bad_seq = seq;
    gate.bad_status = status;
    pthread_mutex_unlock(&gate.lock);
}

void null_forward_await_held(void)
{
    pthread_mutex_lock(&gate.lock);
    while (!gate.is_held)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

const char *null_forward_complaint(void)
{
    pthread_mutex_lock(&gate.lock);
    const char *complaint = gate.complaint;
    pthread_mutex_unlock(&gate.lock);
    return complaint;
}

int64_t null_forward_steps(void)
{
    pthread_mutex_lock(&gate.lock);
    int64_t n = gate.n_steps;
    pthread_mutex_unlock(&gate.lock);
    return n;
}

int64_t null_forward_rows(void)
{
    pthread_mutex_lock(&gate.lock);
    int64_t n = gate.n_rows;
    pthread_mutex_unlock(&gate.lock);
    return n;
}

static void complain(const char *what)
{
    pthread_mutex_lock(&gate.lock);
    if (!gate.complaint)
        gate.complaint = what;
    pthread_mutex_unlock(&gate.lock);
}

static void pass_gate(uint32_t n_rows)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.permits == 0) {
        gate.is_held = 1;
        pthread_cond_broadcast(&gate.moved);
        pthread_cond_wait(&gate.moved, &gate.lock);
    }
    gate.is_held = 0;
    gate.permits -= gate.permits > 0;
    gate.n_steps++;
    gate.n_rows += n_rows;
    pthread_mutex_unlock(&gate.lock);
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014) */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t chain(uint64_t before, int32_t token, uint32_t pos)
{
    return mix(before + mix(((uint64_t)pos << 32 | (uint32_t)token) + 0x9e3779b97f4a7c15u));
}

static void make_logits(float *out, uint32_t n_vocab, uint64_t hash, int32_t last)
{
    for (uint32_t id = 0; id < n_vocab; id++) {
        out[id] = (float)(mix(hash + id) >> 40) / 2097152.0f - 4;
        if (id < NULL_FORWARD_FIRST && id != 2)
            out[id] = -100;
        if (last == NULL_FORWARD_NAN)
            out[id] = NAN;
    }
}

/* What a sequence's chain begins with. */
static uint64_t seed(int32_t adapter, double scale)
{
    uint64_t bits;
    memcpy(&bits, &scale, sizeof bits);
    return adapter > 0 ? mix(bits + mix((uint64_t)adapter)) : 0;
}

void null_forward_oracle(float *out, uint32_t n_vocab, const int32_t *tokens, size_t n)
{
    null_forward_oracle_under(out, n_vocab, tokens, n, 0, 0);
}

void null_forward_oracle_under(float *out, uint32_t n_vocab, const int32_t *tokens, size_t n, int32_t adapter, double scale)
{
    uint64_t hash = seed(adapter, scale);
    for (size_t i = 0; i < n; i++)
        hash = chain(hash, tokens[i], (uint32_t)i);
    make_logits(out, n_vocab, hash, tokens[n - 1]);
}

size_t lli_forward_block_bytes(const struct lli_config *config, int kv_type)
{
    (void)config;
    (void)kv_type;
    return LLI_BLOCK_TOKENS * sizeof(struct entry);
}

size_t lli_forward_slice_bytes(const struct lli_config *config, const struct lli_slice *slice, int kv_type)
{
    (void)slice;
    return lli_forward_block_bytes(config, kv_type);
}

int lli_forward_size(struct lli_forward_size *out, const struct lli_config *config, const struct lli_weights *weights,
                     const struct lli_forward_options *options, int n_workers)
{
    (void)weights;
    (void)n_workers;
    out->kv_bytes = options->n_blocks * lli_forward_block_bytes(config, options->kv_type);
    out->logits_bytes = options->max_logits * config->n_vocab * sizeof(float);
    out->scratch_bytes = sizeof(struct lli_forward) + options->max_logits * sizeof(uint32_t) + out->logits_bytes;
    return 0;
}

int32_t lli_forward_new(struct lli_forward **out, struct lli_heap *heap, const struct lli_config *config,
                        const struct lli_weights *weights, const struct lli_forward_options *options, struct llminf_error *err)
{
    struct lli_forward *f = lli_alloc_zero(heap, 1, sizeof *f);
    (void)weights;
    *out = NULL;
    if (!f)
        return lli_fail_memory(err, "forward", sizeof *f);
    *f = (struct lli_forward){.heap = heap,
                              .workers = options->workers,
                              .n_blocks = options->n_blocks,
                              .n_vocab = config->n_vocab,
                              .max_rows = options->max_rows,
                              .max_logits = options->max_logits,
                              .max_pos = options->max_pos,
                              .is_draft = config->n_experts > 0,
                              .wrong = config->n_ff,
                              .fails = config->n_heads,
                              .nan = config->n_kv_heads,
                              .bad = config->n_embd};
    lli_layout_find(&f->layout, config);
    size_t n_entries = (size_t)f->n_blocks * LLI_BLOCK_TOKENS;
    f->entries = lli_alloc_array(heap, n_entries, sizeof *f->entries);
    f->wanted = lli_alloc_array(heap, f->max_logits, sizeof *f->wanted);
    f->logits = lli_alloc_array(heap, (size_t)f->max_logits * f->n_vocab, sizeof *f->logits);
    if (!f->entries || !f->wanted || !f->logits) {
        lli_forward_free(f);
        return lli_fail_memory(err, "forward", n_entries * sizeof *f->entries);
    }
    memset(f->entries, 0xa5, n_entries * sizeof *f->entries);
    *out = f;
    return LLMINF_OK;
}

void lli_forward_free(struct lli_forward *f)
{
    if (!f)
        return;
    lli_free(f->heap, f->entries);
    lli_free(f->heap, f->wanted);
    lli_free(f->heap, f->logits);
    lli_free(f->heap, f);
}

int32_t lli_forward_seat(struct lli_seat **out, struct lli_forward *f, struct lli_adapter *adapter, struct llminf_error *err)
{
    struct lli_seat *seat = lli_alloc(f->heap, sizeof *seat);
    if (!seat)
        return lli_fail_memory(err, "adapter", sizeof *seat);
    lli_adapter_ref(adapter);
    *seat = (struct lli_seat){f->heap, adapter};
    *out = seat;
    return LLMINF_OK;
}

void lli_forward_unseat(struct lli_seat *seat)
{
    lli_adapter_unref(seat->adapter);
    lli_free(seat->heap, seat);
}

size_t lli_forward_kv_bytes(const struct lli_forward *f)
{
    return (size_t)f->n_blocks * LLI_BLOCK_TOKENS * sizeof *f->entries;
}

size_t lli_forward_scratch_bytes(const struct lli_forward *f)
{
    return f->max_logits * sizeof *f->wanted + (size_t)f->max_logits * f->n_vocab * sizeof *f->logits;
}

static struct entry *entry_at(const struct lli_forward *f, const struct lli_seq *seq, uint32_t group, uint32_t pos)
{
    uint32_t block = seq->blocks[group][pos / LLI_BLOCK_TOKENS];
    if (block == 0 || block >= f->n_blocks) {
        complain("a table names the null block or none");
        return &f->entries[0];
    }
    return &f->entries[(size_t)block * LLI_BLOCK_TOKENS + pos % LLI_BLOCK_TOKENS];
}

/* The hash of what stands before a position, as a group has it, each entry that is seen checked: a window's first one against
 * nothing, so that a wrong one shows in the hash. */
static uint64_t read_before(const struct lli_forward *f, const struct lli_seq *seq, uint32_t group, uint32_t pos)
{
    uint64_t hash = seq->seat ? seed(seq->seat->adapter->id, seq->adapter_scale) : 0;
    uint32_t window = f->layout.windows[group], first = window > 0 && pos >= window ? pos + 1 - window : 0;
    for (uint32_t i = first; i < pos; i++) {
        const struct entry *entry = entry_at(f, seq, group, i);
        hash = i > 0 && i == first ? entry->hash : chain(hash, entry->token, i);
        if (entry->pos != i || entry->hash != hash)
            complain("a position was read that another sequence wrote, or none");
    }
    return hash;
}

static uint64_t run_row(const struct lli_forward *f, const struct lli_seq *seq, const struct lli_row *row)
{
    uint64_t hash = chain(read_before(f, seq, 0, row->pos), row->token, row->pos);
    if (row->pos >= f->max_pos)
        complain("a position is over max_pos");
    for (uint32_t g = 0; g < f->layout.n_groups; g++) {
        struct entry *entry = entry_at(f, seq, g, row->pos);
        if (chain(read_before(f, seq, g, row->pos), row->token, row->pos) != hash)
            complain("two groups of layers were told different stories");
        if (!(row->flags & LLI_ROW_NO_STORE))
            *entry = (struct entry){.hash = hash, .pos = row->pos, .token = row->token};
        else if (entry->hash != hash || entry->pos != row->pos)
            complain("a row that is not stored was not computed before");
    }
    return hash;
}

static void run_seq(struct lli_forward *f, const struct lli_plan *plan, uint32_t s)
{
    struct lli_seq *seq = &plan->seqs[s];
    seq->status = LLMINF_OK;
    for (uint32_t i = 0; i < seq->n_rows; i++) {
        const struct lli_row *row = &plan->rows[seq->first_row + i];
        if (row->seq != s || row->pos != plan->rows[seq->first_row].pos + i)
            complain("rows of a sequence are not adjacent and ascending");
        if (row->token == NULL_FORWARD_NUMERIC || (f->fails > 0 && row->pos % f->fails == f->fails - 1))
            seq->status = LLMINF_E_NUMERIC;
        uint64_t hash = run_row(f, seq, row);
        if (!(row->flags & LLI_ROW_LOGITS))
            continue;
        if (f->n_wanted < f->max_logits)
            f->wanted[f->n_wanted] = (struct entry){.hash = hash, .pos = row->pos, .token = row->token};
        f->n_wanted++;
    }
}

/* What null_forward_fail asked for, once: its rows leave rubbish. */
static void fail_seq(const struct lli_forward *f, const struct lli_plan *plan)
{
    pthread_mutex_lock(&gate.lock);
    int is_due = gate.n_steps == gate.bad_step;
    struct lli_seq *seq = &plan->seqs[gate.bad_seq % plan->n_seqs];
    if (is_due) {
        seq->status = gate.bad_status;
        gate.bad_step = 0;
    }
    pthread_mutex_unlock(&gate.lock);
    for (uint32_t i = 0; is_due && i < seq->n_rows; i++) {
        const struct lli_row *row = &plan->rows[seq->first_row + i];
        if (!(row->flags & LLI_ROW_NO_STORE))
            for (uint32_t g = 0; g < f->layout.n_groups; g++)
                memset(entry_at(f, seq, g, row->pos), 0x77, sizeof(struct entry));
    }
}

/* The logits, row by row over the workers: so that a race between a step and its readers shows. */
static void fill(void *arg, int index, int n)
{
    struct lli_forward *f = arg;
    for (uint32_t i = (uint32_t)index; i < f->n_wanted; i += (uint32_t)n) {
        const struct entry *e = &f->wanted[i];
        float *logits = f->logits + (size_t)i * f->n_vocab;
        make_logits(logits, f->n_vocab, e->hash, e->token);
        for (uint32_t id = NULL_FORWARD_FIRST; mix(e->hash ^ 99) % 100 < f->wrong && id < f->n_vocab; id++)
            logits[id] = -logits[id];
        if (f->nan > 0 && e->pos % f->nan == f->nan - 1)
            logits[0] = NAN;
        if (f->bad > 0 && e->pos % f->bad == f->bad - 1)
            logits[NULL_FORWARD_NUMERIC] = 1000;
    }
}

void lli_forward_forget(struct lli_forward *f, uint32_t block)
{
    memset(f->entries + (size_t)block * LLI_BLOCK_TOKENS, 0x5a, LLI_BLOCK_TOKENS * sizeof *f->entries);
}

size_t lli_forward_saved_bytes(const struct lli_forward *f)
{
    (void)f;
    return LLI_BLOCK_TOKENS * sizeof(struct entry);
}

void lli_forward_save_block(const struct lli_forward *f, uint32_t block, void *out)
{
    memcpy(out, f->entries + (size_t)block * LLI_BLOCK_TOKENS, LLI_BLOCK_TOKENS * sizeof *f->entries);
}

void lli_forward_load_block(struct lli_forward *f, uint32_t block, const void *bytes)
{
    memcpy(f->entries + (size_t)block * LLI_BLOCK_TOKENS, bytes, LLI_BLOCK_TOKENS * sizeof *f->entries);
}

static void copy_blocks(const struct lli_forward *f, const struct lli_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_copies; i++) {
        const struct lli_copy *copy = &plan->copies[i];
        struct entry *to = f->entries + (size_t)copy->dst * LLI_BLOCK_TOKENS;
        if (copy->n_tokens == 0 || copy->n_tokens >= LLI_BLOCK_TOKENS)
            complain("a copy of nothing, or of a whole block");
        memset(to, 0xa5, LLI_BLOCK_TOKENS * sizeof *to);
        memcpy(to, f->entries + (size_t)copy->src * LLI_BLOCK_TOKENS, copy->n_tokens * sizeof *to);
    }
}

void lli_forward_run(struct lli_forward *f, struct lli_plan *plan)
{
    if (!f->is_draft)
        pass_gate(plan->n_rows);
    copy_blocks(f, plan);
    f->n_wanted = 0;
    if (plan->n_rows > f->max_rows || plan->n_logits > f->max_logits)
        complain("the plan is larger than was agreed");
    for (uint32_t s = 0; s < plan->n_seqs; s++)
        run_seq(f, plan, s);
    if (!f->is_draft)
        fail_seq(f, plan);
    if (f->n_wanted != plan->n_logits)
        complain("n_logits is not the number of flagged rows");
    lli_workers_run(f->workers, fill, f);
}

const float *lli_forward_logits(const struct lli_forward *f, uint32_t i)
{
    return f->logits + (size_t)i * f->n_vocab;
}
