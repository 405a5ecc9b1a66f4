/* grammar/classes.c - a set of characters is cut into blocks of 64, which share all bytes but the last of their UTF-8: 32
 * blocks begin with one byte of a character of two bytes, 64 with two bytes of one of three, and so on. Equal rows are one
 * state. */
#include "grammar/classes.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/sort.h"

enum { LAST = 0x10ffff, N_BLOCKS = (LAST + 1) / 64, N_GROUPS = N_BLOCKS / 64, MAX_STATES = 1024 };

/* One class in the making. */
struct making {
    struct lli_heap *heap;
    uint64_t *blocks;      /* [N_BLOCKS] bit i: code point 64 * block + i */
    uint16_t (*rows)[256]; /* [MAX_STATES] */
    struct lli_map known;  /* row -> state */
    uint32_t n_rows;
    uint32_t whole; /* the state in which any last byte completes a character; 0: not there yet */
    uint32_t wide;  /* the same for the last two bytes */
};

int lli_classes_init(struct lli_classes *classes, struct lli_heap *heap)
{
    *classes = (struct lli_classes){.heap = heap};
    lli_arena_init(&classes->arena, heap, 1024);
    lli_buffer_init(&classes->list, heap);
    lli_buffer_init(&classes->rows, heap);
    return lli_map_init(&classes->known, heap, 16);
}

void lli_classes_finish(struct lli_classes *classes)
{
    if (classes->heap) {
        lli_map_finish(&classes->known);
        lli_arena_finish(&classes->arena);
        lli_buffer_finish(&classes->list);
        lli_buffer_finish(&classes->rows);
    }
    *classes = (struct lli_classes){0};
}

static int by_low(const void *a, const void *b, const void *user)
{
    const struct lli_range *x = a, *y = b;
    (void)user;
    return x->low < y->low ? -1 : 1;
}

/* Sorted, apart from each other; how many are left. */
static size_t merge(struct lli_range *ranges, size_t n)
{
    size_t n_out = 0;
    lli_sort(ranges, n, sizeof *ranges, by_low, NULL);
    for (size_t i = 0; i < n; i++) {
        struct lli_range *last = n_out > 0 ? &ranges[n_out - 1] : NULL;
        if (last && ranges[i].low <= last->high + 1)
            last->high = ranges[i].high > last->high ? ranges[i].high : last->high;
        else
            ranges[n_out++] = ranges[i];
    }
    return n_out;
}

/* What lies between them; out holds n + 1. */
static size_t negate(struct lli_range *out, const struct lli_range *ranges, size_t n)
{
    size_t n_out = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (ranges[i].low > next)
            out[n_out++] = (struct lli_range){next, ranges[i].low - 1};
        next = ranges[i].high + 1;
    }
    if (next <= LAST)
        out[n_out++] = (struct lli_range){next, LAST};
    return n_out;
}

static void fill_blocks(uint64_t *blocks, const struct lli_range *ranges, size_t n)
{
    memset(blocks, 0, N_BLOCKS * sizeof *blocks);
    for (size_t i = 0; i < n; i++)
        for (uint32_t block = ranges[i].low / 64; block <= ranges[i].high / 64; block++) {
            uint32_t low = ranges[i].low > block * 64 ? ranges[i].low % 64 : 0;
            uint32_t high = ranges[i].high / 64 > block ? 63 : ranges[i].high % 64;
            blocks[block] |= (~UINT64_C(0) >> (63 - (high - low))) << low;
        }
    memset(blocks + 0xd800 / 64, 0, 0x800 / 64 * sizeof *blocks);
}

/* The state of the row that was filled last: that of an equal one, or a new one. LLI_CLASS_NO where nothing is in it. */
static int32_t settle(uint32_t *state_out, struct making *m)
{
    uint16_t *row = m->rows[m->n_rows];
    uint32_t n = 0;
    for (int i = 0; i < 256; i++)
        n += row[i] != LLI_CLASS_NO;
    *state_out = LLI_CLASS_NO;
    if (n == 0)
        return LLMINF_OK;
    if (lli_map_find(&m->known, row, sizeof *m->rows, state_out))
        return LLMINF_OK;
    if (m->n_rows + 1 == MAX_STATES)
        return LLMINF_E_LIMIT;
    if (lli_map_put(&m->known, row, sizeof *m->rows, m->n_rows) < 0)
        return LLMINF_E_MEMORY;
    *state_out = m->n_rows++;
    return LLMINF_OK;
}

static uint16_t *next_row(struct making *m)
{
    memset(m->rows[m->n_rows], 0xff, sizeof *m->rows);
    return m->rows[m->n_rows];
}

/* One byte is left. */
static int32_t last_state(uint32_t *state_out, struct making *m, uint64_t block)
{
    *state_out = block == 0 ? LLI_CLASS_NO : m->whole;
    if (block == 0 || (block == ~UINT64_C(0) && m->whole != 0))
        return LLMINF_OK;
    uint16_t *row = next_row(m);
    for (int i = 0; i < 64; i++)
        if (block >> i & 1)
            row[0x80 + i] = LLI_CLASS_OUT;
    int32_t status = settle(state_out, m);
    if (block == ~UINT64_C(0))
        m->whole = *state_out;
    return status;
}

/* Two bytes are left: blocks first .. 63 of a group. */
static int32_t group_state(uint32_t *state_out, struct making *m, uint32_t group, uint32_t first)
{
    const uint64_t *blocks = m->blocks + (size_t)group * 64;
    uint16_t states[64];
    int32_t status = LLMINF_OK;
    uint64_t all = ~UINT64_C(0), any = 0;
    for (uint32_t i = first; i < 64; i++) {
        all &= blocks[i];
        any |= blocks[i];
    }
    *state_out = any == 0 ? LLI_CLASS_NO : m->wide;
    if (any == 0 || (first == 0 && all == ~UINT64_C(0) && m->wide != 0))
        return LLMINF_OK;
    for (uint32_t i = 0; status == LLMINF_OK && i < 64; i++) {
        uint32_t state = LLI_CLASS_NO;
        if (i >= first)
            status = last_state(&state, m, blocks[i]);
        states[i] = (uint16_t)state;
    }
    if (status != LLMINF_OK)
        return status;
    memcpy(next_row(m) + 0x80, states, sizeof states);
    status = settle(state_out, m);
    if (first == 0 && all == ~UINT64_C(0))
        m->wide = *state_out;
    return status;
}

/* Three bytes are left. */
static int32_t top_state(uint32_t *state_out, struct making *m, uint32_t top)
{
    uint16_t states[64];
    int32_t status = LLMINF_OK;
    for (uint32_t i = 0; status == LLMINF_OK && i < 64; i++) {
        uint32_t group = top * 64 + i, state = LLI_CLASS_NO;
        if (group >= 16 && group < N_GROUPS)
            status = group_state(&state, m, group, 0);
        states[i] = (uint16_t)state;
    }
    if (status != LLMINF_OK)
        return status;
    memcpy(next_row(m) + 0x80, states, sizeof states);
    return settle(state_out, m);
}

/* State 0: by the first byte. */
static int32_t make_states(struct making *m)
{
    uint16_t *row = next_row(m);
    uint32_t state;
    int32_t status = LLMINF_OK;
    m->n_rows = 1;
    for (uint32_t i = 0; i < 128; i++)
        if (m->blocks[i / 64] >> i % 64 & 1)
            row[i] = LLI_CLASS_OUT;
    for (uint32_t i = 2; status == LLMINF_OK && i < 32; i++) {
        status = last_state(&state, m, m->blocks[i]);
        row[0xc0 + i] = (uint16_t)state;
    }
    for (uint32_t i = 0; status == LLMINF_OK && i < 16; i++) {
        status = group_state(&state, m, i, i == 0 ? 32 : 0);
        row[0xe0 + i] = (uint16_t)state;
    }
    for (uint32_t i = 0; status == LLMINF_OK && i < 5; i++) {
        status = top_state(&state, m, i);
        row[0xf0 + i] = (uint16_t)state;
    }
    return status;
}

static int32_t keep(uint32_t *class_out, struct lli_classes *classes, const struct making *m, const struct lli_range *ranges,
                    size_t n)
{
    uint32_t n_rows = (uint32_t)(classes->rows.len / sizeof *m->rows);
    struct lli_class added = {n_rows, n > 0 ? m->n_rows : 0};
    uint32_t id = (uint32_t)(classes->list.len / sizeof added);
    const char *key = lli_arena_text(&classes->arena, ranges, n * sizeof *ranges);
    if (n_rows + added.n_states > LLI_MAX_GRAMMAR_CLASS_STATES)
        return LLMINF_E_LIMIT;
    if (!key || lli_buffer_append(&classes->rows, m->rows, added.n_states * sizeof *m->rows) ||
        lli_buffer_append(&classes->list, &added, sizeof added) ||
        lli_map_put(&classes->known, key, n * sizeof *ranges, id) < 0)
        return LLMINF_E_MEMORY;
    *class_out = id;
    return LLMINF_OK;
}

static int32_t make(uint32_t *class_out, struct lli_classes *classes, const struct lli_range *ranges, size_t n)
{
    struct making m = {.heap = classes->heap};
    int32_t status = LLMINF_E_MEMORY;
    m.blocks = lli_alloc_array(m.heap, N_BLOCKS, sizeof *m.blocks);
    m.rows = lli_alloc_array(m.heap, MAX_STATES, sizeof *m.rows);
    if (m.blocks && m.rows && lli_map_init(&m.known, m.heap, 16) == 0) {
        fill_blocks(m.blocks, ranges, n);
        status = make_states(&m);
        if (status == LLMINF_OK)
            status = keep(class_out, classes, &m, ranges, n);
    }
    lli_map_finish(&m.known);
    lli_free(m.heap, m.rows);
    lli_free(m.heap, m.blocks);
    return status;
}

int32_t lli_classes_add(uint32_t *class_out, struct lli_classes *classes, struct lli_range *ranges, size_t n, int is_negated,
                        struct llminf_error *err)
{
    static const struct lli_range none;
    struct lli_range *others = NULL;
    int32_t status = LLMINF_OK;
    n = merge(ranges, n);
    if (is_negated) {
        others = lli_alloc_array(classes->heap, n + 1, sizeof *others);
        if (!others)
            return lli_fail_memory(err, "grammar", (n + 1) * sizeof *others);
        n = negate(others, ranges, n);
        ranges = others;
    }
    if (!lli_map_find(&classes->known, n > 0 ? ranges : &none, n * sizeof *ranges, class_out))
        status = make(class_out, classes, n > 0 ? ranges : &none, n);
    lli_free(classes->heap, others);
    if (status == LLMINF_E_MEMORY)
        return lli_fail_memory(err, "grammar", MAX_STATES * 256 * sizeof(uint16_t));
    if (status == LLMINF_E_LIMIT)
        return lli_fail(err, LLMINF_E_LIMIT, "grammar", "sets of characters have more than %u states, or one of them %d",
                        LLI_MAX_GRAMMAR_CLASS_STATES, MAX_STATES);
    return status;
}
