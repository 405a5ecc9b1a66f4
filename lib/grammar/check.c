/* grammar/check.c - a mark goes from the leaves up, part by part: from a part to its parent, from the root of a rule to all
 * parts that name it. A part is looked at once for each child, so the whole is linear. */
#include "grammar/check.h"

#include <string.h>

#include "base/error.h"

struct work {
    struct lli_parts *parts;
    struct lli_marks *marks;
    uint32_t *stack;  /* [2 * parts] */
    uint32_t *n_left; /* [parts] children that have no mark yet */
    uint32_t n;
};

static uint32_t leaf_size(const struct lli_parts *parts, const struct lli_part *p)
{
    return p->kind == LLI_PART_BYTES ? p->b : p->kind == LLI_PART_CLASS ? lli_classes_at(&parts->classes, p->a)->n_states : 0;
}

/* It has the mark whatever its children have. */
static int is_marked(const struct lli_parts *parts, const struct lli_part *p, uint8_t mark)
{
    int is_empty = p->kind == LLI_PART_SEQUENCE && p->first == 0;
    int is_optional = p->kind == LLI_PART_REPEAT && p->a == 0;
    if (mark == LLI_MARK_ATOM)
        return is_empty || p->kind == LLI_PART_BYTES || p->kind == LLI_PART_CLASS || (p->kind == LLI_PART_CHOICE && !p->first);
    if (mark == LLI_MARK_NULLABLE)
        return is_empty || is_optional;
    return is_empty || is_optional || p->kind == LLI_PART_BYTES ||
           (p->kind == LLI_PART_CLASS && lli_classes_at(&parts->classes, p->a)->n_states > 0);
}

static int needs_all(const struct lli_part *p, uint8_t mark)
{
    return p->kind == LLI_PART_SEQUENCE || (p->kind == LLI_PART_CHOICE && mark == LLI_MARK_ATOM);
}

static int is_open_repeat(const struct lli_part *p)
{
    return p->kind == LLI_PART_REPEAT && p->b > 16;
}

static void give(struct work *w, uint32_t i, uint8_t mark)
{
    struct lli_part *p = lli_parts_at(w->parts, i);
    if ((w->marks->of[i] & mark) || (mark == LLI_MARK_ATOM && is_open_repeat(p)))
        return;
    w->marks->of[i] |= mark;
    w->stack[w->n++] = i;
}

static void add_size(struct work *w, uint32_t to, uint32_t from)
{
    uint32_t *size = w->marks->size, times = 1;
    if (lli_parts_at(w->parts, to)->kind == LLI_PART_REPEAT)
        times = lli_parts_at(w->parts, to)->b < 16 ? lli_parts_at(w->parts, to)->b : 16;
    size[to] += 1 + times * (size[from] + 1);
    size[to] = size[to] > LLI_ATOM_SIZE ? LLI_ATOM_SIZE + 1 : size[to];
}

static void rise(struct work *w, uint32_t i, uint8_t mark)
{
    const struct lli_part *p = lli_parts_at(w->parts, i), *parent = lli_parts_at(w->parts, p->parent);
    if (mark == LLI_MARK_ATOM && p->parent != 0)
        add_size(w, p->parent, i);
    if (p->parent != 0 && (!needs_all(parent, mark) || --w->n_left[p->parent] == 0))
        give(w, p->parent, mark);
    if (p->rule == 0 ||
        (mark == LLI_MARK_ATOM && (w->marks->size[i] > LLI_ATOM_SIZE || lli_parts_rule_at(w->parts, p->rule - 1)->is_kept)))
        return;
    for (uint32_t k = lli_parts_rule_at(w->parts, p->rule - 1)->named; k != 0; k = lli_parts_at(w->parts, k)->b) {
        w->marks->size[k] = w->marks->size[i];
        give(w, k, mark);
    }
}

static void spread(struct work *w, uint8_t mark)
{
    uint32_t n = lli_parts_count(w->parts);
    memset(w->n_left, 0, n * sizeof *w->n_left);
    for (uint32_t i = 1; i < n; i++)
        w->n_left[lli_parts_at(w->parts, i)->parent]++;
    for (uint32_t i = 1; i < n; i++) {
        const struct lli_part *p = lli_parts_at(w->parts, i);
        if (mark == LLI_MARK_ATOM && p->first == 0)
            w->marks->size[i] = leaf_size(w->parts, p);
        if (is_marked(w->parts, p, mark))
            give(w, i, mark);
    }
    while (w->n > 0)
        rise(w, w->stack[--w->n], mark);
}

static int32_t fail_rule(const struct lli_parts *parts, const struct lli_rule *rule, const char *what)
{
    return lli_fail_at(parts->err, LLMINF_E_GRAMMAR, rule->at, "grammar", "rule \"%.*s\" %s", (int)rule->name_len,
                       (const char *)parts->bytes.bytes + rule->name_at, what);
}

enum { NEW = 0, OPEN = 8, DONE = 16 }; /* beside the marks */

/* Parts that can stand at the left end of part i: its next one behind `child`, 0 for the first; 0: no more. */
static uint32_t next_left(const struct work *w, uint32_t i, uint32_t child)
{
    const struct lli_part *p = lli_parts_at(w->parts, i);
    if (p->kind == LLI_PART_RULE)
        return child == 0 ? lli_parts_rule_at(w->parts, p->a)->root : 0;
    if (child == 0)
        return p->first;
    if (p->kind == LLI_PART_SEQUENCE && !(w->marks->of[child] & LLI_MARK_NULLABLE))
        return 0;
    return lli_parts_at(w->parts, child)->next;
}

/* A walk in depth from each rule: whoever meets a part that is still open has gone round. */
static int32_t find_cycle(struct work *w, uint32_t root)
{
    uint32_t *at = w->n_left, depth = 0; /* at: the child where the walk is */
    uint8_t *of = w->marks->of;
    if (of[root] & DONE)
        return LLMINF_OK;
    w->stack[depth++] = root;
    of[root] |= OPEN;
    at[root] = 0;
    while (depth > 0) {
        uint32_t i = w->stack[depth - 1], next = at[i] = next_left(w, i, at[i]);
        const struct lli_part *p = lli_parts_at(w->parts, i);
        if (next == 0) {
            of[i] = (uint8_t)((of[i] & ~OPEN) | DONE);
            depth--;
        } else if (of[next] & OPEN) {
            const struct lli_rule *rule = lli_parts_rule_at(w->parts, p->a);
            return rule->name_len > 0
                       ? fail_rule(w->parts, rule, "is left-recursive: it leads back to itself before any character")
                       : lli_fail(w->parts->err, LLMINF_E_GRAMMAR, "grammar", "a part leads back to itself");
        } else if (!(of[next] & DONE)) {
            w->stack[depth++] = next;
            of[next] |= OPEN;
            at[next] = 0;
        }
    }
    return LLMINF_OK;
}

static int32_t check(struct work *w, uint32_t root)
{
    struct lli_parts *parts = w->parts;
    int32_t status = LLMINF_OK;
    for (uint32_t i = 0; i < lli_parts_n_rules(parts); i++)
        if (lli_parts_rule_at(parts, i)->root == 0)
            return fail_rule(parts, lli_parts_rule_at(parts, i), "is not defined");
    spread(w, LLI_MARK_PRODUCTIVE);
    if (!(w->marks->of[lli_parts_rule_at(parts, root)->root] & LLI_MARK_PRODUCTIVE))
        return lli_fail(parts->err, LLMINF_E_GRAMMAR, "grammar", "no text is of it: it can never end");
    spread(w, LLI_MARK_NULLABLE);
    for (uint32_t i = 0; status == LLMINF_OK && i < lli_parts_n_rules(parts); i++)
        status = find_cycle(w, lli_parts_rule_at(parts, i)->root);
    spread(w, LLI_MARK_ATOM);
    return status;
}

int32_t lli_marks_init(struct lli_marks *marks, struct lli_parts *parts, uint32_t root)
{
    uint32_t n = lli_parts_count(parts);
    struct work w = {.parts = parts, .marks = marks};
    int32_t status = LLMINF_E_MEMORY;
    *marks = (struct lli_marks){.heap = parts->heap};
    marks->of = lli_alloc_zero(parts->heap, n, 1);
    marks->size = lli_alloc_zero(parts->heap, n, sizeof *marks->size);
    w.stack = lli_alloc_array(parts->heap, n, sizeof *w.stack);
    w.n_left = lli_alloc_array(parts->heap, n, sizeof *w.n_left);
    if (marks->of && marks->size && w.stack && w.n_left)
        status = check(&w, root);
    else
        lli_fail_memory(parts->err, "grammar", n * sizeof *w.stack);
    lli_free(parts->heap, w.stack);
    lli_free(parts->heap, w.n_left);
    return status;
}

void lli_marks_finish(struct lli_marks *marks)
{
    if (marks->heap) {
        lli_free(marks->heap, marks->of);
        lli_free(marks->heap, marks->size);
    }
    *marks = (struct lli_marks){0};
}
