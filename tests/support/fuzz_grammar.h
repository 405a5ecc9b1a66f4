/* support/fuzz_grammar.h - a grammar from bytes, a few tokens of it: whatever it is, it ends with a status. */
#ifndef LLMINF_TESTS_FUZZ_GRAMMAR_H
#define LLMINF_TESTS_FUZZ_GRAMMAR_H

#include <stdint.h>
#include <stdlib.h>

#include "grammar/matcher.h"
#include "support/grammars.h"
#include "support/vocab_make.h"

/* Tokens that the mask has are accepted, and the last of them is taken. */
static inline void fuzz_walk(struct lli_matcher *m, uint32_t n_vocab)
{
    const uint32_t *mask;
    for (int i = 0; i < 12 && lli_matcher_mask(&mask, m, NULL) == 0; i++) {
        uint32_t id = n_vocab * (uint32_t)(i + 1) / 13;
        uint32_t tried = 0;
        while (tried < n_vocab && !(mask[id / 32] >> id % 32 & 1)) {
            id = (id + 1) % n_vocab;
            tried++;
        }
        if (tried == n_vocab)
            abort();
        if (lli_matcher_accept(m, (int32_t)id, NULL) != 0)
            return;
        if (m->states[1] == LLI_SET_DEAD)
            abort();
        lli_matcher_commit(m);
    }
}

static inline int fuzz_grammar(const char *kind, const uint8_t *data, size_t size)
{
    static struct test_text text;
    static struct lli_trie trie;
    struct llminf_error error;
    struct lli_grammar *g;
    struct lli_matcher m;
    if (size > 8192)
        return 0;
    if (!text.file) {
        struct test_vocab v;
        test_vocab_spm(&v);
        if (test_text_open(&text, &v) || lli_trie_init(&trie, &text.heap, &text.vocab, NULL))
            abort();
    }
    int64_t before = text.heap.live_bytes;
    int32_t status = grammar_compile(&g, &text.heap, &trie, kind, (const char *)data, size, &error);
    if (status == 0 && lli_matcher_init(&m, &text.heap, g, &error) == 0) {
        fuzz_walk(&m, text.vocab.n);
        lli_matcher_finish(&m);
    } else if (status != 0 && (error.status != status || error.text[0] == 0)) {
        abort();
    }
    lli_grammar_unref(g);
    if (text.heap.live_bytes != before)
        abort();
    return 0;
}

#endif
