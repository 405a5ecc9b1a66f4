/* sample/ban.h - runs of tokens that may not come. */
#ifndef LLI_SAMPLE_BAN_H
#define LLI_SAMPLE_BAN_H

#include <stddef.h>
#include <stdint.h>

struct lli_ban {
    const int32_t *tokens; /* n >= 1, ids inside the vocabulary */
    size_t n;
};

/* logits[n]: the last token of each ban becomes -Inf where the others stand at the end of the history. */
void lli_ban_apply(float *logits, uint32_t n, const struct lli_ban *bans, size_t n_bans, const int32_t *history,
                   size_t n_history);

#endif
