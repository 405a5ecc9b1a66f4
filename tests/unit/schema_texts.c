/* Texts that the grammars of the schemas in a file let through: for each schema its own line, then texts in hexadecimal,
 * then a dot. tests/schemas.py holds them against another implementation of JSON Schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/automaton.h"
#include "support/grammars.h"
#include "support/support.h"
#include "support/vocab_make.h"

enum { TEXTS = 40, LONGEST = 800, CALM = 40 };

static uint64_t seed = 3;

/* A byte that can follow; behind some of them rather one that closes something. */
static int choose(struct lli_automaton *a, uint32_t set, size_t n)
{
    a->work = 0;
    int bytes[256], n_bytes = 0, closing[256], n_closing = 0;
    for (int byte = 0; byte < 256; byte++) {
        uint32_t next = lli_automaton_step(a, set, (uint8_t)byte);
        if (next == LLI_SET_FULL)
            return -1;
        if (next == LLI_SET_DEAD)
            continue;
        bytes[n_bytes++] = byte;
        if (strchr("\"}]0e", byte) && byte)
            closing[n_closing++] = byte;
    }
    if (n_closing > 0 && n > CALM && support_random(&seed) % 4)
        return closing[support_random(&seed) % (unsigned)n_closing];
    return n_bytes > 0 ? bytes[support_random(&seed) % (unsigned)n_bytes] : -1;
}

static size_t make_text(struct lli_automaton *a, char *out)
{
    uint16_t none[2] = {LLI_SET_DEAD, LLI_SET_DEAD};
    size_t n = 0;
    lli_automaton_clear(a, none);
    uint32_t set = lli_automaton_start(a, a->program->entry, LLI_FRAME_NONE);
    while (n < LONGEST) {
        if (a->sets[set].ends && (support_random(&seed) % 3 == 0 || a->sets[set].n == 0))
            return n;
        int byte = choose(a, set, n);
        if (byte < 0)
            return 0;
        out[n++] = (char)byte;
        set = lli_automaton_step(a, set, (uint8_t)byte);
    }
    return 0; /* too long to be told */
}

int main(int argc, char **argv)
{
    struct test_vocab v;
    struct test_text vocab;
    struct lli_trie trie;
    struct grammar_case c;
    char *file = argc == 2 ? grammar_read_file(argv[1]) : NULL, text[LONGEST];
    const char *at = file;
    test_vocab_spm(&v);
    if (!file || test_text_open(&vocab, &v) || lli_trie_init(&trie, &vocab.heap, &vocab.vocab, NULL))
        return 1;
    while (grammar_next_case(&c, &at)) {
        struct lli_grammar *g;
        if (*c.lines == '!' || grammar_compile(&g, &vocab.heap, &trie, "json_schema", c.text, c.len, NULL) != 0)
            continue;
        printf("%.*s", (int)c.len, c.text);
        for (int i = 0; i < TEXTS; i++) {
            size_t n = make_text(&g->loose, text);
            for (size_t k = 0; k < n; k++)
                printf("%02x", (unsigned char)text[k]);
            printf(n > 0 ? "\n" : "");
        }
        printf(".\n");
        lli_grammar_unref(g);
    }
    lli_trie_finish(&trie);
    free(file);
    return test_text_close(&vocab) != 0;
}
