/* kv/table.h - one session's blocks: entry i of a group holds positions 16 i .. 16 i + 15 of its layers; and how far they
 * are computed and published.
 *
 * A step is a transaction on a table. In the plan: extend (takes blocks, orders copies), then enter (makes what will be full
 * known as PENDING). After the step: commit, which keeps what was computed, or roll_back. Between the two the table stands
 * still, but for being shared by others. An entry of a window group whose positions no row can see any more is block 0: what
 * is seen is counted from the beginning of the last block, so that a cut to there keeps all.
 *
 * Copy-on-write: a session writes in place into an OPEN block that it alone lists and of which it trusts all that is filled;
 * else it takes a block and orders a copy. So a hit, a fork and a cut need no copying themselves. Where no block is left for
 * the copy, one that it alone lists is forgotten as a prefix and written in place. */
#ifndef LLI_KV_TABLE_H
#define LLI_KV_TABLE_H

#include <stdint.h>

#include "kv/pool.h"

/* The first n_tokens positions of a block, to be copied before the rows of the step are computed. */
struct lli_copy {
    uint32_t dst, src, n_tokens;
};

struct lli_table {
    uint32_t *blocks[LLI_GROUPS_MAX];   /* [n_groups][cap]; one piece of memory, owned through blocks[0] */
    uint32_t n, cap;                    /* entries of each group */
    uint32_t n_dropped[LLI_GROUPS_MAX]; /* leading entries that are block 0 */
    uint32_t n_computed;                /* positions with valid K and V, committed */
    uint32_t n_published;               /* leading blocks that were given to the index */
    uint64_t extra;                     /* part of the keys */
    int is_private;                     /* 1: finds nothing and gives nothing to the index */
    uint64_t hash;                      /* of the chain behind n_published blocks */
    uint32_t parent, parent_generation; /* the last of these; 0: none */

    /* the plan in the making or in flight */
    int is_planned;
    uint32_t n_before;  /* entries that it found */
    uint32_t n_entered; /* leading blocks that are PENDING or published */
    uint32_t n_copies;
    struct lli_copy copies[LLI_GROUPS_MAX]; /* at most one a group; their sources are held */
};

/* What find saw. */
struct lli_hit {
    uint32_t n_tokens; /* computed positions that can be shared: 0 .. n */
    uint32_t pending;  /* a block that another computes right now would have gone on, or LLI_NONE */
};

static inline uint32_t lli_table_blocks(uint32_t n_tokens) /* blocks that hold n_tokens, in one group */
{
    return n_tokens / LLI_BLOCK_TOKENS + (n_tokens % LLI_BLOCK_TOKENS != 0);
}

/* Blocks of all groups that a timeline of n_tokens may hold at most, when a step adds at most step_tokens: the footprint. And
 * the longest timeline that needs no more than n_blocks. */
uint32_t lli_table_footprint(const uint32_t *windows, uint32_t n_groups, uint32_t n_tokens, uint32_t step_tokens);
uint32_t lli_table_longest(const uint32_t *windows, uint32_t n_groups, uint32_t n_blocks, uint32_t step_tokens);

/* An empty table of this key. No memory yet. */
void lli_table_init(struct lli_table *table, const struct lli_pool *pool, uint64_t extra, int is_private);

/* The empty table's key was changed. */
void lli_table_restart(struct lli_table *table, const struct lli_pool *pool);

/* Room for cap entries a group, so that nothing below allocates; the entries stay. 0 or MEMORY, and as before. */
int32_t lli_table_reserve(struct lli_table *table, struct lli_heap *heap, uint32_t n_groups, uint32_t cap);
void lli_table_finish(struct lli_table *table, struct lli_heap *heap); /* after cut(0) */

/* Moves all to a fresh table that has room for it; the old memory is left in `table`'s place holder `roomier`. */
void lli_table_move(struct lli_table *table, struct lli_table *roomier);

/* ---- prefixes: the table is empty */

/* The longest computed beginning of tokens[n] that the pool has under the table's key. Writes the entries into the empty
 * table without taking them: they are good until the pool changes. n <= cap blocks. Not found: all zero. */
void lli_table_find(struct lli_hit *out, struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t n);

/* Takes what find wrote, nothing having changed since: n_computed is then the hit's n_tokens. */
void lli_table_accept(struct lli_table *table, struct lli_pool *pool, const struct lli_hit *hit);

/* As extend of the empty table to n positions, but without the blocks that windows would have dropped by then. To be filled,
 * then committed. 0 or FULL. */
int32_t lli_table_restore(struct lli_table *table, struct lli_pool *pool, uint32_t n);

/* Its blocks of each group, for a plan: good while nothing but this plan changes the table. */
static inline void lli_table_show(const uint32_t *out[LLI_GROUPS_MAX], const struct lli_table *table)
{
    for (uint32_t g = 0; g < LLI_GROUPS_MAX; g++)
        out[g] = table->blocks[g];
}

/* ---- a step */

/* Blocks that extend(end) would take: new ones, and copies of tails that are shared. */
uint32_t lli_table_need(const struct lli_table *table, const struct lli_pool *pool, uint32_t end);

/* Blocks that it may still take on the way to `end`, beyond those that windows give back meanwhile, in steps of step_tokens. */
uint32_t lli_table_to_come(const struct lli_table *table, const struct lli_pool *pool, uint32_t end, uint32_t step_tokens);

/* Positions n_computed .. end - 1 may be written: takes blocks, orders copies. All or nothing: FULL if fewer are available
 * than needed, INTERNAL over cap. */
int32_t lli_table_extend(struct lli_table *table, struct lli_pool *pool, uint32_t end);

/* Lead blocks that positions below `end` fill become PENDING, in order, up to the first whose key is known already. */
void lli_table_enter(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t end);

/* The positions below n_computed hold valid K and V of tokens[]: gives back the entries behind them, publishes full blocks
 * (or takes the known one instead), links the tail, drops what windows have left behind, releases the copies' sources. */
void lli_table_commit(struct lli_table *table, struct lli_pool *pool, const int32_t *tokens, uint32_t n_computed);

/* As it was before extend. */
void lli_table_roll_back(struct lli_table *table, struct lli_pool *pool);

/* ---- between steps */

/* Gives back what lies behind n positions, last entry first; n_computed falls to n or, where a window has dropped what the
 * next row would need, to 0. The cut into a shared block changes nobody's bytes. */
void lli_table_cut(struct lli_table *table, struct lli_pool *pool, uint32_t n);

/* Is all there that a row at a position, n_computed at most, sees before it? Without windows always. */
int lli_table_reaches(const struct lli_table *table, const struct lli_pool *pool, uint32_t pos);

/* `to` is empty and has room: it shares all blocks. */
void lli_table_fork(struct lli_table *to, struct lli_pool *pool, const struct lli_table *from);

/* Blocks of all groups that are kept of n positions. */
uint32_t lli_table_kept(const struct lli_pool *pool, uint32_t n);

/* Blocks that it holds, of all groups; and those that nobody else holds: what cut(0) would make available. */
uint32_t lli_table_held(const struct lli_table *table, const struct lli_pool *pool);
uint32_t lli_table_sole(const struct lli_table *table, const struct lli_pool *pool);

/* Test builds: NULL, or what is wrong (I3, I5, coverage). */
const char *lli_table_check(const struct lli_table *table, const struct lli_pool *pool, const int32_t *tokens);

#endif
