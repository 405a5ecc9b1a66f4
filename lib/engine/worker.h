/* engine/worker.h - a rank that is not the first: it computes its part of what rank 0 plans, and decides nothing. */
#ifndef LLI_ENGINE_WORKER_H
#define LLI_ENGINE_WORKER_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/cpus.h"
#include "llminf/comm.h"
#include "model/config.h"
#include "model/packings.h"

struct llminf_error;
struct lli_backend;

struct lli_worker_options {
    struct lli_heap *heap; /* these outlive the call */
    const struct lli_config *config;
    struct lli_packings *packings;
    const struct lli_packing_source *source;
    const struct lli_progress *progress;
    const struct lli_backend *backend;
    uint64_t fingerprint;    /* of the model */
    int64_t kv_budget_bytes; /* its part of the pool is no larger; 0: as large as rank 0 has it */
    int64_t timeout_ns;      /* for the greeting; then rank 0's */
    int n_threads;
    struct lli_cpus cpus; /* that its threads but the calling one are pinned to; empty: none is */
    int64_t spin_ns;
    int kv_prefault;
};

/* Serves until rank 0 closes: 0. COMM if a rank is lost, fails, or says what cannot be; or the error that it failed with
 * itself, of which the others hear. The table's close is left to the caller. err is not NULL. */
int32_t lli_worker_serve(const struct lli_worker_options *options, const struct llminf_comm *table, struct llminf_error *err);

#endif
