/* forward/pooled.c - the last norm for all rows side by side; then each sum alone, since its order is fixed. */
#include "forward/pooled.h"

#include "forward/norm.h"

static void norm_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd;
    float *out = s->normed + row * n;
    (void)arg;
    (void)worker;
    if (!(pass->plan->rows[row].flags & LLI_ROW_POOL))
        return;
    lli_norm_last(pass, out, row);
    if (!pass->kernels.finite(out, n))
        lli_pass_mark(pass, row);
}

static void add_rows(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct lli_seq *seq = &pass->plan->seqs[i];
    size_t n = pass->config->n_embd;
    (void)arg;
    (void)worker;
    for (size_t row = seq->first_row; row < (size_t)seq->first_row + seq->n_rows; row++)
        if (pass->plan->rows[row].flags & LLI_ROW_POOL)
            pass->kernels.add(seq->pooled, seq->pooled, pass->scratch.normed + row * n, n);
}

void lli_pooled_run(const struct lli_pass *pass)
{
    if (pass->plan->n_pooled == 0)
        return;
    lli_pass_share(pass, norm_row, NULL, pass->plan->n_rows);
    lli_pass_share(pass, add_rows, NULL, pass->plan->n_seqs);
}
