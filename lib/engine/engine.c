/* engine/engine.c - opens and closes the engine, and settles what it may hold: the KV budget and the sizes that follow from
 * it. Invariant: whatever a step needs is reserved here or when a generation is asked for. */
#include "engine/engine.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/size.h"
#include "engine/thread.h"
#include "forward/forward.h"
#include "kv/table.h"

#define DEFAULT_STEP_TOKENS 64u
#define MAX_LOGITS 16u /* rows of a step whose logits are all kept: bounds the scratch, n_vocab floats each */
#define MAX_SEQS 1u    /* sequences of a step */
#define MEMORY_SHARE 4 /* the default budget is at most this part of the memory */
#define REPAIR_BYTES 3 /* a byte that is no character becomes U+FFFD */

/* ---- memory open to the process ---------------------------------------------------------------------------------- */

/* A number in a file, or `otherwise`: no file, "max". */
static int64_t read_bound(const char *path, int64_t otherwise)
{
    char text[32];
    int64_t value;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return otherwise;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    return n > 0 && lli_format_read_int(&value, text, (size_t)n) == 0 && value > 0 ? value : otherwise;
}

static int64_t find_memory(void)
{
    struct rlimit limit;
    int64_t n_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE), bytes = INT64_MAX;
    if (n_pages > 0 && page_bytes > 0 && n_pages <= INT64_MAX / page_bytes)
        bytes = n_pages * page_bytes;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < (uint64_t)bytes)
        bytes = (int64_t)limit.rlim_cur;
    int64_t v2 = read_bound("/sys/fs/cgroup/memory.max", bytes);
    int64_t v1 = read_bound("/sys/fs/cgroup/memory/memory.limit_in_bytes", bytes);
    bytes = v2 < bytes ? v2 : bytes;
    return v1 < bytes ? v1 : bytes;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Blocks that the budget holds, with their share of the bookkeeping. */
static int32_t settle_budget(uint32_t *n_blocks_out, struct lli_engine *engine, const struct lli_engine_options *options,
                             struct llminf_error *err)
{
    size_t each = lli_forward_block_bytes(options->config, options->kv_type);
    int64_t budget = options->kv_budget_bytes;
    if (each == 0 || lli_size_add(&each, each, sizeof(struct lli_block)) || each > INT64_MAX / UINT32_MAX)
        return lli_fail(err, LLMINF_E_LIMIT, "kv_budget_bytes", "a block of %u positions is over the address space",
                        LLI_BLOCK_TOKENS);
    if (budget == 0) {
        int64_t whole = (lli_table_blocks(options->config->train_length) + (int64_t)1) * (int64_t)each;
        int64_t share = find_memory() / MEMORY_SHARE;
        budget = whole < share ? whole : share;
    }
    uint64_t n = (uint64_t)budget / each;
    if (n < 2)
        return lli_fail(err, LLMINF_E_OPTION, "kv_budget_bytes", "%lld holds no block, want at least %zu", (long long)budget,
                        2 * each);
    *n_blocks_out = n < LLI_NONE ? (uint32_t)n : LLI_NONE - 1;
    engine->totals.kv_budget_bytes = budget;
    return LLMINF_OK;
}

static int32_t init_locks(struct lli_engine *engine, struct llminf_error *err)
{
    int failed = pthread_mutex_init(&engine->lock, NULL);
    if (failed)
        return lli_fail_os(err, failed, "context", "lock");
    failed = pthread_cond_init(&engine->work, NULL);
    if (failed)
        goto no_work;
    failed = pthread_cond_init(&engine->landed, NULL);
    if (failed)
        goto no_landed;
    engine->has_lock = 1;
    return LLMINF_OK;
no_landed:
    pthread_cond_destroy(&engine->work);
no_work:
    pthread_mutex_destroy(&engine->lock);
    return lli_fail_os(err, failed, "context", "condition");
}

/* Room for the text of the longest token, and of the pending character before it. */
static size_t find_text_bytes(const struct lli_vocab *vocab)
{
    size_t longest = 0;
    for (uint32_t i = 0; i < vocab->n; i++)
        longest = vocab->texts[i].len > longest ? vocab->texts[i].len : longest;
    return (longest + 1) * REPAIR_BYTES;
}

/* What a step needs beside the forward's scratch. */
static int32_t init_scratch(struct lli_engine *engine, uint32_t n_blocks, struct llminf_error *err)
{
    if (lli_pool_init(&engine->pool, engine->heap, n_blocks) != LLMINF_OK)
        return lli_fail_memory(err, "context", (uint64_t)n_blocks * sizeof(struct lli_block));
    if (lli_chain_init(&engine->chain, engine->heap, engine->vocab->n) != LLMINF_OK)
        return lli_fail_memory(err, "context", (uint64_t)engine->vocab->n * sizeof(struct lli_candidate));
    if (lli_plan_init(&engine->batch, engine->heap, engine->step_tokens, MAX_LOGITS, MAX_SEQS) != LLMINF_OK)
        return lli_fail_memory(err, "context", (uint64_t)engine->step_tokens * sizeof(struct lli_row));
    lli_buffer_init(&engine->text, engine->heap);
    if (lli_buffer_reserve(&engine->text, engine->text_bytes))
        return lli_fail_memory(err, "context", engine->text_bytes);
    return LLMINF_OK;
}

static uint32_t usable_positions(uint32_t n_blocks)
{
    uint64_t n = (uint64_t)(n_blocks - 1) * LLI_BLOCK_TOKENS;
    return n < LLI_MAX_CONTEXT ? (uint32_t)n : LLI_MAX_CONTEXT;
}

static int32_t init_forward(struct lli_engine *engine, const struct lli_engine_options *options, uint32_t n_blocks,
                            struct llminf_error *err)
{
    int n_threads = options->n_threads > 0 ? options->n_threads : lli_cpus_usable();
    int32_t status = lli_workers_init(&engine->workers, engine->heap, n_threads, options->spin_ns, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_forward_options forward = {
        .backend = options->backend,
        .workers = &engine->workers,
        .kv_type = options->kv_type,
        .n_blocks = n_blocks,
        .max_rows = engine->step_tokens,
        .max_logits = MAX_LOGITS,
        .max_pos = usable_positions(n_blocks),
    };
    status = lli_forward_new(&engine->forward, engine->heap, options->config, options->weights, &forward, err);
    if (status != LLMINF_OK)
        return status;
    engine->totals.threads = n_threads;
    engine->totals.kv_blocks = n_blocks;
    engine->totals.kv_bytes = (int64_t)lli_forward_kv_bytes(engine->forward);
    engine->totals.scratch_bytes = (int64_t)lli_forward_scratch_bytes(engine->forward);
    return LLMINF_OK;
}

static void settle_options(struct lli_engine *engine, const struct lli_engine_options *options)
{
    engine->vocab = options->vocab;
    engine->process = getpid();
    engine->max_sessions = options->max_sessions;
    engine->max_waiting = options->max_waiting;
    engine->step_tokens = options->step_tokens > 0 ? options->step_tokens : DEFAULT_STEP_TOKENS;
    engine->text_bytes = find_text_bytes(options->vocab);
    engine->waiting.kind = engine->running.kind = LLI_LINK_REQUEST;
    engine->soft.kind = LLI_LINK_SOFT;
    engine->totals.step_tokens = engine->step_tokens;
    engine->totals.max_sessions = engine->max_sessions;
    engine->totals.max_waiting = engine->max_waiting;
    engine->totals.spin_ns = options->spin_ns;
}

int32_t lli_engine_new(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                       struct llminf_error *err)
{
    uint32_t n_blocks = 0;
    *out = NULL;
    struct lli_engine *engine = lli_alloc_zero(heap, 1, sizeof *engine);
    if (!engine)
        return lli_fail_memory(err, "context", sizeof *engine);
    engine->heap = heap;
    settle_options(engine, options);
    int32_t status = init_locks(engine, err);
    if (status == LLMINF_OK)
        status = settle_budget(&n_blocks, engine, options, err);
    if (status == LLMINF_OK)
        status = init_scratch(engine, n_blocks, err);
    if (status == LLMINF_OK)
        status = init_forward(engine, options, n_blocks, err);
    if (status != LLMINF_OK)
        goto fail;
    engine->max_length = usable_positions(n_blocks);
    if (options->config->train_length > 0 && options->config->train_length < engine->max_length)
        engine->max_length = options->config->train_length;
    status = lli_thread_start(engine, err);
    if (status != LLMINF_OK)
        goto fail;
    *out = engine;
    return LLMINF_OK;
fail:
    lli_engine_free(engine);
    return status;
}

void lli_engine_free(struct lli_engine *engine)
{
    if (!engine || lli_engine_check(engine, NULL) != LLMINF_OK)
        return; /* the threads of a child stayed with its parent: nothing can be joined */
    struct lli_heap *heap = engine->heap;
    lli_thread_stop(engine);
    lli_forward_free(engine->forward);
    lli_workers_finish(&engine->workers);
    lli_buffer_finish(&engine->text);
    lli_plan_finish(&engine->batch);
    lli_chain_finish(&engine->chain);
    lli_pool_finish(&engine->pool);
    if (engine->has_lock) {
        pthread_cond_destroy(&engine->landed);
        pthread_cond_destroy(&engine->work);
        pthread_mutex_destroy(&engine->lock);
    }
    lli_free(heap, engine);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

int32_t lli_engine_check(const struct lli_engine *engine, struct llminf_error *err)
{
    if (getpid() == engine->process)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_STATE, "context", "was opened before fork(), its threads are the parent's");
}

void lli_engine_stats(struct lli_engine *engine, struct lli_engine_stats *out)
{
    *out = (struct lli_engine_stats){0};
    if (lli_engine_check(engine, NULL) != LLMINF_OK)
        return;
    pthread_mutex_lock(&engine->lock);
    *out = engine->totals;
    out->sessions = engine->n_sessions;
    out->running = engine->running.n;
    out->waiting = engine->waiting.n;
    out->kv_blocks_used = engine->pool.n_blocks - 1 - engine->pool.n_free;
    pthread_mutex_unlock(&engine->lock);
}
