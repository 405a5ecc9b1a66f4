/* A table says where each number stands, and whether it only grows; its text is the schema's. */
#include "api/stats.h"

#include <string.h>

#include "api/handles.h"
#include "api/schema.h"
#include "base/format.h"

enum kind { GAUGE, COUNTER };

struct number {
    const char *key;
    size_t at; /* in struct lli_engine_stats */
    enum kind kind;
};

#define ROW(name, kind_)                                                                                                       \
    {                                                                                                                          \
#name, offsetof(struct lli_engine_stats, name), kind_                                                                  \
    }

static const struct number numbers[] = {
    ROW(sessions, GAUGE),
    ROW(running, GAUGE),
    ROW(waiting, GAUGE),
    ROW(paused, GAUGE),
    ROW(kv_blocks, GAUGE),
    ROW(kv_blocks_used, GAUGE),
    ROW(kv_blocks_cached, GAUGE),
    ROW(kv_blocks_free, GAUGE),
    ROW(kv_blocks_pinned, GAUGE),
    ROW(kv_bytes, GAUGE),
    ROW(kv_bytes_used, GAUGE),
    ROW(kv_bytes_cached, GAUGE),
    ROW(kv_meta_bytes, GAUGE),
    ROW(draft_kv_bytes, GAUGE),
    ROW(scratch_bytes, GAUGE),
    ROW(steps, COUNTER),
    ROW(step_ns, COUNTER),
    ROW(step_max_ns, GAUGE),
    ROW(predicted_ns, COUNTER),
    ROW(plan_ns, COUNTER),
    ROW(run_ns, COUNTER),
    ROW(sample_ns, COUNTER),
    ROW(commit_ns, COUNTER),
    ROW(rows, COUNTER),
    ROW(prefill_tokens, COUNTER),
    ROW(decode_tokens, COUNTER),
    ROW(recomputed_tokens, COUNTER),
    ROW(prefix_tokens, COUNTER),
    ROW(prefix_hit_tokens, COUNTER),
    ROW(prefix_rejects, COUNTER),
    ROW(copied_blocks, COUNTER),
    ROW(deduplicated, COUNTER),
    ROW(recycled, COUNTER),
    ROW(drafted, COUNTER),
    ROW(accepted, COUNTER),
    ROW(draft_ns, COUNTER),
    ROW(draft_rows, COUNTER),
    ROW(evictions, COUNTER),
    ROW(preemptions, COUNTER),
    ROW(pauses, COUNTER),
    ROW(overtakes, COUNTER),
    ROW(follows, COUNTER),
    ROW(ended, COUNTER),
    ROW(failed, COUNTER),
    ROW(refused, COUNTER),
    ROW(cancelled, COUNTER),
    ROW(late, COUNTER),
};

enum { N_NUMBERS = sizeof numbers / sizeof *numbers, FIRST_BUCKET = 10, LAST_BUCKET = 40 };

static int64_t live_bytes(const struct llminf_context *context)
{
    return atomic_load_explicit(&context->model->heap.live_bytes, memory_order_relaxed);
}

static int64_t value_at(const struct lli_engine_stats *stats, const struct number *number)
{
    int64_t value;
    memcpy(&value, (const char *)stats + number->at, sizeof value);
    return value;
}

int lli_stats_find(int64_t *out, const struct llminf_context *context, const char *key)
{
    struct lli_engine_stats stats;
    if (strcmp(key, "live_bytes") == 0) {
        *out = live_bytes(context);
        return 1;
    }
    for (size_t i = 0; i < N_NUMBERS; i++)
        if (strcmp(numbers[i].key, key) == 0) {
            lli_engine_stats(context->engine, &stats);
            *out = value_at(&stats, &numbers[i]);
            return 1;
        }
    return 0;
}

/* ---- Prometheus -------------------------------------------------------------------------------------------------- */

static int put(struct lli_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int put(struct lli_buffer *out, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    size_t n = lli_format_list(line, sizeof line, format, args);
    va_end(args);
    return lli_buffer_append(out, line, n < sizeof line ? n : sizeof line - 1);
}

/* What the schema says of a key: the text of "doc", the last member of its JSON. */
static int put_help(struct lli_buffer *out, const char *key, const char *name, const char *type)
{
    static const char mark[] = "\"doc\":\"";
    const char *json = llminf_schema_entry("stats.context", key), *doc = json ? strstr(json, mark) : NULL;
    size_t n = doc ? strlen(doc + sizeof mark - 1) : 0;
    int failed = 0;
    if (n > 2)
        failed = put(out, "# HELP llminf_%s %.*s\n", name, (int)(n - 2), doc + sizeof mark - 1);
    return failed || put(out, "# TYPE llminf_%s %s\n", name, type);
}

static int put_number(struct lli_buffer *out, const char *key, int64_t value, enum kind kind)
{
    char name[64];
    lli_format(name, sizeof name, "%s%s", key, kind == COUNTER ? "_total" : "");
    return put_help(out, key, name, kind == COUNTER ? "counter" : "gauge") ||
           put(out, "llminf_%s %lld\n", name, (long long)value);
}

static int put_histogram(struct lli_buffer *out, const char *name, const char *what, const struct lli_histogram *h)
{
    int64_t n = 0;
    int failed = put(out, "# HELP llminf_%s %s\n# TYPE llminf_%s histogram\n", name, what, name);
    for (int i = 0; i < 64 && !failed; i++) {
        n += h->counts[i];
        if (i >= FIRST_BUCKET && i <= LAST_BUCKET)
            failed = put(out, "llminf_%s_bucket{le=\"%lld\"} %lld\n", name, (long long)((int64_t)2 << i), (long long)n);
    }
    return failed || put(out, "llminf_%s_bucket{le=\"+Inf\"} %lld\nllminf_%s_sum %lld\nllminf_%s_count %lld\n", name,
                         (long long)h->n, name, (long long)h->sum_ns, name, (long long)h->n);
}

int lli_stats_write(struct lli_buffer *out, const struct llminf_context *context)
{
    struct lli_engine_stats stats;
    int failed = 0;
    lli_engine_stats(context->engine, &stats);
    for (size_t i = 0; i < N_NUMBERS && !failed; i++)
        failed = put_number(out, numbers[i].key, value_at(&stats, &numbers[i]), numbers[i].kind);
    return failed || put_number(out, "live_bytes", live_bytes(context), GAUGE) ||
           put_histogram(out, "queue_wait_ns", "from generate to the first step", &stats.queue) ||
           put_histogram(out, "first_token_ns", "from generate to the first token", &stats.first) ||
           put_histogram(out, "between_tokens_ns", "from one token to the next", &stats.between) ||
           put_histogram(out, "step_time_ns", "time of a step", &stats.step);
}
