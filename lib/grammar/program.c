/* grammar/program.c - parts are written out in the order of the text that they stand for, from a stack of those that are open.
 *
 * What no text is of is left out, so no state is a dead end. Rules that are small and do not repeat are written where they are
 * named: what is known of a token without the callers (grammar/grammar.h) is more the further a rule reaches. */
#include "grammar/program.h"

#include "base/error.h"
#include "base/limits.h"
#include "grammar/check.h"

#define NONE UINT32_MAX

/* A part that is being written. */
struct open {
    uint32_t part, child; /* child: written last, 0: none */
    uint32_t n;           /* REPEAT: copies written */
    uint32_t split;       /* CHOICE and endless REPEAT: the operation that goes on behind the child; NONE */
    uint32_t exits;       /* operations that go on behind the part, linked by a of JUMP, b of SPLIT */
};

struct writer {
    struct lli_parts *parts;
    const struct lli_marks *marks;
    struct lli_buffer *code;
    struct lli_buffer stack;   /* struct open each */
    struct lli_buffer pending; /* rules to be written */
    uint32_t *entries;         /* [rules] NONE: not wanted yet */
    uint64_t n_steps;
    int32_t status;
};

static struct lli_op *op_at(const struct writer *w, uint32_t i)
{
    return (struct lli_op *)(void *)w->code->bytes + i;
}

static uint32_t here(const struct writer *w)
{
    return (uint32_t)(w->code->len / sizeof(struct lli_op));
}

static void fail_limit(struct writer *w)
{
    if (w->status == LLMINF_OK)
        w->status = lli_fail(w->parts->err, LLMINF_E_LIMIT, "grammar", "needs more than %u states", LLI_MAX_GRAMMAR_STATES);
}

static void fail_memory(struct writer *w)
{
    if (w->status == LLMINF_OK)
        w->status = lli_fail_memory(w->parts->err, "grammar", w->code->len);
}

static void emit(struct writer *w, uint32_t kind, uint32_t a, uint32_t b)
{
    struct lli_op op = {kind, a, b};
    if (here(w) >= LLI_MAX_GRAMMAR_STATES)
        fail_limit(w);
    else if (w->status == LLMINF_OK && lli_buffer_append(w->code, &op, sizeof op))
        fail_memory(w);
}

static int is_possible(const struct writer *w, uint32_t part)
{
    return w->marks->of[part] & LLI_MARK_PRODUCTIVE;
}

/* What follows a list of exits goes on here. */
static void close_exits(struct writer *w, uint32_t exits)
{
    while (exits != NONE && w->status == LLMINF_OK) {
        struct lli_op *op = op_at(w, exits);
        uint32_t *link = op->kind == LLI_OP_SPLIT ? &op->b : &op->a;
        exits = *link;
        *link = here(w);
    }
}

static void push(struct writer *w, uint32_t part)
{
    struct open open = {.part = part, .split = NONE, .exits = NONE};
    if (lli_buffer_append(&w->stack, &open, sizeof open))
        fail_memory(w);
}

static void write_bytes(struct writer *w, const struct lli_part *p)
{
    for (uint32_t i = 0; w->status == LLMINF_OK && i < p->b; i++) {
        uint32_t byte = w->parts->bytes.bytes[p->a + i];
        emit(w, LLI_OP_BYTE, byte, byte);
    }
}

static void write_class(struct writer *w, const struct lli_part *p)
{
    uint32_t n = lli_classes_at(&w->parts->classes, p->a)->n_states;
    for (uint32_t i = 0; w->status == LLMINF_OK && i < n; i++)
        emit(w, LLI_OP_CLASS, p->a, i);
}

static void write_call(struct writer *w, uint32_t rule)
{
    if (w->entries[rule] == NONE) {
        w->entries[rule] = 0; /* until it is written */
        if (lli_buffer_append(&w->pending, &rule, sizeof rule))
            fail_memory(w);
    }
    emit(w, LLI_OP_CALL, rule, 0);
}

/* The next child that some text is of. */
static uint32_t next_child(const struct writer *w, const struct lli_part *p, uint32_t child)
{
    do
        child = child == 0 ? p->first : lli_parts_at(w->parts, child)->next;
    while (child != 0 && !is_possible(w, child));
    return child;
}

/* The next part to write inside an open one, 0 when it is done. */
static uint32_t step_choice(struct writer *w, struct open *open, const struct lli_part *p)
{
    uint32_t child = next_child(w, p, open->child);
    if (open->child != 0 && child != 0) {
        emit(w, LLI_OP_JUMP, open->exits, 0);
        open->exits = here(w) - 1;
        op_at(w, open->split)->b = here(w);
    }
    if (child != 0 && next_child(w, p, child) != 0) {
        open->split = here(w);
        emit(w, LLI_OP_SPLIT, 0, 0);
    }
    open->child = child;
    return child;
}

static uint32_t step_repeat(struct writer *w, struct open *open, const struct lli_part *p)
{
    if (!is_possible(w, p->first))
        return 0;
    if (open->split != NONE) { /* behind the endless one */
        emit(w, LLI_OP_JUMP, open->split, 0);
        return 0;
    }
    if (open->n >= p->a) {
        if (open->n == p->b)
            return 0;
        emit(w, LLI_OP_SPLIT, 0, open->exits);
        open->exits = here(w) - 1;
        if (p->b == LLI_REPEAT_FOREVER)
            open->split = open->exits;
    }
    open->n++;
    return p->first;
}

static uint32_t step(struct writer *w, struct open *open)
{
    const struct lli_part *p = lli_parts_at(w->parts, open->part);
    switch (p->kind) {
    case LLI_PART_BYTES:
        write_bytes(w, p);
        return 0;
    case LLI_PART_CLASS:
        write_class(w, p);
        return 0;
    case LLI_PART_RULE:
        if (open->child == 0 && (w->marks->of[open->part] & LLI_MARK_ATOM))
            return open->child = lli_parts_rule_at(w->parts, p->a)->root;
        if (open->child == 0)
            write_call(w, p->a);
        return 0;
    case LLI_PART_SEQUENCE:
        return open->child = open->child == 0 ? p->first : lli_parts_at(w->parts, open->child)->next;
    case LLI_PART_CHOICE:
        return step_choice(w, open, p);
    default:
        return step_repeat(w, open, p);
    }
}

static void write_part(struct writer *w, uint32_t part)
{
    push(w, part);
    while (w->status == LLMINF_OK && w->stack.len > 0) {
        struct open *open = (struct open *)(void *)(w->stack.bytes + w->stack.len) - 1;
        uint32_t next = step(w, open);
        if (++w->n_steps > 4ull * LLI_MAX_GRAMMAR_STATES + 4ull * LLI_MAX_GRAMMAR_PARTS)
            fail_limit(w); /* copies of nothing */
        if (w->status == LLMINF_OK && next != 0) {
            push(w, next);
        } else if (w->status == LLMINF_OK) {
            close_exits(w, open->exits);
            w->stack.len -= sizeof *open;
        }
    }
}

static void write_rules(struct writer *w, uint32_t root)
{
    w->entries[root] = 0;
    if (lli_buffer_append(&w->pending, &root, sizeof root))
        fail_memory(w);
    while (w->status == LLMINF_OK && w->pending.len > 0) {
        uint32_t rule;
        w->pending.len -= sizeof rule;
        rule = *(uint32_t *)(void *)(w->pending.bytes + w->pending.len);
        w->entries[rule] = here(w);
        write_part(w, lli_parts_rule_at(w->parts, rule)->root);
        emit(w, LLI_OP_RETURN, 0, 0);
    }
}

static int returns_at(const struct lli_program *p, uint32_t at)
{
    for (int i = 0; i < 64 && p->ops[at].kind == LLI_OP_JUMP; i++)
        at = p->ops[at].a;
    return p->ops[at].kind == LLI_OP_RETURN;
}

static void resolve_calls(struct lli_program *p, const uint32_t *entries)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->ops[i].kind == LLI_OP_CALL) {
            p->ops[i].a = entries[p->ops[i].a];
            p->ops[i].b = (uint32_t)returns_at(p, i + 1);
        }
}

int32_t lli_program_init(struct lli_program *out, struct lli_parts *parts, uint32_t root)
{
    struct lli_marks marks = {0};
    struct writer w = {.parts = parts, .marks = &marks, .code = &out->code};
    *out = (struct lli_program){0};
    lli_buffer_init(&out->code, parts->heap);
    w.status = parts->status;
    if (w.status == LLMINF_OK)
        w.status = lli_marks_init(&marks, parts, root);
    lli_buffer_init(&w.stack, parts->heap);
    lli_buffer_init(&w.pending, parts->heap);
    w.entries = lli_alloc_array(parts->heap, lli_parts_n_rules(parts), sizeof *w.entries);
    if (!w.entries)
        fail_memory(&w);
    for (uint32_t i = 0; w.entries && i < lli_parts_n_rules(parts); i++)
        w.entries[i] = NONE;
    if (w.status == LLMINF_OK)
        write_rules(&w, root);
    if (w.status == LLMINF_OK) {
        out->ops = op_at(&w, 0);
        out->n = here(&w);
        out->entry = w.entries[root];
        resolve_calls(out, w.entries);
        out->classes = parts->classes;
        parts->classes = (struct lli_classes){0};
    }
    lli_free(parts->heap, w.entries);
    lli_buffer_finish(&w.pending);
    lli_buffer_finish(&w.stack);
    lli_marks_finish(&marks);
    return w.status;
}

void lli_program_finish(struct lli_program *program)
{
    lli_classes_finish(&program->classes);
    if (program->code.heap)
        lli_buffer_finish(&program->code);
    *program = (struct lli_program){0};
}
