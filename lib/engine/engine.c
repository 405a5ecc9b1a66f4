/* engine/engine.c - opens and closes the engine, and settles what it may hold: the KV budget and the sizes that follow from
 * it. Invariant: whatever a step needs is reserved here or when a generation is asked for. */
#include "engine/engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/size.h"
#include "engine/crew.h"
#include "engine/drafter.h"
#include "engine/thread.h"
#include "forward/forward.h"
#include "forward/layout.h"
#include "kv/table.h"

#define DEFAULT_STEP_TOKENS 64u /* beyond max_running */
#define DEFAULT_RUNNING 64u
#define WHOLE 2048u      /* rows of a prompt that goes whole, at most, unless the host says how many */
#define MIN_PREFILL 32u  /* rows that a prefill can have beside max_running decodes */
#define MORE_LOGITS 16u  /* rows with logits beyond one for each sequence: bounds the scratch, n_vocab floats each */
#define WATERMARK 100u   /* one block in so many is left alone by admission while others run */
#define KEPT_SALTS 4096u /* salts that are remembered; those of open sessions are not told from others */
#define TRIM_BATCH 16u   /* blocks that are forgotten under one hold of the lock */
#define MEMORY_SHARE 4   /* the default budget is at most this part of the memory */
#define REPAIR_BYTES 3   /* a byte that is no character becomes U+FFFD */

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

static void find_groups(struct lli_engine_size *out, const struct lli_config *config)
{
    struct lli_layout layout;
    lli_layout_find(&layout, config);
    out->n_groups = layout.n_groups;
    memcpy(out->windows, layout.windows, sizeof out->windows);
}

/* One session of full length, beside what is the draft model's; or all that a step takes whole. */
static int64_t find_budget(const struct lli_engine_size *size, const struct lli_engine_options *options, size_t each)
{
    uint32_t length = options->config->train_length;
    uint64_t n_blocks = lli_table_footprint(size->windows, size->n_groups, length, size->max_rows) + (uint64_t)1;
    uint64_t n_step = options->config->is_bidirectional ? lli_table_blocks(size->step_tokens) + (uint64_t)size->max_running : 0;
    n_blocks = n_step > n_blocks ? n_step : n_blocks;
    double whole = (double)(n_blocks * each + lli_pool_bytes((uint32_t)n_blocks));
    double share = (double)(find_memory() / MEMORY_SHARE / (options->n_here > 1 ? options->n_here : 1));
    if (options->draft_config)
        whole = whole / (1 - options->draft_share) + 1;
    return (int64_t)(whole < share ? whole : share);
}

/* Of a block on the rank where it takes the most. */
static size_t find_block_bytes(const struct lli_engine_options *options)
{
    return options->division ? lli_division_block_bytes(options->division, options->config, options->kv_type)
                             : lli_forward_block_bytes(options->config, options->kv_type);
}

static int32_t settle_budget(struct lli_engine_size *out, const struct lli_engine_options *options, struct llminf_error *err)
{
    size_t each = find_block_bytes(options);
    int64_t budget = options->kv_budget_bytes;
    if (each == 0 || each > INT64_MAX / UINT32_MAX - 1024)
        return lli_fail(err, LLMINF_E_LIMIT, "kv_budget_bytes", "a block of %u positions is over the address space",
                        LLI_BLOCK_TOKENS);
    find_groups(out, options->config);
    if (budget == 0)
        budget = find_budget(out, options, each);
    out->n_blocks = lli_pool_fit((uint64_t)(budget - lli_drafter_share(options, budget)), each);
    if (out->n_blocks < 1 + out->n_groups)
        return lli_fail(err, LLMINF_E_OPTION, "kv_budget_bytes", "%lld holds no block%s, want at least %llu", (long long)budget,
                        out->n_groups > 1 ? " for each group of layers" : "",
                        (unsigned long long)((1 + out->n_groups) * (uint64_t)each + lli_pool_bytes(1 + out->n_groups)));
    out->kv_budget_bytes = budget;
    out->block_bytes = each;
    out->longest = lli_table_longest(out->windows, out->n_groups, out->n_blocks - 1, out->max_rows);
    return LLMINF_OK;
}

/* Room for the text of the longest token, and of the pending character before it. */
static size_t find_text_bytes(const struct lli_vocab *vocab)
{
    size_t longest = 0;
    for (uint32_t i = 0; vocab && i < vocab->n; i++)
        longest = vocab->texts[i].len > longest ? vocab->texts[i].len : longest;
    return (longest + 1) * REPAIR_BYTES;
}

static struct lli_forward_options forward_options(const struct lli_engine_size *size, const struct lli_engine_options *options)
{
    return (struct lli_forward_options){
        .backend = options->backend,
        .kv_type = options->kv_type,
        .n_blocks = size->n_blocks,
        .max_rows = size->max_rows,
        .max_logits = size->max_logits,
        .max_pos = size->longest,
        .prefault = options->kv_prefault,
    };
}

static void size_own(struct lli_engine_size *out, const struct lli_engine_options *options)
{
    size_t picker = sizeof(struct lli_picker) + lli_chain_bytes(options->config->n_vocab) + lli_buffer_bytes(out->text_bytes);
    out->meta_bytes = lli_pool_bytes(out->n_blocks);
    out->plan_bytes = lli_plan_bytes(out->max_rows, out->max_running);
    out->sample_bytes = (size_t)out->n_threads * picker;
    out->own_bytes = sizeof(struct lli_engine) + lli_workers_bytes(out->n_threads);
    out->stack_bytes = lli_workers_stack_bytes(out->n_threads) + (options->host_driven ? 0 : LLI_THREAD_STACK_BYTES);
}

/* Where a prompt goes whole, a step has room for one. */
static uint32_t default_step(const struct lli_config *config, uint32_t max_running)
{
    uint32_t n = DEFAULT_STEP_TOKENS + max_running, whole = config->train_length < WHOLE ? config->train_length : WHOLE;
    return config->is_bidirectional && n < whole ? whole : n;
}

int32_t lli_engine_size(struct lli_engine_size *out, const struct lli_engine_options *options, struct llminf_error *err)
{
    struct lli_forward_size forward;
    *out = (struct lli_engine_size){0};
    out->max_running = options->max_running > 0 ? options->max_running : DEFAULT_RUNNING;
    out->step_tokens = options->step_tokens > 0 ? options->step_tokens : default_step(options->config, out->max_running);
    out->max_rows = out->max_running + MIN_PREFILL;
    out->max_rows = out->step_tokens > out->max_rows ? out->step_tokens : out->max_rows;
    out->max_logits = out->max_running + MORE_LOGITS;
    out->n_threads = options->n_threads > 0 ? options->n_threads : lli_cpus_usable();
    out->text_bytes = find_text_bytes(options->vocab);
    int32_t status = settle_budget(out, options, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_forward_options wanted = forward_options(out, options);
    if (lli_forward_size(&forward, options->config, options->weights, &wanted, out->n_threads) < 0)
        return lli_fail_memory(err, "context", UINT64_MAX);
    out->kv_bytes = forward.kv_bytes;
    out->scratch_bytes = forward.scratch_bytes;
    out->logits_bytes = forward.logits_bytes;
    size_own(out, options);
    return lli_drafter_size(out, options, err);
}

static int32_t init_locks(struct lli_engine *engine, struct llminf_error *err)
{
    int failed = pthread_mutex_init(&engine->lock, NULL);
    if (failed)
        return lli_fail_os(err, failed, "context", "lock");
    failed = lli_clock_cond_init(&engine->work);
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

static int32_t init_pickers(struct lli_engine *engine, int n, struct llminf_error *err)
{
    engine->pickers = lli_alloc_zero(engine->heap, (size_t)n, sizeof *engine->pickers);
    if (!engine->pickers)
        return lli_fail_memory(err, "context", (uint64_t)n * sizeof *engine->pickers);
    for (; engine->n_pickers < n; engine->n_pickers++) {
        struct lli_picker *picker = &engine->pickers[engine->n_pickers];
        lli_buffer_init(&picker->text, engine->heap);
        if (lli_chain_init(&picker->chain, engine->heap, engine->vocab->n) != LLMINF_OK)
            return lli_fail_memory(err, "context", (uint64_t)engine->vocab->n * sizeof(struct lli_candidate));
        if (lli_buffer_reserve(&picker->text, engine->text_bytes)) {
            engine->n_pickers++;
            return lli_fail_memory(err, "context", engine->text_bytes);
        }
    }
    return LLMINF_OK;
}

/* Seeds the hashes, so that nobody can choose tokens that crowd one place of the index. Any number will do if there is none. */
static uint64_t find_secret(const struct lli_engine *engine)
{
    uint64_t secret;
    if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) == (ssize_t)sizeof secret)
        return secret;
    return (uint64_t)lli_clock_ns() ^ (uint64_t)(uintptr_t)engine;
}

/* What a step needs beside the forward's scratch. */
static int32_t init_scratch(struct lli_engine *engine, const struct lli_engine_size *size, struct llminf_error *err)
{
    uint64_t secret = find_secret(engine);
    if (lli_pool_init(&engine->pool, engine->heap, size->n_blocks, size->windows, size->n_groups, secret) != LLMINF_OK)
        return lli_fail_memory(err, "context", size->meta_bytes);
    if (lli_plan_init(&engine->batch, engine->heap, size->max_rows, size->max_logits, size->max_running) != LLMINF_OK)
        return lli_fail_memory(err, "context", size->plan_bytes);
    engine->batch.window = engine->calibration.cost.window;
    return LLMINF_OK;
}

static int32_t init_forward(struct lli_engine *engine, const struct lli_engine_size *size,
                            const struct lli_engine_options *options, struct llminf_error *err)
{
    int32_t status = lli_workers_init(&engine->workers, engine->heap, size->n_threads, &options->cpus, options->spin_ns, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_forward_options forward = forward_options(size, options);
    forward.workers = &engine->workers;
    forward.comm = engine->crew ? lli_crew_comm(engine->crew) : NULL;
    status = init_pickers(engine, size->n_threads, err);
    if (status == LLMINF_OK)
        status = lli_forward_new(&engine->forward, engine->heap, options->config, options->weights, &forward, err);
    if (status != LLMINF_OK)
        return status;
    if (engine->crew)
        lli_crew_executor(&engine->executor, engine->crew);
    else
        lli_executor_alone(&engine->executor, engine->forward);
    engine->totals.kv_bytes = (int64_t)lli_forward_kv_bytes(engine->forward);
    engine->totals.scratch_bytes = (int64_t)lli_forward_scratch_bytes(engine->forward);
    return LLMINF_OK;
}

static void name_links(struct lli_engine *engine)
{
    engine->timelines.kind = LLI_LINK_ALL;
    engine->waiting.kind = engine->running.kind = LLI_LINK_REQUEST;
    engine->soft.kind = LLI_LINK_SOFT;
    engine->deadlines.kind = LLI_LINK_DEADLINE;
    engine->news.kind = LLI_LINK_NEWS;
}

static void settle_options(struct lli_engine *engine, const struct lli_engine_size *size,
                           const struct lli_engine_options *options)
{
    engine->vocab = options->vocab;
    engine->config = options->config;
    engine->process = getpid();
    engine->fingerprint = options->fingerprint;
    engine->kv_type = options->kv_type;
    engine->event_fd = -1;
    engine->cpu = lli_cpus_at(&options->cpus, 0);
    engine->max_sessions = options->max_sessions;
    engine->max_running = size->max_running;
    engine->max_waiting = options->max_waiting;
    engine->step_tokens = size->step_tokens;
    engine->batching = options->batching;
    engine->admit_reserve = options->admit_reserve;
    engine->step_target_ns = options->step_target_ns;
    lli_calibrate_init(&engine->calibration, &options->cost, options->rates);
    engine->age_steps = options->age_steps;
    engine->bypass_limit = options->bypass_limit;
    engine->no_prefix_cache = options->no_prefix_cache || options->config->is_bidirectional;
    engine->host_driven = options->host_driven;
    engine->text_bytes = size->text_bytes;
    name_links(engine);
    engine->totals.step_tokens = engine->step_tokens;
    engine->totals.max_sessions = engine->max_sessions;
    engine->totals.max_running = engine->max_running;
    engine->totals.max_waiting = engine->max_waiting;
    engine->totals.spin_ns = options->spin_ns;
    engine->totals.threads = size->n_threads;
    engine->totals.kv_blocks = size->n_blocks;
    engine->totals.kv_meta_bytes = (int64_t)size->meta_bytes;
    engine->totals.kv_budget_bytes = size->kv_budget_bytes;
    engine->totals.kv_block_bytes = (int64_t)size->block_bytes;
}

/* All but the thread. *out may be half made if it fails. */
static int32_t make(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                    struct llminf_error *err)
{
    struct lli_engine_size size;
    int32_t status = lli_engine_size(&size, options, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_engine *engine = *out = lli_alloc_zero(heap, 1, sizeof *engine);
    if (!engine)
        return lli_fail_memory(err, "context", sizeof *engine);
    engine->heap = heap;
    engine->crew = options->crew;
    settle_options(engine, &size, options);
    status = init_locks(engine, err);
    if (status == LLMINF_OK)
        status = init_scratch(engine, &size, err);
    if (status == LLMINF_OK)
        status = init_forward(engine, &size, options, err);
    if (status == LLMINF_OK)
        status = lli_drafter_new(&engine->drafter, engine, options, err);
    engine->watermark = size.n_blocks / WATERMARK > 1 ? size.n_blocks / WATERMARK : 1;
    engine->max_length = size.longest;
    engine->n_positions = lli_config_positions(options->config);
    if (options->config->train_length > 0 && options->config->train_length < engine->max_length)
        engine->max_length = options->config->train_length;
    return status;
}

int32_t lli_engine_new(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                       struct llminf_error *err)
{
    struct llminf_error error;
    struct lli_engine *engine = NULL;
    int32_t status = make(&engine, heap, options, &error);
    if (options->crew)
        status = lli_crew_meet(options->crew, engine ? engine->forward : NULL, status, &error);
    if (status == LLMINF_OK && !engine->host_driven)
        status = lli_thread_start(engine, &error);
    if (status != LLMINF_OK) {
        if (!engine)
            lli_crew_free(options->crew);
        lli_engine_free(engine);
        engine = NULL;
        if (err)
            *err = error;
    }
    *out = engine;
    return status;
}

void lli_engine_free(struct lli_engine *engine)
{
    if (!engine || lli_engine_check(engine, NULL) != LLMINF_OK)
        return; /* the threads of a child stayed with its parent: nothing can be joined */
    struct lli_heap *heap = engine->heap;
    lli_thread_stop(engine);
    lli_crew_free(engine->crew);
    lli_forward_free(engine->forward);
    lli_drafter_free(engine->drafter);
    lli_workers_finish(&engine->workers);
    for (int i = 0; i < engine->n_pickers; i++) {
        lli_buffer_finish(&engine->pickers[i].text);
        lli_chain_finish(&engine->pickers[i].chain);
    }
    lli_free(heap, engine->pickers);
    for (uint32_t i = 0; i < engine->n_salts; i++)
        lli_free(heap, engine->salts[i].text);
    lli_free(heap, engine->salts);
    lli_plan_finish(&engine->batch);
    lli_pool_finish(&engine->pool);
    if (engine->event_fd >= 0)
        close(engine->event_fd);
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
    const struct lli_pool *pool = &engine->pool;
    *out = engine->totals;
    out->sessions = engine->timelines.n;
    out->running = engine->running.n;
    out->waiting = engine->waiting.n;
    out->paused = engine->n_paused;
    out->kv_blocks_free = pool->n_free;
    out->kv_blocks_cached = pool->n_cached;
    out->kv_blocks_used = pool->n_blocks - 1 - lli_pool_available(pool);
    out->kv_blocks_pinned = engine->n_pinned;
    out->kv_bytes_used = out->kv_blocks_used * out->kv_block_bytes;
    out->kv_bytes_cached = out->kv_blocks_cached * out->kv_block_bytes;
    out->recycled = (int64_t)pool->counters.recycled;
    out->deduplicated = (int64_t)pool->counters.deduplicated;
    out->prefix_rejects = (int64_t)pool->counters.rejects;
    pthread_mutex_unlock(&engine->lock);
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------- */

/* How many stay. */
static int64_t trim(struct lli_engine *engine, struct lli_pool *pool, struct lli_forward *forward, int64_t n_keep)
{
    uint32_t ids[TRIM_BATCH], n, n_cached;
    do {
        pthread_mutex_lock(&engine->lock); /* so that no step takes them before their pages are given back */
        n = lli_pool_trim(pool, n_keep < UINT32_MAX ? (uint32_t)n_keep : UINT32_MAX, ids, TRIM_BATCH);
        for (uint32_t i = 0; i < n; i++)
            lli_forward_forget(forward, ids[i]);
        n_cached = pool->n_cached;
        pthread_mutex_unlock(&engine->lock);
    } while (n > 0);
    return n_cached;
}

void lli_engine_trim(struct lli_engine *engine, int64_t keep_bytes)
{
    if (lli_engine_check(engine, NULL) != LLMINF_OK)
        return;
    int64_t each = engine->totals.kv_block_bytes;
    keep_bytes -= each * trim(engine, &engine->pool, engine->forward, keep_bytes / each);
    if (engine->drafter) {
        struct lli_forward *forward = engine->drafter->forward;
        trim(engine, &engine->drafter->pool, forward, keep_bytes / engine->drafter->block_bytes);
    }
}

uint64_t lli_engine_own_extra(struct lli_engine *engine)
{
    return ++engine->n_extras;
}

static int32_t add_salt(struct lli_engine *engine, const struct lli_salt *salt)
{
    char *text = lli_alloc(engine->heap, salt->len);
    if (!text)
        return LLMINF_E_MEMORY;
    if (engine->n_salts == engine->cap_salts) {
        uint32_t cap = engine->cap_salts ? 2 * engine->cap_salts : 16;
        struct lli_salt *salts = lli_realloc(engine->heap, engine->salts, cap * sizeof *salts);
        if (!salts) {
            lli_free(engine->heap, text);
            return LLMINF_E_MEMORY;
        }
        engine->salts = salts;
        engine->cap_salts = cap;
    }
    if (salt->len > 0)
        memcpy(text, salt->text, salt->len);
    if (engine->n_salts == KEPT_SALTS) { /* the oldest goes: who comes with it again begins anew */
        lli_free(engine->heap, engine->salts[0].text);
        memmove(engine->salts, engine->salts + 1, --engine->n_salts * sizeof *engine->salts);
    }
    struct lli_salt *new = &engine->salts[engine->n_salts++];
    *new = *salt;
    new->text = text;
    new->extra = lli_engine_own_extra(engine);
    return LLMINF_OK;
}

static int is_same(const struct lli_salt *a, const struct lli_salt *b)
{
    return a->len == b->len && a->adapter == b->adapter && a->scale == b->scale &&
           (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

int32_t lli_engine_salt(uint64_t *extra_out, struct lli_engine *engine, const struct lli_salt *salt)
{
    *extra_out = 0;
    if (salt->len == 0 && salt->adapter == 0)
        return LLMINF_OK;
    for (uint32_t i = engine->n_salts; i-- > 0;)
        if (is_same(&engine->salts[i], salt)) {
            *extra_out = engine->salts[i].extra;
            return LLMINF_OK;
        }
    int32_t status = add_salt(engine, salt);
    if (status == LLMINF_OK)
        *extra_out = engine->salts[engine->n_salts - 1].extra;
    return status;
}
