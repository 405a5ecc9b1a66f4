/* text/merge.h - joins neighbouring symbols of a text, the best pair first, the leftmost among equals, until no pair is
 * left that the vocabulary joins. O(n log n) for any text; what makes a pair good is the caller's function. */
#ifndef LLI_TEXT_MERGE_H
#define LLI_TEXT_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "text/vocab.h"

#define LLI_NO_RANK UINT32_MAX
#define LLI_NO_SYMBOL UINT32_MAX

/* A part of the text. The symbols that are left at the end are linked by next, from symbol 0 to LLI_NO_SYMBOL. */
struct lli_symbol {
    uint32_t at; /* first byte; it ends where the next begins */
    uint32_t prev, next;
    int32_t id;     /* as the caller gave it, or of the joined token */
    uint32_t rank;  /* of the pair with the next symbol; LLI_NO_RANK: they do not join, or this one is joined already */
    int32_t joined; /* id of the pair */
};

/* One text at a time; used again and again. */
struct lli_merge {
    struct lli_buffer symbols;    /* struct lli_symbol */
    struct lli_buffer candidates; /* uint64_t: rank << 32 | index of the left symbol */
};

/* The rank of the pair of the symbols `left` and `right`, whose bytes are `both`, and the id of what they become; less is
 * better. LLI_NO_RANK: they stay apart. */
typedef uint32_t lli_rate_fn(int32_t *joined_out, const struct lli_vocab *v, struct lli_text both, int32_t left, int32_t right);

void lli_merge_init(struct lli_merge *m, struct lli_heap *heap);
void lli_merge_finish(struct lli_merge *m);

/* A new text: its symbols are appended in order, the first at byte 0. 0, or -1 without memory. */
void lli_merge_start(struct lli_merge *m);
int lli_merge_append(struct lli_merge *m, size_t at, int32_t id);
int lli_merge_run(struct lli_merge *m, const struct lli_vocab *v, lli_rate_fn *rate, const char *text, size_t n);

static inline const struct lli_symbol *lli_merge_symbols(const struct lli_merge *m)
{
    return (const struct lli_symbol *)(const void *)m->symbols.bytes;
}

#endif
