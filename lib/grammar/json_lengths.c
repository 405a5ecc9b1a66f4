/* grammar/json_lengths.c - characters are counted by the rules that are gone through: for a place of the pattern there is a
 * row of rules, one for each number of characters read before it, and each stands for all that may follow there.
 *
 *     row + c:  c characters were read    -> part, then a rule of the row behind it
 *
 * The row behind a part is there before its own, so parts are written in any order. Where only a least number is asked for,
 * the last rule of a row stands for that many characters and more. */
#include "grammar/json_lengths.h"

/* A part that is to be written: the rules of row `from` are it and then those of row `to`. */
struct job {
    uint32_t part, from, to;
};

struct lengths {
    struct lli_parts *parts;
    struct lli_buffer jobs; /* struct job each */
    uint32_t n;             /* rules of a row: counts of 0 to n - 1 */
    int saturates;          /* the last count stands for more, too */
    uint32_t root;
    uint8_t *is_empty; /* [parts from root on] the empty text is of it */
    int64_t at;
};

static int is_failed(const struct lengths *l)
{
    return l->parts->status != LLMINF_OK;
}

/* Is the empty text of a part, as far as that is known of its children? */
static int find_empty(const struct lengths *l, const struct lli_part *p)
{
    int any = 0, all = 1;
    for (uint32_t child = p->first; child != 0; child = lli_parts_at(l->parts, child)->next) {
        any |= l->is_empty[child - l->root];
        all &= l->is_empty[child - l->root];
    }
    return p->kind == LLI_PART_SEQUENCE ? all
           : p->kind == LLI_PART_CHOICE ? any
           : p->kind == LLI_PART_REPEAT ? p->a == 0 || any
                                        : 0;
}

/* Children mostly lie behind their parents; where they do not, one more pass finds them. */
static void mark_empty(struct lengths *l)
{
    uint32_t n = lli_parts_count(l->parts) - l->root;
    l->is_empty = lli_alloc_zero(l->parts->heap, n, 1);
    if (!l->is_empty)
        lli_parts_fail(l->parts, LLMINF_E_MEMORY, -1, "no memory for a pattern");
    for (int changed = l->is_empty != NULL; changed;) {
        changed = 0;
        for (uint32_t i = n; i-- > 0;) {
            if (l->is_empty[i] || !find_empty(l, lli_parts_at(l->parts, l->root + i)))
                continue;
            l->is_empty[i] = 1;
            changed = 1;
        }
    }
}

static uint32_t new_row(struct lengths *l)
{
    uint32_t first = lli_parts_new_rule(l->parts);
    for (uint32_t i = 1; i < l->n && !is_failed(l); i++)
        lli_parts_new_rule(l->parts);
    return is_failed(l) ? 0 : first;
}

static void push(struct lengths *l, uint32_t part, uint32_t from, uint32_t to)
{
    struct job job = {part, from, to};
    if (!is_failed(l) && lli_buffer_append(&l->jobs, &job, sizeof job))
        lli_parts_fail(l->parts, LLMINF_E_MEMORY, -1, "no memory for a pattern");
}

/* The rule's root, a choice. */
static uint32_t define(struct lengths *l, uint32_t rule)
{
    uint32_t choice = lli_parts_add(l->parts, 0, LLI_PART_CHOICE, 0, 0);
    if (!is_failed(l))
        lli_parts_define(l->parts, rule, choice);
    return choice;
}

/* Row `from` is what is of row a or of row b. */
static void either(struct lengths *l, uint32_t from, uint32_t a, uint32_t b)
{
    for (uint32_t c = 0; c < l->n && !is_failed(l); c++) {
        uint32_t choice = define(l, from + c);
        lli_parts_name(l->parts, choice, a + c);
        lli_parts_name(l->parts, choice, b + c);
    }
}

static void write_character(struct lengths *l, const struct job *job, uint32_t character)
{
    for (uint32_t c = 0; c < l->n && !is_failed(l); c++) {
        uint32_t choice = define(l, job->from + c), next = c + 1;
        if (next == l->n && !l->saturates)
            continue; /* it would be one too many */
        uint32_t sequence = lli_parts_add(l->parts, choice, LLI_PART_SEQUENCE, 0, 0);
        lli_parts_name(l->parts, sequence, character);
        lli_parts_name(l->parts, sequence, job->to + (next < l->n ? next : c));
    }
}

static void write_same(struct lengths *l, uint32_t from, uint32_t to)
{
    for (uint32_t c = 0; c < l->n && !is_failed(l); c++)
        lli_parts_name(l->parts, define(l, from + c), to + c);
}

static void write_sequence(struct lengths *l, const struct job *job, uint32_t child)
{
    uint32_t from = job->from;
    if (child == 0)
        write_same(l, from, job->to);
    while (child != 0 && !is_failed(l)) {
        uint32_t next = lli_parts_at(l->parts, child)->next, to = next ? new_row(l) : job->to;
        push(l, child, from, to);
        from = to;
        child = next;
    }
}

static void write_choice(struct lengths *l, const struct job *job, uint32_t child)
{
    uint32_t row = job->from;
    if (child == 0)
        for (uint32_t c = 0; c < l->n && !is_failed(l); c++)
            define(l, row + c);
    while (child != 0 && !is_failed(l)) {
        uint32_t next = lli_parts_at(l->parts, child)->next;
        if (next == 0) {
            push(l, child, row, job->to);
            break;
        }
        uint32_t own = new_row(l), rest = new_row(l);
        either(l, row, own, rest);
        push(l, child, own, job->to);
        row = rest;
        child = next;
    }
}

/* The copies that must be, then those that may be, or one that leads back to itself. */
static void write_repeat(struct lengths *l, const struct job *job, uint32_t child, uint32_t min, uint32_t max)
{
    uint32_t row = job->from;
    for (uint32_t i = 0; i < min && !is_failed(l); i++) {
        uint32_t to = i + 1 == max ? job->to : new_row(l);
        push(l, child, row, to);
        row = to;
    }
    if (max == LLI_REPEAT_FOREVER && l->is_empty[child - l->root])
        lli_parts_fail(l->parts, LLMINF_E_GRAMMAR, l->at,
                       "a pattern that repeats without end what may be empty is not supported beside lengths");
    if (max == LLI_REPEAT_FOREVER && !is_failed(l)) {
        uint32_t again = new_row(l);
        either(l, row, again, job->to);
        push(l, child, again, row);
        return;
    }
    for (uint32_t i = min; i < max && !is_failed(l); i++) {
        uint32_t own = new_row(l), to = i + 1 == max ? job->to : new_row(l);
        either(l, row, own, job->to);
        push(l, child, own, to);
        row = to;
    }
    if (max == 0)
        write_same(l, job->from, job->to);
}

static void write(struct lengths *l, const struct job *job)
{
    struct lli_part part = *lli_parts_at(l->parts, job->part);
    switch (part.kind) {
    case LLI_PART_RULE:
        write_character(l, job, part.a);
        break;
    case LLI_PART_SEQUENCE:
        write_sequence(l, job, part.first);
        break;
    case LLI_PART_CHOICE:
        write_choice(l, job, part.first);
        break;
    case LLI_PART_REPEAT:
        write_repeat(l, job, part.first, part.a, part.b);
        break;
    default:
        lli_parts_fail(l->parts, LLMINF_E_INTERNAL, -1, "a pattern has a part that is no character");
    }
}

void lli_json_lengths(struct lli_parts *parts, uint32_t parent, uint32_t root, uint32_t min, uint32_t max, int64_t at)
{
    struct lengths l = {.parts = parts, .saturates = max == LLI_REPEAT_FOREVER, .root = root, .at = at};
    if (is_failed(&l))
        return;
    mark_empty(&l);
    l.n = (l.saturates ? min : max) + 1;
    lli_buffer_init(&l.jobs, parts->heap);
    uint32_t start = new_row(&l), last = new_row(&l);
    for (uint32_t c = 0; c < l.n && !is_failed(&l); c++) {
        uint32_t choice = define(&l, last + c);
        if (c >= min)
            lli_parts_add(parts, choice, LLI_PART_SEQUENCE, 0, 0);
    }
    push(&l, root, start, last);
    while (l.jobs.len > 0 && !is_failed(&l)) {
        l.jobs.len -= sizeof(struct job);
        struct job job = *(const struct job *)(const void *)(l.jobs.bytes + l.jobs.len);
        write(&l, &job);
    }
    if (!is_failed(&l))
        lli_parts_name(parts, parent, start);
    lli_buffer_finish(&l.jobs);
    lli_free(parts->heap, l.is_empty);
}
