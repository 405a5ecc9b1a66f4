/* sample/pick.c - no rounding decides a draw: weights and their sums are integers. */
#include "sample/pick.h"

__extension__ typedef unsigned __int128 wide;

int32_t lli_pick_greedy(const float *logits, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

size_t lli_pick_draw(struct lli_ranking *r, double temperature, uint64_t u)
{
    uint64_t mark = (uint64_t)((wide)u * lli_rank_total(r, temperature) >> 53), sum = 0;
    size_t i = 0;
    while ((sum += lli_rank_weight(r, i, temperature)) <= mark) /* ends: mark is below the total */
        i++;
    return i;
}
