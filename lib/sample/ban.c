/* sample/ban.c - a list of bans is short, and most of them end at the first token that is compared. */
#include "sample/ban.h"

static int is_next(const struct lli_ban *ban, const int32_t *history, size_t n_history)
{
    size_t n = ban->n - 1;
    if (n > n_history)
        return 0;
    for (size_t i = n; i-- > 0;)
        if (ban->tokens[i] != history[n_history - n + i])
            return 0;
    return 1;
}

void lli_ban_apply(float *logits, uint32_t n, const struct lli_ban *bans, size_t n_bans, const int32_t *history,
                   size_t n_history)
{
    for (size_t i = 0; i < n_bans; i++) {
        int32_t last = bans[i].tokens[bans[i].n - 1];
        if (last >= 0 && (uint32_t)last < n && is_next(&bans[i], history, n_history))
            logits[last] = -__builtin_inff();
    }
}
