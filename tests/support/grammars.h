/* support/grammars.h - grammars compiled over a vocabulary, and files of cases. Nothing here asserts. */
#ifndef LLMINF_TESTS_GRAMMARS_H
#define LLMINF_TESTS_GRAMMARS_H

#include <stddef.h>
#include <stdint.h>

#include "grammar/grammar.h"

/* kind: as for llminf_sampler_set_grammar. */
int32_t grammar_compile(struct lli_grammar **out, struct lli_heap *heap, const struct lli_trie *trie, const char *kind,
                        const char *text, size_t n, struct llminf_error *err);

enum grammar_verdict { GRAMMAR_REJECTS, GRAMMAR_BEGINS, GRAMMAR_ACCEPTS };

/* What a compiled grammar says to a text, byte by byte. */
enum grammar_verdict grammar_judge(struct lli_automaton *a, const char *text, size_t n);

struct grammar_case {
    const char *name, *text; /* not NUL-terminated */
    size_t name_len, len;
    const char *lines; /* the first line behind the grammar, to `end` */
    const char *end;
};

/* A file of the sources, NUL-terminated, to be freed; NULL if it cannot be read. */
char *grammar_read_file(const char *name);

/* The next case of a file, from *at on; 0: there is none. */
int grammar_next_case(struct grammar_case *out, const char **at);

/* A line without its first byte, its escapes resolved, into out[cap]; its length. */
size_t grammar_line(char *out, size_t cap, const char *line);

#endif
