/* api/bans.h - the option "ban": texts as the runs of tokens that the chain forbids. */
#ifndef LLI_API_BANS_H
#define LLI_API_BANS_H

#include <stddef.h>

#include "llminf/llminf.h"

#include "base/buffer.h"
#include "file/gguf.h"
#include "sample/ban.h"
#include "text/vocab.h"

struct lli_bans {
    struct lli_heap *heap;
    struct lli_buffer ids; /* of all, one behind the other */
    struct lli_ban *at;    /* [n] into them */
    size_t n;
};

/* MEMORY, INVALID for bytes that are no UTF-8. */
llminf_status lli_bans_init(struct lli_bans *bans, struct lli_heap *heap, const struct lli_vocab *vocab,
                            const struct lli_text *items, size_t n_items, llminf_error *error);
void lli_bans_finish(struct lli_bans *bans); /* accepts a zeroed struct */

#endif
