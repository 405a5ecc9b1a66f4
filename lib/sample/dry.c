/* sample/dry.c - read backwards, the window's repetitions of its own beginning are what the Z algorithm finds (Gusfield,
 * "Algorithms on strings, trees, and sequences", 1997) in linear time; only the beginning's own values are remembered. */
#include "sample/dry.h"

#include "base/mathx.h"
#include "sample/ban.h"

/* The window from its end: at 0 is the newest token. */
struct mirror {
    const int32_t *newest;
    size_t n;
};

static int32_t at(const struct mirror *m, size_t i)
{
    return *(m->newest - i);
}

static int ends_sequence(const struct lli_breaks *breaks, const struct mirror *m, size_t i)
{
    int32_t id = at(m, i);
    if (id >= 0 && (uint32_t)id < breaks->n_tokens && breaks->in_token[id / 8] >> id % 8 & 1)
        return 1;
    for (size_t k = 0; k < breaks->n_runs; k++) {
        const struct lli_ban *run = &breaks->runs[k];
        size_t n = 0;
        while (n < run->n && i + n < m->n && at(m, i + n) == run->tokens[run->n - 1 - n])
            n++;
        if (n == run->n)
            return 1;
    }
    return 0;
}

/* Tokens at the end that could be a repetition. */
static size_t find_tail(const struct lli_breaks *breaks, const struct mirror *m)
{
    size_t n = 0;
    while (n < m->n && n < LLI_DRY_LONGEST && !(breaks && ends_sequence(breaks, m, n)))
        n++;
    return n;
}

/* counts: for each token the longest repetition that it would go on with, if that reaches `least`. */
static void measure(uint32_t *counts, uint32_t n, const struct mirror *m, size_t tail, size_t least)
{
    uint16_t z[LLI_DRY_LONGEST];
    size_t left = 0, right = 0; /* [left, right) is known to equal the beginning */
    for (size_t i = 1; i < m->n; i++) {
        size_t len = 0;
        int32_t next = at(m, i - 1);
        if (i < right)
            len = z[i - left] < right - i ? z[i - left] : right - i;
        while (len < tail && i + len < m->n && at(m, i + len) == at(m, len))
            len++;
        if (i + len > right) {
            left = i;
            right = i + len;
        }
        if (i < tail)
            z[i] = (uint16_t)len;
        if (len >= least && next >= 0 && (uint32_t)next < n && counts[next] < len)
            counts[next] = (uint32_t)len;
    }
}

void lli_dry_apply(float *logits, uint32_t *counts, uint32_t n, const struct lli_sampler_params *params,
                   const struct lli_breaks *breaks, const int32_t *history, size_t n_history)
{
    if (params->dry_multiplier <= 0 || n_history < 2)
        return;
    struct mirror m = {history + n_history - 1, n_history};
    if (params->dry_window >= 0 && (uint64_t)params->dry_window < n_history)
        m.n = (size_t)params->dry_window;
    size_t tail = find_tail(breaks, &m);
    if (tail < (size_t)params->dry_length)
        return;
    measure(counts, n, &m, tail, (size_t)params->dry_length);
    for (size_t i = 0; i < m.n; i++) {
        int32_t id = at(&m, i);
        if (id < 0 || (uint32_t)id >= n || counts[id] == 0)
            continue;
        double penalty =
            params->dry_multiplier * lli_pow_f64(params->dry_base, (double)(counts[id] - (uint64_t)params->dry_length));
        logits[id] = (float)((double)logits[id] - (penalty < LLI_DRY_WORST ? penalty : LLI_DRY_WORST));
        counts[id] = 0;
    }
}
