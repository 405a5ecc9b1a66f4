/* engine/division.c - see division.h. */
#include "engine/division.h"

#include "base/error.h"
#include "cost/ranks.h"
#include "forward/forward.h"
#include "llminf/status.h"
#include "model/sliced.h"

int32_t lli_division_make(struct lli_division *out, const struct lli_config *config, const struct lli_cost *cost, uint32_t tp,
                          uint32_t pp, struct llminf_error *err)
{
    const struct lli_ranks ranks = {.tp = tp, .pp = pp};
    *out = (struct lli_division){.tp = tp, .pp = pp};
    if (pp == 0 || pp > LLI_MAX_PP || pp > config->n_layers)
        return lli_fail(err, LLMINF_E_OPTION, "pipeline_parallel", "is %u, want 1 to the %u layers", pp, config->n_layers);
    for (uint32_t stage = 0; stage < pp; stage++)
        out->cuts[stage + 1] = out->cuts[stage] + lli_ranks_layers(&ranks, cost, config->n_layers, stage);
    return lli_division_check(out, config, err);
}

int32_t lli_division_check(const struct lli_division *d, const struct lli_config *config, struct llminf_error *err)
{
    const struct lli_slice_sizes sizes = lli_sliced_sizes(config);
    int is_wrong = d->pp == 0 || d->pp > LLI_MAX_PP || d->cuts[0] != 0;
    for (uint32_t stage = 0; !is_wrong && stage < d->pp; stage++)
        is_wrong = d->cuts[stage + 1] <= d->cuts[stage] || d->cuts[stage + 1] > config->n_layers;
    if (is_wrong || d->cuts[d->pp] != config->n_layers)
        return lli_fail(err, LLMINF_E_OPTION, "pipeline_parallel", "%u stages do not have the %u layers between them", d->pp,
                        config->n_layers);
    return lli_slice_check(&sizes, d->tp, err);
}

void lli_division_slice(struct lli_slice *out, const struct lli_division *d, const struct lli_config *config, uint32_t rank)
{
    const struct lli_slice_sizes sizes = lli_sliced_sizes(config);
    uint32_t stage = rank / d->tp, first = d->cuts[stage];
    lli_slice_make(out, &sizes, d->tp, rank % d->tp, (struct lli_span){first, d->cuts[stage + 1] - first}, NULL);
}

size_t lli_division_block_bytes(const struct lli_division *d, const struct lli_config *config, int kv_type)
{
    size_t most = 0;
    for (uint32_t rank = 0; rank < lli_division_ranks(d); rank++) {
        struct lli_slice slice;
        lli_division_slice(&slice, d, config, rank);
        size_t n = lli_forward_slice_bytes(config, &slice, kv_type);
        if (n == 0)
            return 0;
        most = n > most ? n : most;
    }
    return most;
}
