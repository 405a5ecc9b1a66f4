/* engine/snapshot.c - blocks that are read or written here are held by a table of their own and full, so no step touches their
 * bytes meanwhile and the engine's lock is not needed for the copying. */
#include "engine/snapshot.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/reader.h"
#include "engine/engine.h"
#include "engine/roster.h"
#include "engine/thread.h"
#include "engine/timeline.h"
#include "forward/forward.h"
#include "model/adapter.h"

#define NAME "session"
#define VERSION 3u  /* version 1 knew no adapters, version 2 no windows */

enum { PIECE = 65536, HEADER = 72 /* of version 1 */, ADAPTER = 16, GROUPS = 4, WINDOW = 4 };

static const char magic[8] = {'L', 'L', 'M', 'I', 'N', 'F', 'S', 'N'};

/* What decides whether the blocks mean the same here. */
struct shape {
    uint64_t fingerprint, block_bytes, adapter, scale; /* scale: its bits */
    uint32_t kv_type, head_dim, n_kv_heads, n_layers, n_groups;
    const uint32_t *windows;
};

static struct shape shape_of(const struct lli_engine *engine, const struct lli_adapter *adapter, double scale)
{
    struct shape shape = {
        .fingerprint = engine->fingerprint,
        .block_bytes = lli_forward_saved_bytes(engine->forward),
        .kv_type = (uint32_t)engine->kv_type,
        .head_dim = engine->config->head_dim,
        .n_kv_heads = engine->config->n_kv_heads,
        .n_layers = engine->config->n_layers,
        .adapter = adapter ? adapter->fingerprint : 0,
        .n_groups = engine->pool.n_groups,
        .windows = engine->pool.windows,
    };
    if (adapter)
        memcpy(&shape.scale, &scale, sizeof scale);
    return shape;
}

/* Keys and values that other ranks have are not saved and not loaded: they are computed again, with the same bits. */
static int has_blocks(const struct lli_engine *engine)
{
    return !engine->crew;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct writer {
    const struct lli_snapshot_sink *sink;
    struct llminf_error *err;
    int32_t status;
    uint64_t checksum;
    size_t n;
    uint8_t *piece; /* [PIECE] */
};

static void flush(struct writer *w)
{
    if (w->status == LLMINF_OK && w->n > 0) {
        w->checksum = lli_hash(w->piece, w->n, w->checksum);
        w->status = w->sink->write(w->sink->user, w->piece, w->n, w->err);
    }
    w->n = 0;
}

static void put(struct writer *w, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        size_t fits = PIECE - w->n < n ? PIECE - w->n : n;
        memcpy(w->piece + w->n, at, fits);
        w->n += fits;
        at += fits;
        n -= fits;
        if (w->n == PIECE)
            flush(w);
    }
}

static void put_u32(struct writer *w, uint32_t value)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    put(w, bytes, sizeof bytes);
}

static void put_u64(struct writer *w, uint64_t value)
{
    put_u32(w, (uint32_t)value);
    put_u32(w, (uint32_t)(value >> 32));
}

static void put_header(struct writer *w, const struct lli_timeline *t, uint32_t n_blocks)
{
    struct shape shape = shape_of(t->engine, t->seats ? t->seats->adapter : NULL, t->adapter_scale);
    put(w, magic, sizeof magic);
    put_u32(w, VERSION);
    put_u32(w, 0);
    put_u64(w, shape.fingerprint);
    put_u32(w, LLI_NUMERICS);
    put_u32(w, shape.kv_type);
    put_u32(w, shape.head_dim);
    put_u32(w, shape.n_kv_heads);
    put_u32(w, shape.n_layers);
    put_u32(w, LLI_BLOCK_TOKENS);
    put_u64(w, shape.block_bytes);
    put_u64(w, shape.adapter);
    put_u64(w, shape.scale);
    put_u32(w, shape.n_groups);
    for (uint32_t g = 0; g < shape.n_groups; g++)
        put_u32(w, shape.windows[g]);
    put_u32(w, t->n_tokens);
    put_u32(w, t->n_reached);
    put_u32(w, t->n_said);
    put_u32(w, n_blocks);
    for (uint32_t i = 0; i < t->n_tokens; i++)
        put_u32(w, (uint32_t)t->tokens[i]);
}

static int32_t write_all(struct writer *w, const struct lli_timeline *t, const struct lli_table *table, void *scratch)
{
    const struct lli_pool *pool = &t->engine->pool;
    uint32_t n_blocks = has_blocks(t->engine) ? table->n_computed / LLI_BLOCK_TOKENS : 0;
    uint64_t block_bytes = lli_forward_saved_bytes(t->engine->forward);
    uint64_t n_all = HEADER + ADAPTER + GROUPS + pool->n_groups * WINDOW + (uint64_t)t->n_tokens * 4 +
                     lli_table_kept(pool, n_blocks * LLI_BLOCK_TOKENS) * block_bytes + 8;
    if (w->sink->begin)
        w->status = w->sink->begin(w->sink->user, n_all, w->err);
    if (w->status != LLMINF_OK)
        return w->status;
    put_header(w, t, n_blocks);
    for (uint32_t g = 0; g < pool->n_groups; g++)
        for (uint32_t i = table->n_dropped[g]; i < n_blocks && w->status == LLMINF_OK; i++) {
            lli_forward_save_block(t->engine->forward, table->blocks[g][i], scratch);
            put(w, scratch, block_bytes);
        }
    flush(w);
    put_u64(w, w->checksum);
    flush(w);
    return w->status;
}

/* Holds what the timeline has, so that its blocks stay while they are written. */
static int32_t hold(struct lli_table *table, struct lli_timeline *t, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    int32_t status = lli_engine_check(engine, err);
    if (status != LLMINF_OK)
        return status;
    lli_table_init(table, &engine->pool, 0, 1);
    pthread_mutex_lock(&engine->lock);
    uint32_t n = t->table.n;
    pthread_mutex_unlock(&engine->lock);
    if (lli_table_reserve(table, engine->heap, engine->pool.n_groups, n) != LLMINF_OK)
        return lli_fail_memory(err, NAME, n * sizeof(uint32_t));
    pthread_mutex_lock(&engine->lock);
    if (t->state != LLI_TIMELINE_IDLE) {
        status = lli_fail(err, LLMINF_E_BUSY, NAME, "a generation runs");
    } else { /* it can only have lost some meanwhile */
        lli_table_fork(table, &engine->pool, &t->table);
        engine->n_saving++;
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

static void let_go(struct lli_table *table, struct lli_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    lli_table_cut(table, &engine->pool, 0);
    engine->n_saving--;
    lli_thread_wake(engine);
    pthread_mutex_unlock(&engine->lock);
}

int32_t lli_snapshot_write(struct lli_timeline *t, const struct lli_snapshot_sink *sink, struct llminf_error *err)
{
    struct lli_heap *heap = t->engine->heap;
    struct writer w = {.sink = sink, .err = err};
    struct lli_table table = {0};
    size_t block_bytes = lli_forward_saved_bytes(t->engine->forward);
    void *scratch = lli_alloc(heap, block_bytes);
    w.piece = lli_alloc(heap, PIECE);
    int32_t status = scratch && w.piece ? hold(&table, t, err) : lli_fail_memory(err, NAME, PIECE + block_bytes);
    if (status == LLMINF_OK) {
        status = write_all(&w, t, &table, scratch);
        let_go(&table, t->engine);
    }
    lli_table_finish(&table, heap);
    lli_free(heap, w.piece);
    lli_free(heap, scratch);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct snapshot {
    uint32_t n_tokens, n_reached, n_said, n_blocks;
    const uint8_t *tokens, *blocks;
};

static int32_t check_sum(const uint8_t *bytes, size_t size, struct llminf_error *err)
{
    struct lli_reader r;
    uint64_t sum = 0;
    if (size < HEADER + 8 || memcmp(bytes, magic, sizeof magic) != 0)
        return lli_fail(err, LLMINF_E_FORMAT, NAME, "%zu bytes are no saved session", size);
    for (size_t at = 0; at < size - 8; at += PIECE)
        sum = lli_hash(bytes + at, size - 8 - at < PIECE ? size - 8 - at : PIECE, sum);
    lli_reader_init(&r, bytes + size - 8, 8);
    if (lli_reader_u64(&r) != sum)
        return lli_fail(err, LLMINF_E_FORMAT, NAME, "is damaged or cut short: its checksum is another");
    return LLMINF_OK;
}

static int32_t check_number(const char *what, uint64_t is, uint64_t want, struct llminf_error *err)
{
    if (is == want)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_MISMATCH, what, "is %llx in the saved session, want %llx", (unsigned long long)is,
                    (unsigned long long)want);
}

/* The adapter that was on top of the model. */
static int32_t check_adapter(struct lli_reader *r, const struct shape *want, struct llminf_error *err)
{
    int32_t status = check_number("adapter", lli_reader_u64(r), want->adapter, err);
    uint64_t scale = lli_reader_u64(r);
    return status == LLMINF_OK ? check_number("adapter_scale", scale, want->scale, err) : status;
}

/* Versions that knew no windows kept all positions of all layers. */
static int32_t check_windows(struct lli_reader *r, uint32_t version, const struct shape *want, struct llminf_error *err)
{
    int32_t status = check_number("groups", version < 3 ? 1 : lli_reader_u32(r), want->n_groups, err);
    for (uint32_t g = 0; g < want->n_groups && status == LLMINF_OK; g++)
        status = check_number("window", version < 3 ? 0 : lli_reader_u32(r), want->windows[g], err);
    return status;
}

static int32_t check_shape(struct lli_reader *r, const struct shape *want, struct llminf_error *err)
{
    uint64_t fingerprint = lli_reader_u64(r);
    int32_t status = check_number("model", fingerprint, want->fingerprint, err);
    if (status == LLMINF_OK)
        status = check_number("numerics", lli_reader_u32(r), LLI_NUMERICS, err);
    if (status == LLMINF_OK)
        status = check_number("kv_type", lli_reader_u32(r), want->kv_type, err);
    if (status == LLMINF_OK)
        status = check_number("head_dim", lli_reader_u32(r), want->head_dim, err);
    if (status == LLMINF_OK)
        status = check_number("n_kv_heads", lli_reader_u32(r), want->n_kv_heads, err);
    if (status == LLMINF_OK)
        status = check_number("n_layers", lli_reader_u32(r), want->n_layers, err);
    if (status == LLMINF_OK)
        status = check_number("block", lli_reader_u32(r), LLI_BLOCK_TOKENS, err);
    if (status == LLMINF_OK)
        status = check_number("block_bytes", lli_reader_u64(r), want->block_bytes, err);
    return status;
}

static int32_t parse(struct snapshot *out, const struct lli_engine *engine, const uint8_t *bytes, size_t size,
                     const struct shape *want, struct llminf_error *err)
{
    struct lli_reader r;
    int32_t status = check_sum(bytes, size, err);
    if (status != LLMINF_OK)
        return status;
    lli_reader_init(&r, bytes, size - 8);
    lli_reader_bytes(&r, sizeof magic);
    uint32_t version = lli_reader_u32(&r);
    lli_reader_u32(&r);
    if (version == 0 || version > VERSION)
        return lli_fail(err, LLMINF_E_UNSUPPORTED, NAME, "version %u, want at most %u", version, VERSION);
    status = check_shape(&r, want, err);
    if (status == LLMINF_OK && version == 1)
        status = check_number("adapter", 0, want->adapter, err);
    else if (status == LLMINF_OK)
        status = check_adapter(&r, want, err);
    if (status == LLMINF_OK)
        status = check_windows(&r, version, want, err);
    if (status != LLMINF_OK)
        return status;
    out->n_tokens = lli_reader_u32(&r);
    out->n_reached = lli_reader_u32(&r);
    out->n_said = lli_reader_u32(&r);
    out->n_blocks = lli_reader_u32(&r);
    out->tokens = lli_reader_bytes(&r, (uint64_t)out->n_tokens * 4);
    if (r.failed || out->n_reached > out->n_tokens || out->n_said > out->n_tokens ||
        out->n_blocks > out->n_tokens / LLI_BLOCK_TOKENS)
        return lli_fail(err, LLMINF_E_FORMAT, NAME, "counts %u, %u, %u, %u do not fit together", out->n_tokens, out->n_reached,
                        out->n_said, out->n_blocks);
    uint64_t n_kept = lli_table_kept(&engine->pool, out->n_blocks * LLI_BLOCK_TOKENS);
    out->blocks = lli_reader_bytes(&r, n_kept * lli_forward_saved_bytes(engine->forward));
    if (r.failed || lli_reader_left(&r) != 0)
        return lli_fail(err, LLMINF_E_FORMAT, NAME, "%zu bytes do not hold %u blocks", size, out->n_blocks);
    return LLMINF_OK;
}

static int32_t take_tokens(struct lli_timeline *t, const struct snapshot *s, struct llminf_error *err)
{
    int32_t ids[256], status = LLMINF_OK;
    struct lli_reader r;
    lli_reader_init(&r, s->tokens, (size_t)s->n_tokens * 4);
    for (uint32_t i = 0; i < s->n_tokens && status == LLMINF_OK; i += 256) {
        uint32_t n = s->n_tokens - i < 256 ? s->n_tokens - i : 256;
        for (uint32_t k = 0; k < n; k++)
            ids[k] = (int32_t)lli_reader_u32(&r);
        status = lli_timeline_append(t, ids, n, err);
    }
    return status;
}

/* Blocks for what was saved, under the engine's lock. 1: to be filled; 0: others have them already, or there is no room. */
static int take_blocks(struct lli_timeline *t, const struct snapshot *s)
{
    struct lli_engine *engine = t->engine;
    uint32_t n = s->n_blocks * LLI_BLOCK_TOKENS;
    struct lli_hit hit;
    int32_t status;
    if (n == 0 || (t->is_pinned && lli_roster_promise(engine, t, lli_table_kept(&engine->pool, n), NULL) != LLMINF_OK))
        return 0;
    lli_table_find(&hit, &t->table, &engine->pool, t->tokens, t->n_tokens);
    if (hit.n_tokens >= n) {
        lli_table_accept(&t->table, &engine->pool, &hit);
        return 0;
    }
    if (!has_blocks(engine))
        return 0;
    t->table.extra = lli_engine_own_extra(engine);
    lli_table_restart(&t->table, &engine->pool);
    while ((status = lli_table_restore(&t->table, &engine->pool, n)) == LLMINF_E_FULL && lli_roster_release(engine, t))
        ;
    return status == LLMINF_OK;
}

static void fill_blocks(struct lli_timeline *t, const struct snapshot *s)
{
    struct lli_forward *forward = t->engine->forward;
    const uint8_t *at = s->blocks;
    for (uint32_t g = 0; g < t->engine->pool.n_groups; g++)
        for (uint32_t i = t->table.n_dropped[g]; i < s->n_blocks; i++, at += lli_forward_saved_bytes(forward))
            lli_forward_load_block(forward, t->table.blocks[g][i], at);
}

static int32_t load_blocks(struct lli_timeline *t, const struct snapshot *s, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    if (lli_table_reserve(&t->table, engine->heap, engine->pool.n_groups, lli_table_blocks(s->n_tokens)) != LLMINF_OK)
        return lli_fail_memory(err, NAME, lli_table_blocks(s->n_tokens) * sizeof(uint32_t));
    pthread_mutex_lock(&engine->lock);
    int is_new = take_blocks(t, s);
    engine->n_saving++;
    pthread_mutex_unlock(&engine->lock);
    if (is_new)
        fill_blocks(t, s);
    pthread_mutex_lock(&engine->lock);
    if (is_new)
        lli_table_commit(&t->table, &engine->pool, t->tokens, s->n_blocks * LLI_BLOCK_TOKENS);
    t->n_reached = s->n_reached;
    t->n_said = s->n_said;
    engine->n_saving--;
    lli_roster_settle(engine, t);
    lli_thread_wake(engine);
    pthread_mutex_unlock(&engine->lock);
    return LLMINF_OK;
}

int32_t lli_snapshot_read(struct lli_timeline **out, struct lli_engine *engine, const void *bytes, size_t size,
                          const struct lli_timeline_options *options, struct llminf_error *err)
{
    struct snapshot s;
    struct lli_timeline *t;
    *out = NULL;
    struct shape want = shape_of(engine, options ? options->adapter : NULL, options ? options->adapter_scale : 0);
    int32_t status = parse(&s, engine, bytes, size, &want, err);
    if (status == LLMINF_OK)
        status = lli_timeline_open(&t, engine, options, err);
    if (status != LLMINF_OK)
        return status;
    status = take_tokens(t, &s, err);
    if (status == LLMINF_OK)
        status = load_blocks(t, &s, err);
    if (status != LLMINF_OK)
        lli_timeline_close(t);
    else
        *out = t;
    return status;
}
