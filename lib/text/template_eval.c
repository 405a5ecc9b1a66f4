/* text/template_eval.c - expressions: each step pushes a child, or takes the children's values and leaves one. */
#include <string.h>

#include "text/template_run.h"

static int32_t push_node(struct lli_tpl_run *r, uint32_t node)
{
    return lli_tpl_push(r, lli_tpl_node_at(r->t, node)->kind, node);
}

/* The frame is over, with this value. */
static int32_t leave(struct lli_tpl_run *r, const struct lli_var *v)
{
    r->n_values = r->frames[r->n_frames - 1].n_values;
    lli_tpl_pop(r);
    return lli_tpl_push_value(r, v);
}

static struct lli_var *top(struct lli_tpl_run *r)
{
    return &r->values[r->n_values - 1];
}

int32_t lli_tpl_step_const(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    const struct lli_tpl_constant *c = lli_tpl_constant_at(r->t, n->a);
    struct lli_var v = {.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    (void)f;
    if (c->kind == LLI_TPL_BOOL)
        v = lli_var_bool(c->number != 0);
    else if (c->kind == LLI_TPL_INT)
        v = lli_var_int(c->number);
    else if (c->kind == LLI_TPL_REAL)
        v = lli_var_real(c->real);
    else if (c->kind == LLI_TPL_TEXT)
        v = lli_var_text(c->text, LLI_OURS);
    return leave(r, &v);
}

int32_t lli_tpl_step_name(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    (void)f;
    int32_t status = lli_tpl_lookup(&v, r, n->a);
    return status == LLMINF_OK ? leave(r, &v) : status;
}

int32_t lli_tpl_step_captured(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    (void)f;
    (void)n;
    return leave(r, &r->captured);
}

/* Items are moved into the list one by one, so that the stack of values stays low. The list lies on it. */
int32_t lli_tpl_step_list(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    int32_t status = LLMINF_OK;
    if (f->step == 0) {
        status = lli_var_list_new(&v, r, n->kind == LLI_TPL_LIST ? LLI_VAR_LIST : LLI_VAR_TUPLE, 0);
        if (status == LLMINF_OK)
            status = lli_tpl_push_value(r, &v);
        f->child = n->a;
        f->step = 1;
    } else {
        v = r->values[--r->n_values];
        status = lli_var_list_add(r, top(r)->list, &v);
    }
    if (status != LLMINF_OK)
        return status;
    if (f->child == 0) {
        lli_tpl_pop(r);
        return LLMINF_OK;
    }
    uint32_t child = f->child;
    f->child = lli_tpl_node_at(r->t, child)->next;
    return push_node(r, child);
}

int32_t lli_tpl_step_dict(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    int32_t status = LLMINF_OK;
    if (f->step == 0) {
        status = lli_var_dict_new(&v, r, LLI_VAR_DICT);
        if (status == LLMINF_OK)
            status = lli_tpl_push_value(r, &v);
        f->child = n->a;
        f->step = 1;
    } else if (f->step == 1) { /* the key is there */
        f->step = 2;
    } else {
        r->n_values -= 2;
        status = lli_var_dict_put(r, top(r)->dict, &r->values[r->n_values], &r->values[r->n_values + 1]);
        f->step = 1;
    }
    if (status != LLMINF_OK)
        return status;
    if (f->child == 0 && f->step == 1) {
        lli_tpl_pop(r);
        return LLMINF_OK;
    }
    uint32_t child = f->child;
    f->child = lli_tpl_node_at(r->t, child)->next;
    return push_node(r, child);
}

int32_t lli_tpl_step_not(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0)
        return push_node(r, n->a);
    struct lli_var v = lli_var_bool(!lli_var_truth(top(r)));
    return leave(r, &v);
}

int32_t lli_tpl_step_unary(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    if (f->step++ == 0)
        return push_node(r, n->a);
    int32_t status = lli_tpl_unary(&v, r, n->op, top(r));
    return status == LLMINF_OK ? leave(r, &v) : status;
}

int32_t lli_tpl_step_binary(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    if (f->step < 2)
        return push_node(r, f->step++ == 0 ? n->a : n->b);
    int32_t status = lli_tpl_binary(&v, r, n->op, top(r) - 1, top(r));
    return status == LLMINF_OK ? leave(r, &v) : status;
}

/* and, or: the value that decides, not its truth. */
int32_t lli_tpl_step_logic(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0)
        return push_node(r, n->a);
    struct lli_var v = *top(r);
    if (lli_var_truth(&v) == (n->kind == LLI_TPL_OR))
        return leave(r, &v);
    r->n_values--;
    lli_tpl_pop(r);
    return push_node(r, n->b);
}

int32_t lli_tpl_step_cond(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    static const struct lli_text none = {"the inline if without an else", 29};
    if (f->step++ == 0)
        return push_node(r, n->a);
    int truth = lli_var_truth(top(r));
    r->n_values--;
    if (!truth && !n->c) {
        struct lli_var v = lli_var_undefined(none);
        return leave(r, &v);
    }
    lli_tpl_pop(r);
    return push_node(r, truth ? n->b : n->c);
}

/* a < b < c is a < b and b < c, with b computed once. */
int32_t lli_tpl_step_compare(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    const struct lli_tpl_node *operand;
    int truth = 1;
    if (f->step++ == 0)
        return push_node(r, n->a);
    if (f->step == 2) {
        f->child = n->b;
    } else {
        operand = lli_tpl_node_at(r->t, f->child);
        int32_t status = lli_tpl_compare(&truth, r, operand->op, top(r) - 1, top(r));
        if (status != LLMINF_OK)
            return status;
        r->values[r->n_values - 2] = *top(r);
        r->n_values--;
        f->child = operand->next;
        f->step = 3;
    }
    if (!truth || !f->child) {
        struct lli_var v = lli_var_bool(truth);
        return leave(r, &v);
    }
    return push_node(r, lli_tpl_node_at(r->t, f->child)->a);
}

/* Pieces go to the output behind each other; a mark in the frame says where they began. */
int32_t lli_tpl_step_concat(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    if (f->step == 0) {
        f->child = n->a;
        f->step = 1;
    }
    if (f->child) {
        uint32_t child = f->child;
        f->child = lli_tpl_node_at(r->t, child)->next;
        return push_node(r, child);
    }
    size_t from = lli_tpl_mark(r);
    int32_t status = LLMINF_OK;
    for (uint32_t i = f->n_values; status == LLMINF_OK && i < r->n_values; i++)
        status = lli_tpl_put_str(r, &r->values[i]);
    if (status == LLMINF_OK)
        status = lli_tpl_cut(&v, r, from);
    return status == LLMINF_OK ? leave(r, &v) : status;
}

int32_t lli_tpl_step_attr(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_var v;
    if (f->step++ == 0)
        return push_node(r, n->a);
    int32_t status = lli_tpl_attribute(&v, r, top(r), lli_tpl_name_at(r->t, n->b));
    return status == LLMINF_OK ? leave(r, &v) : status;
}

int32_t lli_tpl_step_item(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    const struct lli_tpl_node *key = lli_tpl_node_at(r->t, n->b);
    struct lli_var v, bounds[3] = {{0}};
    int32_t status;
    if (f->step == 0) {
        f->step = 1;
        return push_node(r, n->a);
    }
    if (key->kind != LLI_TPL_SLICE) {
        if (f->step++ == 1)
            return push_node(r, n->b);
        status = lli_tpl_item(&v, r, top(r) - 1, top(r));
        return status == LLMINF_OK ? leave(r, &v) : status;
    }
    const uint32_t children[3] = {key->a, key->b, key->c};
    while (f->step < 4) {
        uint32_t child = children[f->step - 1];
        f->step++;
        if (child)
            return push_node(r, child);
    }
    for (uint32_t i = 0, at = f->n_values + 1; i < 3; i++)
        if (children[i])
            bounds[i] = r->values[at++];
    status = lli_tpl_slice(&v, r, &r->values[f->n_values], bounds);
    return status == LLMINF_OK ? leave(r, &v) : status;
}

/* ---- calls */

/* What a call is given, apart by place and by name. */
struct lli_tpl_arguments {
    struct lli_var at[LLI_MAX_TEMPLATE_ARGUMENTS], named[LLI_MAX_TEMPLATE_ARGUMENTS];
    struct lli_text names[LLI_MAX_TEMPLATE_ARGUMENTS];
    struct lli_tpl_args args;
};

static int32_t spread(struct lli_tpl_arguments *a, struct lli_tpl_run *r, struct lli_var *v)
{
    struct lli_var_list *list;
    int32_t status = lli_var_iterate(&list, r, v);
    if (status == LLMINF_OK && list->n > LLI_MAX_TEMPLATE_ARGUMENTS - a->args.n)
        return lli_tpl_limit(r, "more than %u arguments", LLI_MAX_TEMPLATE_ARGUMENTS);
    for (uint32_t i = 0; status == LLMINF_OK && i < list->n; i++)
        a->at[a->args.n++] = list->items[i];
    return status;
}

static int32_t spread_named(struct lli_tpl_arguments *a, struct lli_tpl_run *r, const struct lli_var *v)
{
    if (v->kind != LLI_VAR_DICT)
        return lli_tpl_fail(r, "** wants a mapping, not %s", lli_var_type(v));
    if (v->dict->n > LLI_MAX_TEMPLATE_ARGUMENTS - a->args.n_named)
        return lli_tpl_limit(r, "more than %u arguments", LLI_MAX_TEMPLATE_ARGUMENTS);
    for (uint32_t i = 0; i < v->dict->n; i++) {
        if (v->dict->entries[i].key.kind != LLI_VAR_TEXT)
            return lli_tpl_fail(r, "the name of an argument is no text");
        a->names[a->args.n_named] = lli_var_bytes(&v->dict->entries[i].key);
        a->named[a->args.n_named++] = v->dict->entries[i].value;
    }
    return LLMINF_OK;
}

/* The values of the arguments lie on the stack from `from` on. What comes out is good until the next call. */
static int32_t gather(struct lli_tpl_arguments **out, struct lli_tpl_run *r, uint32_t first, uint32_t from)
{
    int32_t status = r->arguments ? LLMINF_OK : lli_tpl_take(&r->arguments, r, 1, sizeof *r->arguments);
    struct lli_tpl_arguments *a = *out = r->arguments;
    if (status != LLMINF_OK)
        return status;
    a->args = (struct lli_tpl_args){.at = a->at, .names = a->names, .named = a->named};
    for (uint32_t i = first; status == LLMINF_OK && i; i = lli_tpl_node_at(r->t, i)->next) {
        const struct lli_tpl_node *n = lli_tpl_node_at(r->t, i);
        struct lli_var *v = &r->values[from++];
        if (n->op == 1) {
            status = spread(a, r, v);
        } else if (n->op == 2) {
            status = spread_named(a, r, v);
        } else if (n->b) {
            a->names[a->args.n_named] = lli_tpl_name_at(r->t, n->b - 1);
            a->named[a->args.n_named++] = *v;
        } else {
            a->at[a->args.n++] = *v;
        }
    }
    return status;
}

/* Pushes the next argument to be computed; 0: all are there. */
static int next_argument(struct lli_tpl_run *r, struct lli_tpl_frame *f, int32_t *status)
{
    uint32_t arg = f->child;
    if (!arg)
        return 0;
    f->child = lli_tpl_node_at(r->t, arg)->next;
    *status = push_node(r, lli_tpl_node_at(r->t, arg)->a);
    return 1;
}

/* A function gives its value at once; a macro and a loop run first, and the frame stays for what they leave. */
static int32_t call_value(struct lli_tpl_run *r, const struct lli_var *what, const struct lli_tpl_args *args)
{
    struct lli_var v;
    int32_t status;
    switch (what->kind) {
    case LLI_VAR_FUNCTION:
        status = lli_tpl_invoke(&v, r, what->function, NULL, args);
        break;
    case LLI_VAR_METHOD:
        status = lli_tpl_invoke(&v, r, what->bound->method, &what->bound->of, args);
        break;
    case LLI_VAR_MACRO:
        return lli_tpl_start_macro(r, what->macro, args);
    case LLI_VAR_LOOP:
        if (args->n != 1)
            return lli_tpl_fail(r, "loop wants a sequence");
        v = args->at[0];
        return lli_tpl_start_loop(r, what->loop, &v);
    case LLI_VAR_JOINER: /* nothing the first time, its text from then on */
        v = what->list->n++ > 0 ? what->list->items[0] : lli_var_ours("");
        status = LLMINF_OK;
        break;
    case LLI_VAR_UNDEFINED:
        return lli_tpl_undefined(r, what);
    default:
        return lli_tpl_fail(r, "a value of type %s cannot be called", lli_var_type(what));
    }
    return status == LLMINF_OK ? lli_tpl_push_value(r, &v) : status;
}

enum { CALL_BEGIN, CALL_ARGUMENTS, CALL_RUNNING };

int32_t lli_tpl_step_call(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status = LLMINF_OK;
    struct lli_tpl_arguments *a;
    struct lli_var what;
    switch (f->step) {
    case CALL_BEGIN:
        f->step = CALL_ARGUMENTS;
        f->child = n->b;
        return push_node(r, n->a);
    case CALL_ARGUMENTS:
        if (next_argument(r, f, &status))
            return status;
        status = gather(&a, r, n->b, f->n_values + 1);
        if (status != LLMINF_OK)
            return status;
        what = r->values[f->n_values];
        r->n_values = f->n_values;
        f->step = CALL_RUNNING;
        return call_value(r, &what, &a->args);
    default:
        lli_tpl_pop(r);
        return LLMINF_OK;
    }
}

/* {% call %}: the call of its expression with one more argument, the body as a macro; its value is printed. */
int32_t lli_tpl_step_caller(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    const struct lli_tpl_node *call = lli_tpl_node_at(r->t, n->a);
    int32_t status = LLMINF_OK;
    struct lli_tpl_arguments *a;
    struct lli_tpl_macro *macro;
    struct lli_var what;
    switch (f->step) {
    case CALL_BEGIN:
        f->step = CALL_ARGUMENTS;
        f->child = call->b;
        return push_node(r, call->a);
    case CALL_ARGUMENTS:
        if (next_argument(r, f, &status))
            return status;
        status = lli_tpl_take(&macro, r, 1, sizeof *macro);
        if (status == LLMINF_OK)
            status = gather(&a, r, call->b, f->n_values + 1);
        if (status != LLMINF_OK)
            return status;
        if (a->args.n_named == LLI_MAX_TEMPLATE_ARGUMENTS)
            return lli_tpl_limit(r, "more than %u arguments", LLI_MAX_TEMPLATE_ARGUMENTS);
        *macro = (struct lli_tpl_macro){.node = n->b, .scope = r->scope};
        a->names[a->args.n_named] = (struct lli_text){"caller", 6};
        a->named[a->args.n_named++] = (struct lli_var){.kind = LLI_VAR_MACRO, .flags = LLI_OURS, .macro = macro};
        what = r->values[f->n_values];
        r->n_values = f->n_values;
        f->step = CALL_RUNNING;
        return call_value(r, &what, &a->args);
    default:
        lli_tpl_pop(r);
        return lli_tpl_put_str(r, &r->values[--r->n_values]);
    }
}

/* x|f(y), x is f(y) */
int32_t lli_tpl_step_filter(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status = LLMINF_OK;
    struct lli_tpl_arguments *a;
    struct lli_var v, in;
    if (f->step == 0) {
        f->step = 1;
        f->child = n->b;
        return push_node(r, n->a);
    }
    if (next_argument(r, f, &status))
        return status;
    status = gather(&a, r, n->b, f->n_values + 1);
    if (status != LLMINF_OK)
        return status;
    in = r->values[f->n_values];
    status = lli_tpl_apply(&v, r, n->kind == LLI_TPL_TEST, lli_tpl_name_at(r->t, n->c), &in, &a->args);
    return status == LLMINF_OK ? leave(r, &v) : status;
}
