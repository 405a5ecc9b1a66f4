/* engine/stats.h - what a context has done so far: options in force, gauges, counters that only grow, and histograms. */
#ifndef LLI_ENGINE_STATS_H
#define LLI_ENGINE_STATS_H

#include <stdint.h>

/* Times in buckets: bucket i counts those of 2^i ns and more, below 2^(i + 1). */
struct lli_histogram {
    int64_t counts[64], sum_ns, n;
};

static inline void lli_histogram_add(struct lli_histogram *h, int64_t ns)
{
    h->counts[63 - __builtin_clzll((unsigned long long)(ns > 0 ? ns : 1))]++;
    h->sum_ns += ns > 0 ? ns : 0;
    h->n++;
}

struct lli_engine_stats {
    /* now */
    int64_t sessions, running, waiting, paused;
    int64_t kv_blocks, kv_blocks_used, kv_blocks_cached, kv_blocks_free, kv_blocks_pinned, kv_block_bytes;
    int64_t kv_bytes, kv_bytes_used, kv_bytes_cached, kv_meta_bytes, draft_kv_bytes, scratch_bytes;
    /* options in force */
    int64_t kv_budget_bytes, threads, step_tokens, max_sessions, max_waiting, max_running, spin_ns;
    /* counters */
    int64_t steps, step_ns, step_max_ns, predicted_ns, plan_ns, run_ns, sample_ns, commit_ns;
    int64_t rows, prefill_tokens, decode_tokens, recomputed_tokens, copied_blocks;
    int64_t prefix_tokens, prefix_hit_tokens, prefix_rejects, drafted, accepted, draft_ns, draft_rows;
    int64_t evictions, recycled, deduplicated, preemptions, pauses, overtakes, follows;
    int64_t ended, failed, refused, cancelled, late;
    struct lli_histogram queue, first, between, step;
};

#endif
