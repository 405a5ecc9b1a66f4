/* 1: pool, prefix index and tables under a million random operations, against a model that knows for each position of each
 * block what was written there. What a position holds is the hash of the tokens up to it, so that a wrong block, a wrong copy
 * or a block that changed under its reader shows at once. */
#include "kv/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kv/prefix.h"
#include "llminf/status.h"
#include "support.h"

enum { B = LLI_BLOCK_TOKENS, MAX_BLOCKS = 41, N_SEQS = 7, MAX_LEN = 7 * B, N_OPERATIONS = 1000000 };

struct seq {
    struct lli_table table;
    int32_t tokens[MAX_LEN];
    uint64_t truth[MAX_LEN]; /* what its positions hold */
    uint32_t n;              /* tokens */
    uint32_t end, keep;      /* in a plan: planned up to here; kept after the step */
    int in_plan;
};

struct model {
    struct lli_pool pool;
    uint64_t held[MAX_BLOCKS][B]; /* by block and place */
    struct seq seqs[N_SEQS];
    struct support_heap host;
    struct lli_heap heap;
    uint64_t seed;
    char wrong[200];
};

static struct model m;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(support_random(&m.seed) % n);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void complain(const char *what, uint32_t seq, uint32_t pos)
{
    if (m.wrong[0] == 0)
        snprintf(m.wrong, sizeof m.wrong, "%s: session %u, %u", what, seq, pos);
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static uint32_t first_read(uint32_t group, uint32_t pos) /* by a row at pos */
{
    uint32_t window = m.pool.windows[group];
    return window == 0 || pos < window ? 0 : pos + 1 - window;
}

static void tell_truth(struct seq *s, uint32_t from)
{
    for (uint32_t i = from; i < s->n; i++)
        s->truth[i] = mix((i > 0 ? s->truth[i - 1] : s->table.extra) + mix((uint64_t)(uint32_t)s->tokens[i] + 77 * i + 1));
}

/* Positions first .. last - 1 of a group are those of this session. */
static void check_read(const struct seq *s, uint32_t group, uint32_t first, uint32_t last)
{
    for (uint32_t pos = first; pos < last; pos++) {
        uint32_t id = s->table.blocks[group][pos / B];
        if (id == 0 || m.held[id][pos % B] != s->truth[pos]) {
            complain(id == 0 ? "a row reads the null block" : "a row reads what is not its own", (uint32_t)(s - m.seqs), pos);
            return;
        }
    }
}

/* The step that the real forward would make: all copies, then all rows. */
static void run_plan(void)
{
    for (uint32_t i = 0; i < N_SEQS; i++)
        for (uint32_t c = 0; m.seqs[i].in_plan && c < m.seqs[i].table.n_copies; c++) {
            const struct lli_copy *copy = &m.seqs[i].table.copies[c];
            for (uint32_t k = 0; k < B; k++)
                m.held[copy->dst][k] = k < copy->n_tokens ? m.held[copy->src][k] : 0xdead;
        }
    for (uint32_t i = 0; i < N_SEQS; i++) {
        struct seq *s = &m.seqs[i];
        for (uint32_t pos = s->table.n_computed; s->in_plan && pos < s->end; pos++)
            for (uint32_t g = 0; g < m.pool.n_groups; g++) {
                uint32_t id = s->table.blocks[g][pos / B];
                if (pos % B == 0)
                    memset(m.held[id], 0xee, sizeof m.held[id]);
                m.held[id][pos % B] = s->truth[pos];
            }
    }
    for (uint32_t i = 0; i < N_SEQS; i++) {
        struct seq *s = &m.seqs[i];
        uint32_t from = s->end > s->table.n_computed ? s->table.n_computed : s->end - 1; /* NO_STORE */
        for (uint32_t pos = from; s->in_plan && pos < s->end; pos++)
            for (uint32_t g = 0; g < m.pool.n_groups; g++)
                check_read(s, g, first_read(g, pos), pos + 1);
    }
}

/* ---- invariants -------------------------------------------------------------------------------------------------- */

/* 15: no two full blocks have the same key. 20: a window holds no more blocks than it can see, and one that it sees in part. */
static void check_keys(void)
{
    for (uint32_t a = 1; a < m.pool.n_blocks; a++)
        for (uint32_t b = a + 1; b < m.pool.n_blocks; b++) {
            const struct lli_block *x = &m.pool.blocks[a], *y = &m.pool.blocks[b];
            if (x->state == LLI_BLOCK_FULL && y->state == LLI_BLOCK_FULL && x->group == 0 && y->group == 0 &&
                x->hash == y->hash && x->parent == y->parent && x->parent_generation == y->parent_generation)
                complain("two full blocks have the same key", a, b);
        }
    for (uint32_t i = 0; i < N_SEQS; i++)
        for (uint32_t g = 0; g < m.pool.n_groups; g++) {
            const struct lli_table *table = &m.seqs[i].table;
            if (m.pool.windows[g] > 0 && !table->is_planned &&
                table->n - table->n_dropped[g] > lli_table_blocks(m.pool.windows[g]) + 1)
                complain("a window holds more blocks than it can see", i, g);
        }
}

/* I6: where all is seen, what hangs on a cached block is cached and older, so nothing hangs on what is recycled. */
static void check_order(void)
{
    uint8_t is_older[MAX_BLOCKS] = {0};
    for (uint32_t id = m.pool.lru_head; id != LLI_NONE && m.pool.windows[0] == 0; id = m.pool.blocks[id].lru_next) {
        const uint32_t lists[] = {m.pool.blocks[id].child, m.pool.blocks[id].attached};
        for (int k = 0; k < 2; k++)
            for (uint32_t on = lists[k]; on != LLI_NONE; on = m.pool.blocks[on].sibling_next)
                if (!is_older[on])
                    complain("a block would be recycled before what hangs on it", id, on);
        is_older[id] = 1;
    }
}

static void check_all(void)
{
    uint32_t refs[MAX_BLOCKS] = {0}, holds[MAX_BLOCKS] = {0};
    const char *wrong = lli_pool_check(&m.pool);
    if (wrong)
        complain(wrong, 0, 0);
    for (uint32_t i = 0; i < N_SEQS && m.wrong[0] == 0; i++) {
        const struct seq *s = &m.seqs[i];
        wrong = lli_table_check(&s->table, &m.pool, s->tokens);
        if (wrong)
            complain(wrong, i, 0);
        for (uint32_t g = 0; g < m.pool.n_groups; g++)
            for (uint32_t k = s->table.n_dropped[g]; k < s->table.n; k++)
                refs[s->table.blocks[g][k]]++;
        for (uint32_t c = 0; c < s->table.n_copies; c++)
            holds[s->table.copies[c].src]++;
        for (uint32_t g = 0; g < m.pool.n_groups && !s->table.is_planned && s->table.n_computed > 0; g++)
            check_read(s, g, first_read(g, s->table.n_computed - 1), s->table.n_computed);
    }
    check_order();
    for (uint32_t id = 1; id < m.pool.n_blocks; id++) /* I2 */
        if (m.pool.blocks[id].refs != refs[id] || m.pool.blocks[id].holds != holds[id])
            complain("refs or holds are not the number of those who name the block", id, refs[id]);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static uint32_t n_children(uint32_t id)
{
    uint32_t n = 0;
    for (uint32_t c = m.pool.blocks[id].child; c != LLI_NONE; c = m.pool.blocks[c].sibling_next)
        n++;
    return n;
}

/* 6: at least what any live session has in common, by brute force. Full attention only. */
static void check_hit(const struct seq *s, const struct lli_hit *hit)
{
    for (uint32_t i = 0; i < N_SEQS; i++) {
        const struct seq *o = &m.seqs[i];
        uint32_t n = 0, n_full;
        if (o == s || o->table.extra != s->table.extra || o->table.is_private || s->table.is_private)
            continue;
        while (n < s->n && n < o->table.n_computed && s->tokens[n] == o->tokens[n])
            n++;
        n_full = n / B < o->table.n_published ? n / B : o->table.n_published;
        if (hit->n_tokens < n_full * B)
            complain("a hit is shorter than what is published", i, hit->n_tokens);
        uint32_t parent = n_full > 0 ? o->table.blocks[0][n_full - 1] : 0;
        if (n / B == n_full && n % B > 0 && o->table.n > n_full &&
            m.pool.blocks[o->table.blocks[0][n_full]].parent_generation != 0 && n_children(parent) <= LLI_MAX_CHILDREN &&
            hit->n_tokens < n)
            complain("a hit is shorter than a common prefix", i, hit->n_tokens);
    }
}

static int has_pending(void)
{
    for (uint32_t i = 0; i < N_SEQS; i++)
        if (m.seqs[i].table.is_planned)
            return 1;
    return 0;
}

/* New tokens for an empty session: the beginning of another's, then some of a small alphabet; then what is found of them. */
static void begin(struct seq *s)
{
    const struct seq *o = &m.seqs[below(N_SEQS)];
    struct lli_hit hit;
    uint32_t n = 0;
    if (o != s && o->n > 0)
        for (n = 0; n < 1 + below(o->n); n++)
            s->tokens[n] = o->tokens[n];
    s->n = n + below(MAX_LEN - n + 1);
    for (; n < s->n; n++)
        s->tokens[n] = (int32_t)below(2);
    s->table.extra = below(4) == 0;
    s->table.is_private = below(16) == 0;
    lli_table_init(&(struct lli_table){0}, &m.pool, 0, 0);
    lli_table_cut(&s->table, &m.pool, 0);
    s->table.hash = lli_prefix_seed(&m.pool, s->table.extra);
    tell_truth(s, 0);
    lli_table_find(&hit, &s->table, &m.pool, s->tokens, s->n);
    if (m.pool.n_groups == 1 && m.pool.windows[0] == 0 && !has_pending())
        check_hit(s, &hit);
    lli_table_accept(&s->table, &m.pool, &hit);
}

static void plan_one(struct seq *s)
{
    uint32_t first = s->table.n_computed, free_before = lli_pool_available(&m.pool);
    if (s->in_plan || s->n == 0)
        return;
    s->end = first + below(s->n - first + 1);
    if (s->end == first && (first == 0 || first < s->n))
        return;
    uint32_t need = lli_table_need(&s->table, &m.pool, s->end);
    int32_t status = lli_table_extend(&s->table, &m.pool, s->end);
    if ((status == LLMINF_OK) != (need <= free_before))
        complain("extend does not keep to what is needed", need, free_before);
    if (status != LLMINF_OK)
        return;
    s->in_plan = 1;
    s->keep = s->end;
    if (s->end > first)
        lli_table_enter(&s->table, &m.pool, s->tokens, s->end);
    if (below(4) == 0 && s->end < s->n) { /* and proposals that may not stay */
        uint32_t end = s->end + 1 + below(s->n - s->end);
        if (lli_table_extend(&s->table, &m.pool, end) == LLMINF_OK) {
            s->keep += below(end - s->end + 1);
            s->end = end;
        }
    }
}

static void finish_one(struct seq *s)
{
    if (!s->in_plan)
        return;
    s->in_plan = 0;
    if (below(6) == 0)
        lli_table_roll_back(&s->table, &m.pool);
    else
        lli_table_commit(&s->table, &m.pool, s->tokens, s->keep > s->table.n_computed ? s->keep : s->table.n_computed);
}

/* A plan of some sessions; one may be thrown out of it, one may come and look things up while it is made. */
static void step(void)
{
    for (uint32_t i = below(4); i < 4; i++) {
        struct seq *s = &m.seqs[below(N_SEQS)];
        if (!s->in_plan && s->table.n == 0 && below(2))
            begin(s);
        plan_one(s);
        if (below(12) == 0)
            check_all();
    }
    if (below(8) == 0) {
        struct seq *s = &m.seqs[below(N_SEQS)];
        if (s->in_plan) {
            s->in_plan = 0;
            lli_table_roll_back(&s->table, &m.pool);
            lli_table_cut(&s->table, &m.pool, 0);
        }
    }
    run_plan();
    for (uint32_t i = 0, from = below(N_SEQS); i < N_SEQS; i++)
        finish_one(&m.seqs[(i + from) % N_SEQS]);
}

static void fork_one(struct seq *to, const struct seq *from)
{
    if (to == from)
        return;
    lli_table_cut(&to->table, &m.pool, 0);
    lli_table_fork(&to->table, &m.pool, &from->table);
    memcpy(to->tokens, from->tokens, sizeof to->tokens);
    to->n = from->n;
    for (uint32_t i = to->table.n_computed; i < to->n; i++)
        to->tokens[i] = (int32_t)below(2);
    tell_truth(to, 0);
}

static void operate(void)
{
    struct seq *s = &m.seqs[below(N_SEQS)];
    uint32_t ids[4], n;
    switch (below(12)) {
    case 0:
        lli_table_cut(&s->table, &m.pool, 0);
        begin(s);
        break;
    case 1:
        n = below(s->n + 1);
        lli_table_cut(&s->table, &m.pool, n);
        for (uint32_t i = n; i < s->n; i++)
            s->tokens[i] = (int32_t)below(2);
        tell_truth(s, n);
        break;
    case 2:
        fork_one(s, &m.seqs[below(N_SEQS)]);
        break;
    case 3:
        lli_table_cut(&s->table, &m.pool, 0);
        break;
    case 4:
        if (below(20) == 0)
            lli_pool_trim(&m.pool, below(10), ids, 4);
        break;
    default:
        step();
    }
}

static void run(uint32_t n_blocks, const uint32_t *windows, uint32_t n_groups, int n_operations)
{
    memset(&m, 0, sizeof m);
    m.seed = n_blocks + 100 * n_groups;
    lli_heap_init(&m.heap, support_alloc, support_release, &m.host);
    assert_int_equal(lli_pool_init(&m.pool, &m.heap, n_blocks, windows, n_groups, 9), LLMINF_OK);
    for (uint32_t i = 0; i < N_SEQS; i++) {
        lli_table_init(&m.seqs[i].table, &m.pool, 0, 0);
        assert_int_equal(lli_table_reserve(&m.seqs[i].table, &m.heap, n_groups, lli_table_blocks(MAX_LEN)), LLMINF_OK);
    }
    for (int i = 0; i < n_operations; i++) {
        operate();
        check_all();
        if (i % 32 == 0)
            check_keys();
        if (m.wrong[0])
            fail_msg("pool of %u, %u groups, operation %d: %s", n_blocks, n_groups, i, m.wrong);
    }
    for (uint32_t i = 0; i < N_SEQS; i++) {
        lli_table_cut(&m.seqs[i].table, &m.pool, 0);
        lli_table_finish(&m.seqs[i].table, &m.heap);
    }
    check_all();
    assert_int_equal(lli_pool_available(&m.pool), n_blocks - 1);
    lli_pool_finish(&m.pool);
    assert_int_equal(m.host.live_bytes, 0);
}

static void test_random(void **state)
{
    static const uint32_t full[1] = {0}, lead[1] = {B + 3}, mixed[3] = {0, B, 2 * B + 5}, windows[2] = {2 * B, 5};
    static const struct {
        const uint32_t *windows;
        uint32_t n_groups;
    } kinds[] = {{full, 1}, {full, 1}, {lead, 1}, {mixed, 3}, {windows, 2}};
    (void)state;
    for (size_t k = 0; k < 5; k++)
        for (uint32_t n_blocks = 5; n_blocks <= MAX_BLOCKS; n_blocks += 6)
            run(n_blocks + (uint32_t)k % 2 * (n_blocks < MAX_BLOCKS), kinds[k].windows, kinds[k].n_groups, N_OPERATIONS / 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
