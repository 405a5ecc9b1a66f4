/* grammar/grammar.c - masks lie in slots, which are used anew in turn when there are fewer than operations. */
#include "grammar/grammar.h"

#include <string.h>

#include "base/error.h"

enum { MIN_SLOTS = 16, MAX_SLOTS = 1024, CACHE_BYTES = 8 << 20, TOO_MANY = -1 };

static int32_t init_cache(struct lli_grammar *g)
{
    size_t each = (g->n_words + LLI_MASK_EXITS) * sizeof *g->masks;
    size_t n = CACHE_BYTES / each;
    g->n_slots = n < MIN_SLOTS ? MIN_SLOTS : n > MAX_SLOTS ? MAX_SLOTS : (uint32_t)n;
    g->walk = lli_alloc_array(g->heap, (size_t)g->trie->max_depth + 1, sizeof *g->walk);
    g->slot_of = lli_alloc_zero(g->heap, g->program.n, sizeof *g->slot_of);
    g->op_of = lli_alloc_array(g->heap, g->n_slots, sizeof *g->op_of);
    g->masks = lli_alloc_array(g->heap, g->n_slots, g->n_words * sizeof *g->masks);
    g->exits = lli_alloc_array(g->heap, g->n_slots, LLI_MASK_EXITS * sizeof *g->exits);
    g->n_exits = lli_alloc_array(g->heap, g->n_slots, sizeof *g->n_exits);
    if (!g->walk || !g->slot_of || !g->op_of || !g->masks || !g->exits || !g->n_exits)
        return LLMINF_E_MEMORY;
    return lli_automaton_init(&g->loose, g->heap, &g->program);
}

static void finish(struct lli_grammar *g)
{
    struct lli_heap *heap = g->heap;
    void *const all[] = {g->walk, g->slot_of, g->op_of, g->masks, g->exits, g->n_exits};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        lli_free(heap, all[i]);
    if (g->has_lock)
        pthread_mutex_destroy(&g->lock);
    lli_automaton_finish(&g->loose);
    lli_program_finish(&g->program);
    lli_free(heap, g);
}

/* A grammar of nothing but the empty text constrains nobody to anything. */
static int32_t check_start(struct lli_grammar *g, struct llminf_error *err)
{
    uint32_t start = lli_automaton_start(&g->loose, g->program.entry, LLI_FRAME_NONE);
    if (start == LLI_SET_FULL)
        return lli_fail(err, LLMINF_E_LIMIT, "grammar", "has more than %u beginnings", g->loose.max_live);
    if (g->loose.sets[start].n == 0)
        return lli_fail(err, LLMINF_E_GRAMMAR, "grammar", "only the empty text is of it");
    return LLMINF_OK;
}

int32_t lli_grammar_new(struct lli_grammar **out, struct lli_parts *parts, uint32_t root, const struct lli_trie *trie)
{
    struct llminf_error *err = parts->err;
    struct lli_grammar *g = lli_alloc_zero(parts->heap, 1, sizeof *g);
    *out = NULL;
    if (!g)
        return lli_fail_memory(err, "grammar", sizeof *g);
    g->heap = parts->heap;
    g->trie = trie;
    g->n_words = (trie->vocab->n + 31) / 32;
    atomic_store(&g->refs, 1);
    int32_t status = lli_program_init(&g->program, parts, root);
    if (status == LLMINF_OK) {
        int failed = pthread_mutex_init(&g->lock, NULL);
        g->has_lock = !failed;
        status = failed ? lli_fail_os(err, failed, "grammar", "lock") : LLMINF_OK;
    }
    if (status == LLMINF_OK && init_cache(g) != LLMINF_OK)
        status = lli_fail_memory(err, "grammar", CACHE_BYTES);
    if (status == LLMINF_OK)
        status = check_start(g, err);
    if (status != LLMINF_OK)
        finish(g);
    else
        *out = g;
    return status;
}

void lli_grammar_ref(struct lli_grammar *g)
{
    atomic_fetch_add(&g->refs, 1);
}

void lli_grammar_unref(struct lli_grammar *g)
{
    if (g && atomic_fetch_sub(&g->refs, 1) == 1)
        finish(g);
}

uint32_t lli_grammar_walk(const struct lli_trie *trie, struct lli_automaton *a, uint32_t from, uint32_t set, uint16_t *walk,
                          uint32_t *mask, uint32_t *exits, uint32_t *n_exits)
{
    const struct lli_trie_node *nodes = trie->nodes;
    uint32_t end = nodes[from].end;
    walk[nodes[from].depth_byte >> 8] = (uint16_t)set;
    for (uint32_t i = from + 1; i < end;) {
        uint32_t depth = nodes[i].depth_byte >> 8;
        uint32_t next = lli_automaton_step(a, walk[depth - 1], (uint8_t)nodes[i].depth_byte);
        if (next == LLI_SET_FULL)
            return next;
        if (next == LLI_SET_DEAD) {
            i = nodes[i].end;
            continue;
        }
        walk[depth] = (uint16_t)next;
        for (uint32_t k = nodes[i].first; k < nodes[i + 1].first; k++)
            mask[(uint32_t)trie->tokens[k] / 32] |= 1u << (uint32_t)trie->tokens[k] % 32;
        if (exits && a->sets[next].ends && nodes[i].end > i + 1) {
            if (*n_exits == LLI_MASK_EXITS)
                return LLI_SET_FULL;
            exits[(*n_exits)++] = i;
        }
        i++;
    }
    return LLI_SET_DEAD;
}

static uint32_t fill_slot(struct lli_grammar *g, uint32_t slot, uint32_t op)
{
    uint32_t *mask = g->masks + (size_t)slot * g->n_words;
    memset(mask, 0, g->n_words * sizeof *mask);
    g->n_exits[slot] = 0;
    uint32_t set = lli_automaton_start(&g->loose, op, LLI_FRAME_NONE);
    return set == LLI_SET_FULL ? set
                               : lli_grammar_walk(g->trie, &g->loose, 0, set, g->walk, mask,
                                                  g->exits + (size_t)slot * LLI_MASK_EXITS, &g->n_exits[slot]);
}

static uint32_t make_slot(struct lli_grammar *g, uint32_t op)
{
    uint16_t none[2] = {LLI_SET_DEAD, LLI_SET_DEAD};
    uint32_t slot = g->next;
    g->loose.work = 0;
    g->next = (g->next + 1) % g->n_slots;
    if (g->n_used == g->n_slots)
        g->slot_of[g->op_of[slot]] = 0;
    else
        g->n_used++;
    if (fill_slot(g, slot, op) == LLI_SET_FULL && g->n_exits[slot] < LLI_MASK_EXITS) {
        lli_automaton_clear(&g->loose, none);
        if (fill_slot(g, slot, op) == LLI_SET_FULL)
            g->n_exits[slot] = UINT32_MAX;
    } else if (g->n_exits[slot] == LLI_MASK_EXITS) {
        g->n_exits[slot] = UINT32_MAX;
    }
    g->op_of[slot] = op;
    g->slot_of[op] = (uint16_t)(slot + 1);
    return slot;
}

int lli_grammar_look(struct lli_grammar *g, uint32_t op, uint32_t *mask, uint32_t *exits, uint32_t *n_exits_out)
{
    pthread_mutex_lock(&g->lock);
    uint32_t slot = g->slot_of[op] != 0 ? g->slot_of[op] - 1u : make_slot(g, op);
    uint32_t n = g->n_exits[slot];
    if (n != UINT32_MAX) {
        const uint32_t *from = g->masks + (size_t)slot * g->n_words;
        for (uint32_t i = 0; i < g->n_words; i++)
            mask[i] |= from[i];
        memcpy(exits, g->exits + (size_t)slot * LLI_MASK_EXITS, n * sizeof *exits);
        *n_exits_out = n;
    }
    pthread_mutex_unlock(&g->lock);
    return n == UINT32_MAX ? -1 : 0;
}
