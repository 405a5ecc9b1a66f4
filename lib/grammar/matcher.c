/* grammar/matcher.c - a mask is put together from what is known of each thread's operation, and from walks with its callers
 * over the few tokens that go on behind its rule. */
#include "grammar/matcher.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

enum { COMMITTED, WORKING, FEW_THREADS = 12 };

int32_t lli_matcher_init(struct lli_matcher *m, struct lli_heap *heap, struct lli_grammar *grammar, struct llminf_error *err)
{
    size_t n_walk = (size_t)grammar->trie->max_depth + 1;
    *m = (struct lli_matcher){.heap = heap};
    m->walk = lli_alloc_array(heap, n_walk, sizeof *m->walk);
    m->exits = lli_alloc_array(heap, LLI_MASK_EXITS, sizeof *m->exits);
    m->masks = lli_alloc_array(heap, LLI_MATCHER_MASKS, grammar->n_words * sizeof *m->masks);
    if (!m->walk || !m->exits || !m->masks || lli_automaton_init(&m->automaton, heap, &grammar->program) != LLMINF_OK) {
        lli_matcher_finish(m);
        return lli_fail_memory(err, "grammar", n_walk + LLI_MATCHER_MASKS * grammar->n_words * sizeof *m->masks);
    }
    m->grammar = grammar;
    lli_grammar_ref(grammar);
    lli_matcher_restart(m);
    return LLMINF_OK;
}

void lli_matcher_finish(struct lli_matcher *m)
{
    if (m->heap) {
        lli_automaton_finish(&m->automaton);
        lli_free(m->heap, m->walk);
        lli_free(m->heap, m->exits);
        lli_free(m->heap, m->masks);
    }
    lli_grammar_unref(m->grammar);
    *m = (struct lli_matcher){0};
}

static void forget_masks(struct lli_matcher *m)
{
    for (uint32_t i = 0; i < LLI_MATCHER_MASKS; i++)
        m->mask_of[i] = LLI_SET_FULL;
}

static void make_room(struct lli_matcher *m)
{
    lli_automaton_clear(&m->automaton, m->states);
    forget_masks(m);
}

/* lli_grammar_new looked that there is room for the first set. */
void lli_matcher_restart(struct lli_matcher *m)
{
    m->states[COMMITTED] = m->states[WORKING] = LLI_SET_DEAD;
    make_room(m);
    uint32_t start = lli_automaton_start(&m->automaton, m->grammar->program.entry, LLI_FRAME_NONE);
    m->states[COMMITTED] = m->states[WORKING] = (uint16_t)start;
}

void lli_matcher_begin(struct lli_matcher *m)
{
    m->states[WORKING] = m->states[COMMITTED];
}

void lli_matcher_commit(struct lli_matcher *m)
{
    m->states[COMMITTED] = m->states[WORKING];
}

int lli_matcher_may_end(const struct lli_matcher *m)
{
    return (int)m->automaton.sets[m->states[WORKING]].ends;
}

int lli_matcher_is_over(const struct lli_matcher *m)
{
    return lli_matcher_may_end(m) && m->automaton.sets[m->states[WORKING]].n == 0;
}

static int32_t fail_limit(const struct lli_matcher *m, struct llminf_error *err)
{
    if (m->automaton.work > LLI_MAX_GRAMMAR_WORK)
        return lli_fail(err, LLMINF_E_LIMIT, "grammar", "more than %u states would have to be looked at for a token",
                        LLI_MAX_GRAMMAR_WORK);
    return lli_fail(err, LLMINF_E_LIMIT, "grammar", "has more than %u states that are alive at once", m->automaton.max_live);
}

int32_t lli_matcher_accept(struct lli_matcher *m, int32_t token, struct llminf_error *err)
{
    const struct lli_vocab *vocab = m->grammar->trie->vocab;
    const struct lli_text *text = &vocab->texts[token];
    if (vocab->is_eog[token])
        return LLMINF_OK;
    m->automaton.work = 0;
    for (int tries = 0; tries < 2; tries++) {
        uint32_t set = m->states[WORKING];
        for (size_t i = 0; set != LLI_SET_FULL && i < text->len; i++)
            set = lli_automaton_step(&m->automaton, set, (uint8_t)text->bytes[i]);
        if (set != LLI_SET_FULL) {
            m->states[WORKING] = (uint16_t)set;
            return LLMINF_OK;
        }
        make_room(m);
    }
    return fail_limit(m, err);
}

/* What stands behind the rule of a thread, over the tokens that leave it. */
static uint32_t look_behind(struct lli_matcher *m, uint32_t frame, uint32_t n_exits, uint32_t *mask)
{
    struct lli_automaton *a = &m->automaton;
    uint32_t set = n_exits > 0 ? lli_automaton_start(a, a->frames[frame].ret, a->frames[frame].below) : LLI_SET_DEAD;
    for (uint32_t i = 0; set != LLI_SET_FULL && i < n_exits; i++)
        if (lli_grammar_walk(m->grammar->trie, a, m->exits[i], set, m->walk, mask, NULL, NULL) == LLI_SET_FULL)
            return LLI_SET_FULL;
    return set;
}

/* 0; 1: there is a thread whose operation has no mask; LLI_SET_FULL. */
static uint32_t add_threads(struct lli_matcher *m, const struct lli_set *set, uint32_t *mask)
{
    uint32_t n_exits = 0, op = UINT32_MAX;
    for (uint32_t i = 0; i < set->n; i++) {
        struct lli_thread t = m->automaton.threads[set->first + i];
        if (t.op != op && lli_grammar_look(m->grammar, t.op, mask, m->exits, &n_exits))
            return 1;
        op = t.op;
        if (t.frame != LLI_FRAME_NONE && look_behind(m, t.frame, n_exits, mask) == LLI_SET_FULL)
            return LLI_SET_FULL;
    }
    return 0;
}

/* 0 or LLI_SET_FULL. */
static uint32_t fill(struct lli_matcher *m, uint32_t *mask)
{
    const struct lli_trie *trie = m->grammar->trie;
    const struct lli_set *set = &m->automaton.sets[m->states[WORKING]];
    uint32_t result = 1;
    memset(mask, 0, m->grammar->n_words * sizeof *mask);
    if (set->n <= FEW_THREADS)
        result = add_threads(m, set, mask);
    if (result == 1)
        result = lli_grammar_walk(trie, &m->automaton, 0, m->states[WORKING], m->walk, mask, NULL, NULL);
    for (uint32_t i = 0; set->ends && i < trie->n_eog; i++)
        mask[(uint32_t)trie->eog[i] / 32] |= 1u << (uint32_t)trie->eog[i] % 32;
    return result;
}

static int is_empty(const uint32_t *mask, uint32_t n_words)
{
    uint32_t any = 0;
    for (uint32_t i = 0; i < n_words; i++)
        any |= mask[i];
    return any == 0;
}

int32_t lli_matcher_mask(const uint32_t **mask_out, struct lli_matcher *m, struct llminf_error *err)
{
    uint32_t n_words = m->grammar->n_words, slot = 0;
    while (slot < LLI_MATCHER_MASKS && m->mask_of[slot] != m->states[WORKING])
        slot++;
    if (slot == LLI_MATCHER_MASKS) {
        slot = m->next_mask;
        m->next_mask = (m->next_mask + 1) % LLI_MATCHER_MASKS;
        m->mask_of[slot] = LLI_SET_FULL;
        m->automaton.work = 0;
        if (fill(m, m->masks + (size_t)slot * n_words) == LLI_SET_FULL) {
            make_room(m);
            if (fill(m, m->masks + (size_t)slot * n_words) == LLI_SET_FULL)
                return fail_limit(m, err);
        }
        m->mask_of[slot] = m->states[WORKING];
    }
    *mask_out = m->masks + (size_t)slot * n_words;
    if (is_empty(*mask_out, n_words))
        return lli_fail(err, LLMINF_E_GRAMMAR, "grammar", "no token of the vocabulary can go on with the text");
    return LLMINF_OK;
}
