/* engine/executor.c - see executor.h. */
#include "engine/executor.h"

#include "forward/forward.h"
#include "llminf/status.h"

static int32_t run_alone(void *state, struct lli_plan *plan, int64_t expected_ns, struct llminf_error *err)
{
    (void)expected_ns;
    (void)err;
    lli_forward_run(state, plan);
    return LLMINF_OK;
}

static const float *logits_alone(void *state, uint32_t i)
{
    return lli_forward_logits(state, i);
}

void lli_executor_alone(struct lli_executor *out, struct lli_forward *forward)
{
    *out = (struct lli_executor){.state = forward, .run = run_alone, .logits = logits_alone};
}
