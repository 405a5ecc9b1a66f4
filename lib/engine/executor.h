/* engine/executor.h - who computes plans: the forward of this process alone, or ranks of which it is one (engine/crew.h). */
#ifndef LLI_ENGINE_EXECUTOR_H
#define LLI_ENGINE_EXECUTOR_H

#include <stdint.h>

#include "forward/batch.h"

struct llminf_error;
struct lli_forward;

struct lli_executor {
    void *state;
    /* Computes the plan; every sequence gets its status. expected_ns: how long that may take, as a guess. An error: nothing of
     * it counts, and nothing can be computed any more. */
    int32_t (*run)(void *state, struct lli_plan *plan, int64_t expected_ns, struct llminf_error *err);
    /* n_vocab logits of the i-th row flagged LOGITS of the last plan, until the next. Any thread. */
    const float *(*logits)(void *state, uint32_t i);
};

/* Of this process alone. */
void lli_executor_alone(struct lli_executor *out, struct lli_forward *forward);

#endif
