/* text/merge.c - a linked list of symbols, and a heap of candidates.
 *
 * A candidate is one number, rank and position, so that the least is the best pair and the leftmost among equals. A
 * candidate whose left symbol has another rank by now is stale and dropped when it comes up. Each join makes two new
 * candidates at most: n symbols make fewer than 3n of them. The heap has four branches: half the levels of two, and
 * the four lie beside each other in memory. */
#include "text/merge.h"

#define BRANCHES 4u

void lli_merge_init(struct lli_merge *m, struct lli_heap *heap)
{
    lli_buffer_init(&m->symbols, heap);
    lli_buffer_init(&m->candidates, heap);
}

void lli_merge_finish(struct lli_merge *m)
{
    lli_buffer_finish(&m->symbols);
    lli_buffer_finish(&m->candidates);
}

void lli_merge_start(struct lli_merge *m)
{
    m->symbols.len = 0;
    m->candidates.len = 0;
}

static struct lli_symbol *symbols_of(struct lli_merge *m)
{
    return (struct lli_symbol *)(void *)m->symbols.bytes;
}

static uint64_t *candidates_of(struct lli_merge *m)
{
    return (uint64_t *)(void *)m->candidates.bytes;
}

static size_t n_candidates(const struct lli_merge *m)
{
    return m->candidates.len / sizeof(uint64_t);
}

int lli_merge_append(struct lli_merge *m, size_t at, int32_t id)
{
    uint32_t index = (uint32_t)(m->symbols.len / sizeof(struct lli_symbol));
    struct lli_symbol symbol = {(uint32_t)at, index ? index - 1 : LLI_NO_SYMBOL, LLI_NO_SYMBOL, id, LLI_NO_RANK, LLI_NO_TOKEN};
    if (lli_buffer_append(&m->symbols, &symbol, sizeof symbol))
        return -1;
    if (index)
        symbols_of(m)[index - 1].next = index;
    return 0;
}

/* Moves the candidate at i down to its place. */
static void sink(uint64_t *heap, size_t n, size_t i)
{
    uint64_t moved = heap[i];
    for (;;) {
        size_t first = i * BRANCHES + 1, least = first;
        if (first >= n)
            break;
        for (size_t k = first + 1; k < n && k < first + BRANCHES; k++)
            least = heap[k] < heap[least] ? k : least;
        if (heap[least] >= moved)
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = moved;
}

static void rise(uint64_t *heap, size_t i)
{
    uint64_t moved = heap[i];
    while (i > 0 && heap[(i - 1) / BRANCHES] > moved) {
        heap[i] = heap[(i - 1) / BRANCHES];
        i = (i - 1) / BRANCHES;
    }
    heap[i] = moved;
}

static uint64_t take_best(struct lli_merge *m)
{
    uint64_t *heap = candidates_of(m), best = heap[0];
    m->candidates.len -= sizeof *heap;
    size_t n = n_candidates(m);
    heap[0] = heap[n];
    if (n > 1)
        sink(heap, n, 0);
    return best;
}

/* What is being joined. */
struct job {
    struct lli_merge *m;
    const struct lli_vocab *v;
    lli_rate_fn *rate;
    struct lli_text text;
};

/* Rates the pair that begins at symbol `left` and puts it behind the heap; the caller restores the order. */
static int rate_pair(const struct job *job, uint32_t left)
{
    struct lli_symbol *symbols = symbols_of(job->m), *a = &symbols[left];
    a->rank = LLI_NO_RANK;
    if (a->next == LLI_NO_SYMBOL)
        return 0;
    const struct lli_symbol *b = &symbols[a->next];
    size_t end = b->next == LLI_NO_SYMBOL ? job->text.len : symbols[b->next].at;
    a->rank = job->rate(&a->joined, job->v, (struct lli_text){job->text.bytes + a->at, end - a->at}, a->id, b->id);
    uint64_t candidate = (uint64_t)a->rank << 32 | left;
    return a->rank == LLI_NO_RANK ? 0 : lli_buffer_append(&job->m->candidates, &candidate, sizeof candidate);
}

static int push_pair(const struct job *job, uint32_t left)
{
    size_t before = n_candidates(job->m);
    if (left == LLI_NO_SYMBOL)
        return 0;
    if (rate_pair(job, left))
        return -1;
    if (n_candidates(job->m) > before)
        rise(candidates_of(job->m), before);
    return 0;
}

/* The symbol takes the next one in. */
static int join(const struct job *job, uint32_t left)
{
    struct lli_symbol *symbols = symbols_of(job->m), *a = &symbols[left], *b = &symbols[a->next];
    a->id = a->joined;
    a->next = b->next;
    b->rank = LLI_NO_RANK;
    if (a->next != LLI_NO_SYMBOL)
        symbols[a->next].prev = left;
    return push_pair(job, a->prev) || push_pair(job, left) ? -1 : 0;
}

int lli_merge_run(struct lli_merge *m, const struct lli_vocab *v, lli_rate_fn *rate, const char *text, size_t n)
{
    struct job job = {m, v, rate, {text, n}};
    size_t n_symbols = m->symbols.len / sizeof(struct lli_symbol);
    for (uint32_t i = 0; i < n_symbols; i++) {
        if (rate_pair(&job, i))
            return -1;
    }
    for (size_t i = n_candidates(m); i > 0; i--)
        sink(candidates_of(m), n_candidates(m), i - 1);
    while (n_candidates(m) > 0) {
        uint64_t best = take_best(m);
        uint32_t left = (uint32_t)best;
        if (symbols_of(m)[left].rank == best >> 32 && join(&job, left))
            return -1;
    }
    return 0;
}
