/* api/breaks.h - the option "dry_breaker": texts as the tokens that end a sequence, alone or as a run. */
#ifndef LLI_API_BREAKS_H
#define LLI_API_BREAKS_H

#include <stddef.h>

#include "llminf/llminf.h"

#include "api/bans.h"
#include "sample/chain.h"

struct lli_break_set {
    struct lli_heap *heap; /* NULL: an empty set */
    struct lli_bans runs;
    uint8_t *in_token;
    struct lli_breaks breaks; /* into the two above */
};

/* A token ends a sequence if a text occurs in it, or if it is the last of a text's own tokens. MEMORY, INVALID for bytes that
 * are no UTF-8. */
llminf_status lli_break_set_init(struct lli_break_set *set, struct lli_heap *heap, const struct lli_vocab *vocab,
                                 const struct lli_text *items, size_t n_items, llminf_error *error);
void lli_break_set_finish(struct lli_break_set *set); /* accepts a zeroed struct */

const struct lli_breaks *lli_break_set_of(const struct lli_break_set *set); /* NULL: empty */

#endif
