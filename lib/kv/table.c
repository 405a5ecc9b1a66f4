/* kv/table.c - Invariants, between steps: entries n_dropped .. n - 1 of each group name blocks that this table holds one
 * reference on each, those before are block 0; n entries cover n_computed; the first n_published blocks of the lead group are
 * a chain of the index, or of what was recycled from it. */
#include "kv/table.h"

#include <string.h>

#include "llminf/status.h"

#include "base/limits.h"
#include "base/size.h"
#include "kv/prefix.h"

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Blocks of one group at most, with the copy of a tail. */
static uint32_t group_most(uint32_t window, uint32_t n_tokens, uint32_t step_tokens)
{
    uint64_t all = lli_table_blocks(n_tokens), seen = (uint64_t)lli_table_blocks(window) + 2 + lli_table_blocks(step_tokens);
    return (uint32_t)(window == 0 || seen > all ? all : seen);
}

uint32_t lli_table_footprint(const uint32_t *windows, uint32_t n_groups, uint32_t n_tokens, uint32_t step_tokens)
{
    uint64_t n = 0;
    for (uint32_t g = 0; g < n_groups; g++)
        n += group_most(windows[g], n_tokens, step_tokens);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint32_t lli_table_longest(const uint32_t *windows, uint32_t n_groups, uint32_t n_blocks, uint32_t step_tokens)
{
    uint32_t n = 0;
    for (uint32_t step = 1u << 31; step > 0; step /= 2)
        if (n + step <= LLI_MAX_CONTEXT && lli_table_footprint(windows, n_groups, n + step, step_tokens) <= n_blocks)
            n += step;
    return n;
}

void lli_table_restart(struct lli_table *table, const struct lli_pool *pool)
{
    table->n_published = 0;
    table->hash = lli_prefix_seed(pool, table->extra);
    table->parent = 0;
    table->parent_generation = pool->blocks[0].generation;
}

void lli_table_init(struct lli_table *table, const struct lli_pool *pool, uint64_t extra, int is_private)
{
    *table = (struct lli_table){.extra = extra, .is_private = is_private};
    lli_table_restart(table, pool);
}

int32_t lli_table_reserve(struct lli_table *table, struct lli_heap *heap, uint32_t n_groups, uint32_t cap)
{
    struct lli_table old = *table;
    size_t n, bytes;
    if (cap <= table->cap)
        return LLMINF_OK;
    if (lli_size_mul(&n, cap, n_groups) || lli_size_mul(&bytes, n, sizeof *table->blocks[0]))
        return LLMINF_E_MEMORY;
    uint32_t *blocks = lli_alloc(heap, bytes);
    if (!blocks)
        return LLMINF_E_MEMORY;
    for (uint32_t g = 0; g < n_groups; g++) {
        table->blocks[g] = blocks + (size_t)g * cap;
        if (old.n > 0)
            memcpy(table->blocks[g], old.blocks[g], old.n * sizeof *blocks);
    }
    lli_free(heap, old.blocks[0]);
    table->cap = cap;
    return LLMINF_OK;
}

void lli_table_finish(struct lli_table *table, struct lli_heap *heap)
{
    lli_free(heap, table->blocks[0]);
    *table = (struct lli_table){0};
}

void lli_table_move(struct lli_table *table, struct lli_table *roomier)
{
    struct lli_table old = *table;
    for (uint32_t g = 0; g < LLI_GROUPS_MAX; g++) {
        table->blocks[g] = roomier->blocks[g];
        if (old.n > 0 && old.blocks[g])
            memcpy(table->blocks[g], old.blocks[g], old.n * sizeof *old.blocks[g]);
        roomier->blocks[g] = old.blocks[g];
    }
    table->cap = roomier->cap;
    roomier->cap = old.cap;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* Last entry first, and of one place the other groups before the lead: what hangs on a block is older in the LRU. */
static void release(struct lli_table *table, struct lli_pool *pool, uint32_t n)
{
    while (table->n > n) {
        table->n--;
        for (uint32_t g = pool->n_groups; g-- > 0;)
            if (table->n >= table->n_dropped[g])
                lli_pool_unref(pool, table->blocks[g][table->n]);
    }
    for (uint32_t g = 0; g < pool->n_groups; g++)
        if (table->n_dropped[g] > n)
            table->n_dropped[g] = n;
}

/* First entry that is kept of n positions: that the row before the last block's first one needs, and so all behind it. */
static uint32_t first_kept(const struct lli_pool *pool, uint32_t group, uint32_t n)
{
    uint32_t window = pool->windows[group];
    n -= n % LLI_BLOCK_TOKENS;
    return window == 0 || n <= window ? 0 : (n - window) / LLI_BLOCK_TOKENS;
}

uint32_t lli_table_kept(const struct lli_pool *pool, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t g = 0; g < pool->n_groups; g++)
        n_kept += lli_table_blocks(n) - first_kept(pool, g, n);
    return n_kept;
}

uint32_t lli_table_held(const struct lli_table *table, const struct lli_pool *pool)
{
    uint32_t n = 0;
    for (uint32_t g = 0; g < pool->n_groups; g++)
        n += table->n - table->n_dropped[g];
    return n;
}

/* Blocks of a group that nobody else holds. */
static uint32_t sole_of(const struct lli_table *table, const struct lli_pool *pool, uint32_t group)
{
    uint32_t n = 0;
    for (uint32_t i = table->n_dropped[group]; i < table->n; i++) {
        const struct lli_block *block = &pool->blocks[table->blocks[group][i]];
        n += block->refs == 1 && block->holds == 0;
    }
    return n;
}

uint32_t lli_table_sole(const struct lli_table *table, const struct lli_pool *pool)
{
    uint32_t n = 0;
    for (uint32_t g = 0; g < pool->n_groups; g++)
        n += sole_of(table, pool, g);
    return n;
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------- */

/* Do the blocks of all groups that a timeline of n tokens keeps exist? */
static int is_covered(const struct lli_table *table, const struct lli_pool *pool, uint32_t n)
{
    for (uint32_t g = 1; g < pool->n_groups; g++)
        for (uint32_t i = first_kept(pool, g, n); i < lli_table_blocks(n); i++) {
            uint32_t id = lli_prefix_attached(pool, table->blocks[0][i], g), left = n - i * LLI_BLOCK_TOKENS;
            if (id == LLI_NONE || pool->blocks[id].n_filled < (left < LLI_BLOCK_TOKENS ? left : LLI_BLOCK_TOKENS))
                return 0;
        }
    return 1;
}

void lli_table_find(struct lli_hit *out, struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t n)
{
    uint32_t i = 0, parent = 0, k = 0;
    uint64_t hash = lli_prefix_seed(pool, table->extra);
    *out = (struct lli_hit){.pending = LLI_NONE};
    if (table->is_private)
        return;
    for (; n - i * LLI_BLOCK_TOKENS >= LLI_BLOCK_TOKENS; i++) {
        const int32_t *at = tokens + (size_t)i * LLI_BLOCK_TOKENS;
        hash = lli_prefix_next(hash, at);
        uint32_t id = lli_prefix_find(pool, hash, table->extra, parent, at);
        if (id == LLI_NONE)
            break;
        if (pool->blocks[id].state == LLI_BLOCK_PENDING) {
            out->pending = id;
            break;
        }
        table->blocks[0][i] = parent = id;
    }
    uint32_t left = n - i * LLI_BLOCK_TOKENS, most = left < LLI_BLOCK_TOKENS ? left : LLI_BLOCK_TOKENS - 1;
    if (most > 0 && out->pending == LLI_NONE) {
        uint32_t id = lli_prefix_child(&k, pool, parent, table->extra, tokens + (size_t)i * LLI_BLOCK_TOKENS, most);
        if (k > 0)
            table->blocks[0][i] = id;
    }
    n = i * LLI_BLOCK_TOKENS + k;
    while (!is_covered(table, pool, n))
        n = (n - 1) / LLI_BLOCK_TOKENS * LLI_BLOCK_TOKENS;
    out->n_tokens = n;
}

/* The chain ends behind n blocks, whose lead entries are there. */
static void follow_chain(struct lli_table *table, const struct lli_pool *pool, uint32_t n)
{
    lli_table_restart(table, pool);
    if (n == 0)
        return;
    const struct lli_block *last = &pool->blocks[table->blocks[0][n - 1]];
    table->n_published = n;
    table->hash = last->hash;
    table->parent = table->blocks[0][n - 1];
    table->parent_generation = last->generation;
}

void lli_table_accept(struct lli_table *table, struct lli_pool *pool, const struct lli_hit *hit)
{
    uint32_t n = lli_table_blocks(hit->n_tokens);
    follow_chain(table, pool, hit->n_tokens / LLI_BLOCK_TOKENS);
    table->n = n;
    table->n_computed = hit->n_tokens;
    for (uint32_t g = pool->n_groups; g-- > 0;) {
        uint32_t first = first_kept(pool, g, hit->n_tokens);
        table->n_dropped[g] = first < n ? first : n;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t lead = table->blocks[0][i];
            table->blocks[g][i] = i < first ? 0 : g == 0 ? lead : lli_prefix_attached(pool, lead, g);
            if (i >= first)
                lli_pool_ref(pool, table->blocks[g][i]);
        }
    }
}

/* ---- a step: before ---------------------------------------------------------------------------------------------- */

enum tail { IN_PLACE, BETTER_COPIED, COPIED };

/* May the group's entry at the table's end be written behind what is computed? A copy of it that is under way reads what is
 * filled, no more. One that is PENDING was entered for this very plan, or by another table that shares it. */
static enum tail judge_tail(const struct lli_table *table, const struct lli_pool *pool, uint32_t group)
{
    uint32_t i = table->n_computed / LLI_BLOCK_TOKENS, n_used = table->n_computed % LLI_BLOCK_TOKENS;
    const struct lli_block *block = &pool->blocks[table->blocks[group][i]];
    if (block->state == LLI_BLOCK_PENDING && table->is_planned && i < table->n_entered)
        return IN_PLACE;
    if (block->refs > 1)
        return COPIED;
    if (block->state == LLI_BLOCK_OPEN && (block->n_filled == n_used || (block->n_filled < n_used && block->holds == 0)))
        return IN_PLACE;
    return block->holds > 0 ? COPIED : BETTER_COPIED;
}

static int has_tail(const struct lli_table *table)
{
    return table->n_computed % LLI_BLOCK_TOKENS != 0 && table->n_computed / LLI_BLOCK_TOKENS < table->n;
}

uint32_t lli_table_need(const struct lli_table *table, const struct lli_pool *pool, uint32_t end)
{
    uint32_t n = lli_table_blocks(end), need = n > table->n ? (n - table->n) * pool->n_groups : 0;
    if (end <= table->n_computed)
        return 0;
    for (uint32_t g = 0; has_tail(table) && g < pool->n_groups; g++)
        need += judge_tail(table, pool, g) == COPIED;
    return need;
}

/* What a window drops makes room only if nobody else holds it. */
uint32_t lli_table_to_come(const struct lli_table *table, const struct lli_pool *pool, uint32_t end, uint32_t step_tokens)
{
    uint32_t n = lli_table_need(table, pool, end), all = lli_table_blocks(end), left = all > table->n ? all - table->n : 0;
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        uint32_t most = group_most(pool->windows[g], end, step_tokens), held = table->n - table->n_dropped[g];
        if (most >= all || (uint64_t)left + held <= most)
            continue;
        held = sole_of(table, pool, g);
        most -= held < most ? held : most;
        n -= left > most ? left - most : 0;
    }
    return n;
}

static void copy_tail(struct lli_table *table, struct lli_pool *pool, uint32_t group, uint32_t i, uint32_t n_used)
{
    uint32_t src = table->blocks[group][i];
    lli_pool_hold(pool, src);
    lli_pool_unref(pool, src);
    uint32_t dst = lli_pool_take(pool, group);
    table->blocks[group][i] = dst;
    table->copies[table->n_copies++] = (struct lli_copy){.dst = dst, .src = src, .n_tokens = n_used};
}

/* The tail of each group can then be written. n_new: blocks that must still be there afterwards. */
static void open_tail(struct lli_table *table, struct lli_pool *pool, uint32_t n_new)
{
    uint32_t i = table->n_computed / LLI_BLOCK_TOKENS, n_used = table->n_computed % LLI_BLOCK_TOKENS;
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        uint32_t id = table->blocks[g][i];
        struct lli_block *block = &pool->blocks[id];
        enum tail tail = judge_tail(table, pool, g);
        uint32_t n_later = n_new; /* with the copies that other groups cannot do without */
        for (uint32_t later = g + 1; later < pool->n_groups; later++)
            n_later += judge_tail(table, pool, later) == COPIED;
        if (tail == COPIED || (tail == BETTER_COPIED && lli_pool_available(pool) > n_later)) {
            copy_tail(table, pool, g, i, n_used);
            continue;
        }
        if (tail == BETTER_COPIED) {
            lli_prefix_forget(pool, id);
            block->state = LLI_BLOCK_OPEN;
            block->n_filled = (uint8_t)n_used;
        }
        if (g > 0 && block->parent_generation != 0 && block->parent != table->blocks[0][i])
            lli_prefix_unlink(pool, id);
    }
}

int32_t lli_table_extend(struct lli_table *table, struct lli_pool *pool, uint32_t end)
{
    uint32_t n = lli_table_blocks(end), n_new = n > table->n ? (n - table->n) * pool->n_groups : 0;
    if (end <= table->n_computed)
        return LLMINF_OK;
    if (n > table->cap)
        return LLMINF_E_INTERNAL;
    if (lli_table_need(table, pool, end) > lli_pool_available(pool))
        return LLMINF_E_FULL;
    if (!table->is_planned) {
        table->is_planned = 1;
        table->n_before = table->n;
        table->n_entered = table->n_published;
    }
    if (has_tail(table))
        open_tail(table, pool, n_new);
    for (; table->n < n; table->n++)
        for (uint32_t g = 0; g < pool->n_groups; g++)
            table->blocks[g][table->n] = lli_pool_take(pool, g);
    return LLMINF_OK;
}

int32_t lli_table_restore(struct lli_table *table, struct lli_pool *pool, uint32_t n)
{
    uint32_t n_entries = lli_table_blocks(n);
    if (n_entries > table->cap)
        return LLMINF_E_INTERNAL;
    if (lli_table_kept(pool, n) > lli_pool_available(pool))
        return LLMINF_E_FULL;
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        table->n_dropped[g] = first_kept(pool, g, n);
        for (uint32_t i = 0; i < n_entries; i++)
            table->blocks[g][i] = i < table->n_dropped[g] ? 0 : lli_pool_take(pool, g);
    }
    table->n = n_entries;
    return LLMINF_OK;
}

static int has_parent(const struct lli_table *table, const struct lli_pool *pool)
{
    return !table->is_private && pool->blocks[table->parent].generation == table->parent_generation;
}

void lli_table_enter(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t end)
{
    uint64_t hash = table->hash;
    uint32_t parent = table->parent;
    if (!table->is_planned || !has_parent(table, pool))
        return;
    for (uint32_t i = table->n_published; i < end / LLI_BLOCK_TOKENS; i++) {
        const int32_t *at = tokens + (size_t)i * LLI_BLOCK_TOKENS;
        uint32_t id = table->blocks[0][i];
        hash = lli_prefix_next(hash, at);
        if (id == 0 || pool->blocks[id].state != LLI_BLOCK_OPEN ||
            lli_prefix_find(pool, hash, table->extra, parent, at) != LLI_NONE)
            break;
        if (pool->blocks[id].parent_generation != 0)
            lli_prefix_unlink(pool, id);
        if (!lli_prefix_enter(pool, id, hash, table->extra, parent, at))
            break;
        table->n_entered = i + 1;
        parent = id;
    }
}

/* ---- a step: after ----------------------------------------------------------------------------------------------- */

/* What was PENDING behind the first n blocks is OPEN again. */
static void leave_index(struct lli_table *table, struct lli_pool *pool, uint32_t n)
{
    for (; table->n_entered > n; table->n_entered--) {
        uint32_t id = table->blocks[0][table->n_entered - 1];
        lli_prefix_leave(pool, id);
        pool->blocks[id].parent_generation = 0;
    }
}

/* The block of a group takes its place at a full lead block, or makes room for the one that is there. */
static void attach(struct lli_table *table, struct lli_pool *pool, uint32_t group, uint32_t i)
{
    uint32_t lead = table->blocks[0][i], own = table->blocks[group][i];
    struct lli_block *block = &pool->blocks[own];
    if (i < table->n_dropped[group])
        return;
    uint32_t known = lli_prefix_attached(pool, lead, group);
    block->n_filled = LLI_BLOCK_TOKENS;
    block->state = LLI_BLOCK_FULL;
    if (known == own)
        return;
    if (block->parent_generation != 0)
        lli_prefix_unlink(pool, own);
    if (known == LLI_NONE || pool->blocks[known].n_filled < LLI_BLOCK_TOKENS) {
        if (known != LLI_NONE)
            lli_prefix_unlink(pool, known);
        lli_prefix_link(pool, own, lead);
        return;
    }
    lli_pool_ref(pool, known);
    lli_pool_unref(pool, own);
    table->blocks[group][i] = known;
}

/* Block i, computed, becomes part of the chain. 0: not now. */
static int publish(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t i)
{
    const int32_t *at = tokens + (size_t)i * LLI_BLOCK_TOKENS;
    uint32_t id = table->blocks[0][i], known;
    struct lli_block *block = &pool->blocks[id];
    uint64_t hash = lli_prefix_next(table->hash, at);
    if (id == 0)
        return 0;
    if (block->state == LLI_BLOCK_OPEN) {
        known = lli_prefix_find(pool, hash, table->extra, table->parent, at);
        if (known != LLI_NONE && pool->blocks[known].state == LLI_BLOCK_PENDING)
            return 0;
        if (block->parent_generation != 0 && block->refs == 1)
            lli_prefix_unlink(pool, id);
        if (known != LLI_NONE) {
            lli_pool_ref(pool, known);
            lli_pool_unref(pool, id);
            table->blocks[0][i] = id = known;
            pool->counters.deduplicated++;
        } else {
            if (block->parent_generation != 0)
                lli_prefix_unlink(pool, id);
            if (!lli_prefix_enter(pool, id, hash, table->extra, table->parent, at))
                return 0;
            table->n_entered = i + 1;
        }
        block = &pool->blocks[id];
    }
    if (block->state == LLI_BLOCK_PENDING && i >= table->n_entered)
        return 0; /* another's, that forked from here */
    if (block->state == LLI_BLOCK_PENDING) {
        block->state = LLI_BLOCK_FULL;
        block->n_filled = LLI_BLOCK_TOKENS;
        lli_prefix_link(pool, id, table->parent);
    }
    for (uint32_t g = 1; g < pool->n_groups; g++)
        attach(table, pool, g, i);
    table->hash = hash;
    table->parent = id;
    table->parent_generation = block->generation;
    table->n_published = i + 1;
    return 1;
}

/* The block of a group behind the chain has its first n tokens. */
static void fill(struct lli_table *table, struct lli_pool *pool, uint32_t group, uint32_t i, const int32_t *tokens, uint32_t n)
{
    struct lli_block *block = &pool->blocks[table->blocks[group][i]];
    if (block->state != LLI_BLOCK_OPEN || block->n_filled >= n)
        return;
    block->n_filled = (uint8_t)n;
    block->extra = table->extra;
    if (group == 0)
        memcpy(block->tokens, tokens, n * sizeof *tokens);
}

/* Can the beginning of a block be found? Only the first behind the chain can, and that of a shared block only if it was linked
 * while it was one table's: two forks may disagree about the block before it, when one of them took a known one instead. */
static void link_tail(struct lli_table *table, struct lli_pool *pool, uint32_t group, uint32_t i)
{
    uint32_t id = table->blocks[group][i], lead = table->blocks[0][i];
    const struct lli_block *block = &pool->blocks[id];
    if (block->state != LLI_BLOCK_OPEN || block->parent_generation != 0 || block->n_filled == LLI_BLOCK_TOKENS ||
        block->refs > 1)
        return;
    if (group == 0)
        lli_prefix_link(pool, id, table->parent);
    else if (lead != 0 && pool->blocks[lead].parent_generation != 0 && lli_prefix_attached(pool, lead, group) == LLI_NONE)
        lli_prefix_link(pool, id, lead);
}

static void note_tail(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens)
{
    for (uint32_t i = table->n_published; i < table->n; i++) {
        uint32_t at = i * LLI_BLOCK_TOKENS, left = table->n_computed - at;
        for (uint32_t g = 0; g < pool->n_groups; g++) {
            if (i < table->n_dropped[g])
                continue;
            fill(table, pool, g, i, tokens + at, left < LLI_BLOCK_TOKENS ? left : LLI_BLOCK_TOKENS);
            if (i == table->n_published && has_parent(table, pool))
                link_tail(table, pool, g, i);
        }
    }
}

/* Blocks that are not kept. */
static void drop(struct lli_table *table, struct lli_pool *pool)
{
    for (uint32_t g = pool->n_groups; g-- > 0;) {
        uint32_t first = first_kept(pool, g, table->n_computed);
        for (; table->n_dropped[g] < first; table->n_dropped[g]++) {
            uint32_t *entry = &table->blocks[g][table->n_dropped[g]];
            lli_pool_unref(pool, *entry);
            *entry = 0;
        }
    }
}

void lli_table_commit(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t n_computed)
{
    while (table->n_copies > 0)
        lli_pool_unhold(pool, table->copies[--table->n_copies].src);
    if (!table->is_planned)
        table->n_entered = table->n_published;
    table->is_planned = 0;
    table->n_computed = n_computed;
    leave_index(table, pool,
                n_computed / LLI_BLOCK_TOKENS > table->n_published ? n_computed / LLI_BLOCK_TOKENS : table->n_published);
    release(table, pool, lli_table_blocks(n_computed));
    while (table->n_published < n_computed / LLI_BLOCK_TOKENS && has_parent(table, pool))
        if (!publish(table, pool, tokens, table->n_published))
            break;
    leave_index(table, pool, table->n_published);
    note_tail(table, pool, tokens);
    drop(table, pool);
}

void lli_table_roll_back(struct lli_table *table, struct lli_pool *pool)
{
    uint32_t i = table->n_computed / LLI_BLOCK_TOKENS;
    if (!table->is_planned)
        return;
    leave_index(table, pool, table->n_published);
    release(table, pool, table->n_before);
    while (table->n_copies > 0) {
        const struct lli_copy *copy = &table->copies[--table->n_copies];
        uint32_t *entry = &table->blocks[pool->blocks[copy->dst].group][i];
        *entry = copy->src;
        lli_pool_ref(pool, copy->src);
        lli_pool_unhold(pool, copy->src);
        lli_pool_unref(pool, copy->dst);
    }
    if (i == table->n_published && has_tail(table) && has_parent(table, pool))
        link_tail(table, pool, 0, i); /* it may have been PENDING */
    table->is_planned = 0;
}

/* ---- between steps ----------------------------------------------------------------------------------------------- */

int lli_table_reaches(const struct lli_table *table, const struct lli_pool *pool, uint32_t pos)
{
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        uint32_t window = pool->windows[g], first = window > 0 && pos >= window ? pos + 1 - window : 0;
        if (first / LLI_BLOCK_TOKENS < table->n_dropped[g])
            return 0;
    }
    return 1;
}

/* Is all there that the row behind n positions would need, and the end of the chain? */
static int can_cut(const struct lli_table *table, const struct lli_pool *pool, uint32_t n)
{
    for (uint32_t g = 0; g < pool->n_groups; g++)
        if (first_kept(pool, g, n) < table->n_dropped[g])
            return 0;
    uint32_t n_full = n / LLI_BLOCK_TOKENS;
    return n_full == 0 || n_full >= table->n_published || table->n_dropped[0] < n_full;
}

void lli_table_cut(struct lli_table *table, struct lli_pool *pool, uint32_t n)
{
    if (n >= table->n_computed)
        return;
    if (!can_cut(table, pool, n))
        n = 0;
    release(table, pool, lli_table_blocks(n));
    table->n_computed = n;
    if (table->n_published > n / LLI_BLOCK_TOKENS)
        follow_chain(table, pool, n / LLI_BLOCK_TOKENS);
}

void lli_table_fork(struct lli_table *to, struct lli_pool *pool, const struct lli_table *from)
{
    to->n = from->n;
    to->n_computed = from->n_computed;
    to->n_published = from->n_published;
    to->extra = from->extra;
    to->is_private = from->is_private;
    to->hash = from->hash;
    to->parent = from->parent;
    to->parent_generation = from->parent_generation;
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        to->n_dropped[g] = from->n_dropped[g];
        for (uint32_t i = 0; i < from->n; i++) {
            to->blocks[g][i] = from->blocks[g][i];
            if (i >= from->n_dropped[g])
                lli_pool_ref(pool, from->blocks[g][i]);
        }
    }
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static const char *check_entry(const struct lli_table *table, const struct lli_pool *pool, uint32_t group, uint32_t i)
{
    uint32_t id = table->blocks[group][i];
    if (i < table->n_dropped[group])
        return id == 0 ? NULL : "a dropped entry names a block";
    if (id == 0 || id >= pool->n_blocks)
        return "an entry names no block";
    const struct lli_block *block = &pool->blocks[id];
    if (block->refs == 0 || block->state == LLI_BLOCK_FREE || block->group != group)
        return "an entry names a block that is free, or of another group";
    uint32_t left = table->n_computed > i * LLI_BLOCK_TOKENS ? table->n_computed - i * LLI_BLOCK_TOKENS : 0;
    if (!table->is_planned && block->n_filled < (left < LLI_BLOCK_TOKENS ? left : LLI_BLOCK_TOKENS))
        return "an entry names a block that is filled less than is computed";
    return NULL;
}

/* I5, and the tokens of the chain. */
static const char *check_chain(const struct lli_table *table, const struct lli_pool *pool, const int32_t *tokens, uint32_t i)
{
    const struct lli_block *block = &pool->blocks[table->blocks[0][i]];
    if (i < table->n_dropped[0] || (block->state != LLI_BLOCK_FULL && pool->windows[0] != 0))
        return NULL;
    if (block->state != LLI_BLOCK_FULL)
        return "a published block is not full";
    if (memcmp(block->tokens, tokens + (size_t)i * LLI_BLOCK_TOKENS, sizeof block->tokens) != 0)
        return "a published block has other tokens";
    if (i > table->n_dropped[0] || i == 0) {
        uint32_t parent = i == 0 ? 0 : table->blocks[0][i - 1];
        if (block->parent != parent || block->parent_generation != pool->blocks[parent].generation)
            return "a published block hangs on another than the one before it";
    }
    return NULL;
}

const char *lli_table_check(const struct lli_table *table, const struct lli_pool *pool, const int32_t *tokens)
{
    const char *wrong = NULL;
    if ((uint64_t)table->n_published * LLI_BLOCK_TOKENS > table->n_computed)
        return "more is published than computed";
    if (!table->is_planned && (table->n != lli_table_blocks(table->n_computed) || table->n_copies != 0))
        return "the entries do not cover what is computed, or copies are left";
    for (uint32_t g = 0; g < pool->n_groups; g++) {
        uint32_t first = first_kept(pool, g, table->n_computed);
        if (!table->is_planned && table->n_dropped[g] != (first < table->n ? first : table->n))
            return "a window keeps more than it sees, or less";
    }
    for (uint32_t g = 0; g < pool->n_groups; g++)
        for (uint32_t i = 0; i < table->n && !wrong; i++)
            wrong = check_entry(table, pool, g, i);
    for (uint32_t i = 0; i < table->n_published && !wrong; i++)
        wrong = check_chain(table, pool, tokens, i);
    return wrong;
}
