/* grammar/automaton.c - Invariant: a frame lies above the one below it, so that one pass from the end finds all that is needed.
 * A set's threads lie together; the set in the making is not in the tables before it is whole. */
#include "grammar/automaton.h"

#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/sort.h"
#include "llminf/status.h"

enum { LEAST_LIVE = 8192, LEAST_FRAMES = 16384, MAX_SETS = 1024, SET_SLOTS = 4 * MAX_SETS };

/* Room goes by the program: one of many operations may have as many threads. All are powers of two. */
static uint32_t max_live(const struct lli_automaton *a) /* threads of one set, also of those on the way to it */
{
    return a->max_live;
}

static uint32_t max_seen(const struct lli_automaton *a)
{
    return 3 * a->max_live;
}

static uint32_t seen_slots(const struct lli_automaton *a)
{
    return 4 * a->max_live;
}

static uint32_t max_threads(const struct lli_automaton *a) /* of all sets */
{
    return 8 * a->max_live;
}

static uint32_t max_frames(const struct lli_automaton *a)
{
    return a->max_live > LEAST_FRAMES ? a->max_live : LEAST_FRAMES;
}

static uint32_t frame_slots(const struct lli_automaton *a)
{
    return 2 * max_frames(a);
}

static void empty(struct lli_automaton *a)
{
    a->n_frames = a->n_sets = 1; /* none, and dead */
    a->n_threads = 0;
    a->sets[0] = (struct lli_set){0};
    memset(a->rows[0], 0, sizeof *a->rows);
    memset(a->frame_slots, 0, frame_slots(a) * sizeof *a->frame_slots);
    memset(a->set_slots, 0, SET_SLOTS * sizeof *a->set_slots);
}

int32_t lli_automaton_init(struct lli_automaton *a, struct lli_heap *heap, const struct lli_program *program)
{
    *a = (struct lli_automaton){.heap = heap, .program = program, .max_live = LEAST_LIVE};
    while (a->max_live < program->n && a->max_live < LLI_MAX_GRAMMAR_LIVE)
        a->max_live *= 2;
    a->frames = lli_alloc_array(heap, max_frames(a), sizeof *a->frames);
    a->threads = lli_alloc_array(heap, max_threads(a), sizeof *a->threads);
    a->sets = lli_alloc_array(heap, MAX_SETS, sizeof *a->sets);
    a->rows = lli_alloc_array(heap, MAX_SETS, sizeof *a->rows);
    a->frame_slots = lli_alloc_array(heap, frame_slots(a), sizeof *a->frame_slots);
    a->set_slots = lli_alloc_array(heap, SET_SLOTS, sizeof *a->set_slots);
    a->stack = lli_alloc_array(heap, max_live(a), sizeof *a->stack);
    a->found = lli_alloc_array(heap, max_live(a), sizeof *a->found);
    a->seen = lli_alloc_array(heap, seen_slots(a), sizeof *a->seen);
    a->seen_turn = lli_alloc_zero(heap, seen_slots(a), sizeof *a->seen_turn);
    if (!a->frames || !a->threads || !a->sets || !a->rows || !a->frame_slots || !a->set_slots || !a->stack || !a->found ||
        !a->seen || !a->seen_turn) {
        lli_automaton_finish(a);
        return LLMINF_E_MEMORY;
    }
    a->frames[0] = (struct lli_frame){0};
    empty(a);
    return LLMINF_OK;
}

void lli_automaton_finish(struct lli_automaton *a)
{
    void *const all[] = {a->frames,    a->threads, a->sets,  a->rows, a->frame_slots,
                         a->set_slots, a->stack,   a->found, a->seen, a->seen_turn};
    for (size_t i = 0; a->heap && i < sizeof all / sizeof *all; i++)
        lli_free(a->heap, all[i]);
    *a = (struct lli_automaton){0};
}

static uint32_t mix(uint32_t x, uint32_t y)
{
    uint64_t h = (x * UINT64_C(0x9e3779b97f4a7c15)) ^ (y * UINT64_C(0xc2b2ae3d27d4eb4f));
    return (uint32_t)((h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static uint32_t *frame_slot(struct lli_automaton *a, uint32_t ret, uint32_t below)
{
    uint32_t mask = frame_slots(a) - 1, i = mix(ret, below) & mask;
    while (a->frame_slots[i] != 0 && (a->frames[a->frame_slots[i]].ret != ret || a->frames[a->frame_slots[i]].below != below))
        i = (i + 1) & mask;
    return &a->frame_slots[i];
}

/* LLI_FRAME_NONE: no room. */
static uint32_t find_frame(struct lli_automaton *a, uint32_t ret, uint32_t below)
{
    uint32_t *slot = frame_slot(a, ret, below);
    if (*slot == 0 && a->n_frames < max_frames(a)) {
        a->frames[a->n_frames] = (struct lli_frame){ret, below};
        *slot = a->n_frames++;
    }
    return *slot;
}

/* ---- making a set */

static void begin(struct lli_automaton *a)
{
    a->n_stack = a->n_found = a->n_seen = a->ends = 0;
    if (++a->turn == 0) {
        memset(a->seen_turn, 0, seen_slots(a) * sizeof *a->seen_turn);
        a->turn = 1;
    }
}

/* Is it new in this turn? */
static int note(struct lli_automaton *a, uint32_t op, uint32_t frame)
{
    uint32_t mask = seen_slots(a) - 1, i = mix(op, frame) & mask;
    for (; a->seen_turn[i] == a->turn; i = (i + 1) & mask)
        if (a->seen[i].op == op && a->seen[i].frame == frame)
            return 0;
    a->seen_turn[i] = a->turn;
    a->n_seen++;
    a->seen[i] = (struct lli_thread){op, frame};
    return 1;
}

/* 0, or -1 without room. */
static int reach(struct lli_automaton *a, uint32_t op, uint32_t frame)
{
    uint32_t kind = a->program->ops[op].kind;
    if (a->n_seen == max_seen(a))
        return -1;
    if (!note(a, op, frame))
        return 0;
    if (kind == LLI_OP_BYTE || kind == LLI_OP_CLASS) {
        if (a->n_found == max_live(a))
            return -1;
        a->found[a->n_found++] = (struct lli_thread){op, frame};
        return 0;
    }
    if (a->n_stack == max_live(a))
        return -1;
    a->stack[a->n_stack++] = (struct lli_thread){op, frame};
    return 0;
}

/* From a thread to those that wait for a byte. */
static int follow(struct lli_automaton *a, struct lli_thread t)
{
    const struct lli_op *op = &a->program->ops[t.op];
    uint32_t frame = t.frame;
    switch (op->kind) {
    case LLI_OP_SPLIT:
        return reach(a, op->b, frame) || reach(a, t.op + 1, frame) ? -1 : 0;
    case LLI_OP_JUMP:
        return reach(a, op->a, frame);
    case LLI_OP_CALL:
        if (!op->b && (frame = find_frame(a, t.op + 1, frame)) == LLI_FRAME_NONE)
            return -1;
        return reach(a, op->a, frame);
    default: /* RETURN */
        if (frame != LLI_FRAME_NONE)
            return reach(a, a->frames[frame].ret, a->frames[frame].below);
        a->ends = 1;
        return 0;
    }
}

static int by_op(const void *a, const void *b, const void *user)
{
    const struct lli_thread *x = a, *y = b;
    (void)user;
    return x->op != y->op ? (x->op < y->op ? -1 : 1) : x->frame < y->frame ? -1 : 1;
}

static uint32_t keep_set(struct lli_automaton *a)
{
    uint32_t n = a->n_found, hash = (uint32_t)lli_hash(a->found, n * sizeof *a->found, a->ends), i = hash % SET_SLOTS;
    for (; a->set_slots[i] != 0; i = (i + 1) % SET_SLOTS) {
        const struct lli_set *set = &a->sets[a->set_slots[i]];
        if (set->hash == hash && set->n == n && set->ends == a->ends &&
            memcmp(a->threads + set->first, a->found, n * sizeof *a->found) == 0)
            return a->set_slots[i];
    }
    if (a->n_sets == MAX_SETS || n > max_threads(a) - a->n_threads)
        return LLI_SET_FULL;
    memcpy(a->threads + a->n_threads, a->found, n * sizeof *a->found);
    a->sets[a->n_sets] = (struct lli_set){a->n_threads, n, hash, a->ends};
    memset(a->rows[a->n_sets], 0xff, sizeof *a->rows);
    a->n_threads += n;
    a->set_slots[i] = (uint16_t)a->n_sets;
    return a->n_sets++;
}

/* Follows what was reached, to a set. */
static uint32_t end(struct lli_automaton *a)
{
    while (a->n_stack > 0)
        if (follow(a, a->stack[--a->n_stack]))
            return LLI_SET_FULL;
    if (a->n_found == 0 && !a->ends)
        return LLI_SET_DEAD;
    lli_sort(a->found, a->n_found, sizeof *a->found, by_op, NULL);
    return keep_set(a);
}

uint32_t lli_automaton_start(struct lli_automaton *a, uint32_t op, uint32_t frame)
{
    begin(a);
    return reach(a, op, frame) ? LLI_SET_FULL : end(a);
}

/* Where a thread goes by a byte. */
static int read_byte(struct lli_automaton *a, struct lli_thread t, uint8_t byte)
{
    const struct lli_op *op = &a->program->ops[t.op];
    if (op->kind == LLI_OP_BYTE)
        return op->a <= byte && byte <= op->b ? reach(a, t.op + 1, t.frame) : 0;
    const struct lli_class *class = lli_classes_at(&a->program->classes, op->a);
    uint32_t next = lli_classes_row(&a->program->classes, class, op->b)[byte];
    if (next == LLI_CLASS_NO)
        return 0;
    return reach(a, t.op - op->b + (next == LLI_CLASS_OUT ? class->n_states : next), t.frame);
}

uint32_t lli_automaton_work(struct lli_automaton *a, uint32_t set, uint8_t byte)
{
    const struct lli_set *from = &a->sets[set];
    a->work += from->n;
    if (a->work > LLI_MAX_GRAMMAR_WORK)
        return LLI_SET_FULL;
    begin(a);
    for (uint32_t i = 0; i < from->n; i++)
        if (read_byte(a, a->threads[from->first + i], byte))
            return LLI_SET_FULL;
    uint32_t next = end(a);
    a->work += a->n_seen;
    if (next != LLI_SET_FULL)
        a->rows[set][byte] = (uint16_t)next;
    return next;
}

/* ---- making room */

/* Marks what threads need, then gives it new numbers in the old order: threads that were sorted stay so. */
static void mark_frames(struct lli_automaton *a, const struct lli_thread *threads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        a->frame_slots[threads[i].frame] = 1;
}

static void move_frames(struct lli_automaton *a, struct lli_thread *threads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        threads[i].frame = a->frame_slots[threads[i].frame];
}

/* frame_slots[i]: 1 for a frame that is marked; then for those and all below them the new number. */
static uint32_t number_frames(struct lli_automaton *a)
{
    uint32_t *number = a->frame_slots, n_kept = 1;
    for (uint32_t i = a->n_frames; i-- > 1;)
        if (number[i])
            number[a->frames[i].below] = 1;
    number[LLI_FRAME_NONE] = LLI_FRAME_NONE;
    for (uint32_t i = 1; i < a->n_frames; i++)
        if (number[i]) {
            a->frames[n_kept] = (struct lli_frame){a->frames[i].ret, number[a->frames[i].below]};
            number[i] = n_kept++;
        }
    return n_kept;
}

static uint32_t keep_again(struct lli_automaton *a, const struct lli_thread *threads, struct lli_set set)
{
    if (set.n == 0 && !set.ends)
        return LLI_SET_DEAD;
    memmove(a->found, threads, set.n * sizeof *threads);
    a->n_found = set.n;
    a->ends = set.ends;
    return keep_set(a);
}

void lli_automaton_clear(struct lli_automaton *a, uint16_t keep[2])
{
    struct lli_set first = a->sets[keep[0]], second = a->sets[keep[1]];
    memcpy(a->stack, a->threads + first.first, first.n * sizeof *a->stack);
    memcpy(a->found, a->threads + second.first, second.n * sizeof *a->found);
    memset(a->frame_slots, 0, frame_slots(a) * sizeof *a->frame_slots);
    mark_frames(a, a->stack, first.n);
    mark_frames(a, a->found, second.n);
    uint32_t n_frames = number_frames(a);
    move_frames(a, a->stack, first.n);
    move_frames(a, a->found, second.n);
    empty(a);
    for (; a->n_frames < n_frames; a->n_frames++)
        *frame_slot(a, a->frames[a->n_frames].ret, a->frames[a->n_frames].below) = a->n_frames;
    keep[1] = (uint16_t)keep_again(a, a->found, second);
    keep[0] = (uint16_t)keep_again(a, a->stack, first);
}
