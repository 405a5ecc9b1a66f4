/* text/pre.h - the pre-tokenizers that are known: by their names in tokenizer.ggml.pre, and by the regexes that a
 * tokenizer.json spells out. Both lead to patterns of this library, never to a pattern from a file. */
#ifndef LLI_TEXT_PRE_H
#define LLI_TEXT_PRE_H

#include "text/split.h"

enum {
    LLI_PRE_BOS = 1,       /* BOS is added if the file does not say */
    LLI_PRE_WHOLE = 2,     /* a piece that is a token is taken before any merge */
    LLI_PRE_CHARACTERS = 4 /* tokens are spelled in characters, with U+2581 for a space and <0xXX> for a byte */
};

struct lli_pre {
    const char *names; /* with a blank between */
    int flags;
    const char *patterns[LLI_MAX_RULES]; /* up to a NULL; what matches is cut apart */
};

/* NULL if the name is unknown. */
const struct lli_pre *lli_pre_find(struct lli_text name);

/* What is supported, to be shown: one name for each way to cut, as many as fit into cap bytes (8 at least). */
void lli_pre_names(char *out, size_t cap);

int32_t lli_pre_compile(struct lli_split **out, struct lli_heap *heap, const struct lli_pre *pre, struct llminf_error *err);

/* The pattern that means what a regex of a tokenizer.json means; NULL if it is unknown. */
const char *lli_pre_pattern(struct lli_text regex);

/* What stands for a regex that matches between characters only: a piece for each two places. */
extern const char lli_pre_thousands[];

/* The cut of GPT-2, which ByteLevel makes unless it is told not to. */
extern const char lli_pre_gpt2[];

#endif
