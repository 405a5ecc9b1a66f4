/* text/template_run.c - the machine: a stack of frames, each a node at work. The frame on top is stepped until it pops
 * itself or pushes another; an expression leaves one value on the stack of values. */
#include "text/template_run.h"

#include <string.h>

/* ---- stacks and scopes */

int32_t lli_tpl_push(struct lli_tpl_run *r, int kind, uint32_t node)
{
    if (r->n_frames == LLI_MAX_TEMPLATE_FRAMES)
        return lli_tpl_limit(r, "nested deeper than %u nodes", LLI_MAX_TEMPLATE_FRAMES);
    r->frames[r->n_frames++] =
        (struct lli_tpl_frame){.kind = (uint8_t)kind, .node = node, .n_values = r->n_values, .scope = r->scope};
    return LLMINF_OK;
}

static int32_t push_node(struct lli_tpl_run *r, uint32_t node)
{
    return lli_tpl_push(r, lli_tpl_node_at(r->t, node)->kind, node);
}

void lli_tpl_pop(struct lli_tpl_run *r)
{
    r->scope = r->frames[--r->n_frames].scope;
}

int32_t lli_tpl_push_value(struct lli_tpl_run *r, const struct lli_var *v)
{
    if (r->n_values == LLI_TPL_VALUES)
        return lli_tpl_limit(r, "more than %u values at once", LLI_TPL_VALUES);
    r->values[r->n_values++] = *v;
    return LLMINF_OK;
}

int32_t lli_tpl_enter_scope(struct lli_tpl_run *r, struct lli_tpl_scope *outer)
{
    struct lli_tpl_scope *scope;
    int32_t status = lli_tpl_take(&scope, r, 1, sizeof *scope);
    if (status != LLMINF_OK)
        return status;
    scope->outer = outer;
    r->scope = scope;
    return LLMINF_OK;
}

/* Walking past many names takes steps too; who runs out of them here fails at the next charge. */
static struct lli_tpl_binding *find_binding(struct lli_tpl_run *r, const struct lli_tpl_scope *scope, uint32_t name)
{
    struct lli_tpl_binding *b = scope->first;
    int64_t n = 0;
    for (; b && b->name != name; b = b->next)
        n++;
    n /= 16;
    r->steps_left = n < r->steps_left ? r->steps_left - n : 0;
    return b;
}

int32_t lli_tpl_bind_name(struct lli_tpl_run *r, uint32_t name, const struct lli_var *value)
{
    struct lli_tpl_binding *b = find_binding(r, r->scope, name);
    if (!b) {
        int32_t status = lli_tpl_take(&b, r, 1, sizeof *b);
        if (status != LLMINF_OK)
            return status;
        b->next = r->scope->first;
        b->name = name;
        r->scope->first = b;
    }
    b->value = *value;
    return LLMINF_OK;
}

/* A variable of the caller, a constant, or a function, when its name is first met. */
static int32_t find_global(struct lli_var *out, struct lli_tpl_run *r, uint32_t name)
{
    struct lli_text text = lli_tpl_name_at(r->t, name);
    const struct lli_template_input *in = r->in;
    uint32_t member = in->json ? lli_json_find(in->json, 0, text.bytes, text.len) : 0;
    int32_t status = LLMINF_OK;
    *out = lli_var_undefined(text);
    if (in->hidden && strlen(in->hidden) == text.len && memcmp(in->hidden, text.bytes, text.len) == 0)
        return LLMINF_OK;
    if (member)
        status = lli_tpl_from_json(out, r, member);
    for (size_t i = 0; i < in->n_constants; i++) {
        const struct lli_template_constant *c = &in->constants[i];
        if (strlen(c->name) != text.len || memcmp(c->name, text.bytes, text.len) != 0)
            continue;
        if (!member ||
            (out->kind == LLI_VAR_TEXT && out->len == c->text.len && memcmp(out->text, c->text.bytes, out->len) == 0))
            *out = lli_var_text(c->text, LLI_OURS);
        return status;
    }
    const struct lli_tpl_function *f = member ? NULL : lli_tpl_global_find(text);
    if (f && (in->now || strcmp(f->name, "strftime_now") != 0))
        *out = (struct lli_var){.kind = LLI_VAR_FUNCTION, .flags = LLI_OURS, .function = f};
    return status;
}

int32_t lli_tpl_lookup(struct lli_var *out, struct lli_tpl_run *r, uint32_t name)
{
    for (const struct lli_tpl_scope *scope = r->scope; scope; scope = scope->outer) {
        const struct lli_tpl_binding *b = find_binding(r, scope, name);
        if (b) {
            *out = b->value;
            return LLMINF_OK;
        }
    }
    int32_t status = LLMINF_OK;
    if (r->globals[name].kind == LLI_VAR_ABSENT)
        status = find_global(&r->globals[name], r, name);
    *out = r->globals[name];
    return status;
}

static int32_t assign_one(struct lli_tpl_run *r, const struct lli_tpl_node *target, const struct lli_var *value)
{
    struct lli_var space, key;
    if (target->kind == LLI_TPL_NAME)
        return lli_tpl_bind_name(r, target->a, value);
    int32_t status = lli_tpl_lookup(&space, r, target->a);
    if (status != LLMINF_OK)
        return status;
    if (space.kind != LLI_VAR_NAMESPACE)
        return lli_tpl_fail(r, "an attribute of a value of type %s cannot be set, want a namespace", lli_var_type(&space));
    key = lli_var_text(lli_tpl_name_at(r->t, target->b), LLI_OURS);
    return lli_var_dict_put(r, space.dict, &key, value);
}

int32_t lli_tpl_assign(struct lli_tpl_run *r, uint32_t target, const struct lli_var *value)
{
    struct {
        uint32_t target;
        struct lli_var value;
    } stack[9] = {{target, *value}}; /* the parser allows no more */
    int depth = 1;
    int32_t status = LLMINF_OK;
    while (status == LLMINF_OK && depth > 0) {
        uint32_t t = stack[--depth].target;
        struct lli_var v = stack[depth].value;
        const struct lli_tpl_node *n = lli_tpl_node_at(r->t, t);
        struct lli_var_list *items;
        uint32_t i = 0;
        if (n->kind != LLI_TPL_TUPLE) {
            status = assign_one(r, n, &v);
            continue;
        }
        status = lli_var_iterate(&items, r, &v);
        for (t = n->a; status == LLMINF_OK && t && i < items->n; t = lli_tpl_node_at(r->t, t)->next, i++) {
            stack[depth].target = t;
            stack[depth++].value = items->items[i];
        }
        if (status == LLMINF_OK && (t || i < items->n))
            status = lli_tpl_fail(r, "%u values to be unpacked into another number of names", items->n);
    }
    return status;
}

/* ---- statements */

static int32_t step_body(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status = LLMINF_OK;
    uint32_t i = f->step == 0 ? n->a : f->child;
    f->step = 1;
    for (; i; i = lli_tpl_node_at(r->t, i)->next) {
        const struct lli_tpl_node *s = lli_tpl_node_at(r->t, i);
        if (s->kind != LLI_TPL_DATA) {
            f->child = s->next;
            return push_node(r, i);
        }
        struct lli_text data = lli_tpl_constant_at(r->t, s->a)->text;
        status = lli_tpl_put(r, data.bytes, data.len, 1);
        if (status != LLMINF_OK)
            return status;
    }
    lli_tpl_pop(r);
    return LLMINF_OK;
}

static int32_t step_print(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0)
        return push_node(r, n->a);
    lli_tpl_pop(r);
    return lli_tpl_put_str(r, &r->values[--r->n_values]);
}

/* The chosen body takes the frame's place. */
static int32_t step_if(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0)
        return push_node(r, n->a);
    uint32_t next = lli_var_truth(&r->values[--r->n_values]) ? n->b : n->c;
    lli_tpl_pop(r);
    return next ? push_node(r, next) : LLMINF_OK;
}

static int32_t step_set(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0)
        return push_node(r, n->b);
    lli_tpl_pop(r);
    return lli_tpl_assign(r, n->a, &r->values[--r->n_values]);
}

/* What is captured goes through the filters, and then to the target or into the output. */
static int32_t step_block(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status;
    switch (f->step++) {
    case 0:
        f->capture = lli_tpl_mark(r);
        f->flag = 1;
        status = lli_tpl_enter_scope(r, r->scope);
        return status != LLMINF_OK ? status : push_node(r, n->c);
    case 1:
        f->flag = 0;
        r->scope = f->scope;
        status = lli_tpl_cut(&r->captured, r, f->capture);
        if (status == LLMINF_OK && n->b)
            return push_node(r, n->b);
        if (status == LLMINF_OK)
            status = lli_tpl_push_value(r, &r->captured);
        if (status != LLMINF_OK)
            return status;
        /* fall through */
    default:
        lli_tpl_pop(r);
        r->n_values--;
        if (n->a)
            return lli_tpl_assign(r, n->a, &r->values[r->n_values]);
        return lli_tpl_put_str(r, &r->values[r->n_values]);
    }
}

/* Values are computed outside of the scope that they are for. */
static int32_t step_with(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status = LLMINF_OK;
    uint32_t set = f->step == 0 ? n->a : f->child, i = f->n_values;
    if (f->step < 2 && set) {
        f->step = 1;
        f->child = lli_tpl_node_at(r->t, set)->next;
        return push_node(r, lli_tpl_node_at(r->t, set)->b);
    }
    if (f->step == 2) {
        lli_tpl_pop(r);
        return LLMINF_OK;
    }
    f->step = 2;
    status = lli_tpl_enter_scope(r, r->scope);
    for (set = n->a; status == LLMINF_OK && set; set = lli_tpl_node_at(r->t, set)->next)
        status = lli_tpl_assign(r, lli_tpl_node_at(r->t, set)->a, &r->values[i++]);
    r->n_values = f->n_values;
    return status != LLMINF_OK ? status : push_node(r, n->b);
}

static int32_t step_scope(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    if (f->step++ == 0) {
        int32_t status = lli_tpl_enter_scope(r, r->scope);
        return status != LLMINF_OK ? status : push_node(r, n->a);
    }
    lli_tpl_pop(r);
    return LLMINF_OK;
}

static int32_t step_macro(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_tpl_macro *macro;
    int32_t status = lli_tpl_take(&macro, r, 1, sizeof *macro);
    uint32_t node = f->node;
    lli_tpl_pop(r);
    if (status != LLMINF_OK)
        return status;
    *macro = (struct lli_tpl_macro){.node = node, .scope = r->scope};
    struct lli_var value = {.kind = LLI_VAR_MACRO, .flags = LLI_OURS, .macro = macro};
    return lli_tpl_bind_name(r, n->a, &value);
}

/* ---- loops */

static uint32_t loop_name(const struct lli_tpl_run *r)
{
    uint32_t id = UINT32_MAX;
    (void)lli_map_find(&r->t->by_name, "loop", 4, &id);
    return id;
}

/* A fresh scope for an item, with its names; `loop` too, but not for the filter of the loop. */
static int32_t bind_item(struct lli_tpl_run *r, struct lli_tpl_loop *loop, const struct lli_tpl_node *n, int with_loop)
{
    int32_t status = lli_tpl_enter_scope(r, loop->scope);
    uint32_t name = loop_name(r);
    if (status == LLMINF_OK && with_loop && name != UINT32_MAX) {
        struct lli_var value = {.kind = LLI_VAR_LOOP, .flags = LLI_OURS, .loop = loop};
        status = lli_tpl_bind_name(r, name, &value);
    }
    return status == LLMINF_OK ? lli_tpl_assign(r, n->a, &loop->items->items[loop->i]) : status;
}

static int32_t new_loop(struct lli_tpl_run *r, struct lli_tpl_frame *f, struct lli_var *sequence)
{
    struct lli_tpl_loop *loop;
    int32_t status = lli_tpl_take(&loop, r, 1, sizeof *loop);
    if (status == LLMINF_OK)
        status = lli_var_iterate(&loop->items, r, sequence);
    if (status != LLMINF_OK)
        return status;
    loop->node = f->node;
    loop->scope = f->scope;
    f->data = loop;
    return LLMINF_OK;
}

enum { FOR_BEGIN, FOR_SEQUENCE, FOR_FILTER, FOR_ITEM, FOR_END };

/* The filter of a loop is asked about each item before the first is used; f->child: the items that it lets through. */
static int32_t step_filter(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_tpl_loop *loop = f->data;
    struct lli_var kept;
    int32_t status = LLMINF_OK;
    if (loop->i == 0 && loop->items->cap != UINT32_MAX) { /* a list of our own, to be thinned out in place */
        status = lli_var_list_new(&kept, r, LLI_VAR_LIST, loop->items->n);
        if (status != LLMINF_OK)
            return status;
        if (loop->items->n > 0)
            memcpy(kept.list->items, loop->items->items, loop->items->n * sizeof *kept.list->items);
        *kept.list = (struct lli_var_list){.items = kept.list->items, .n = loop->items->n, .cap = UINT32_MAX};
        loop->items = kept.list;
        f->child = 0;
    } else {
        if (lli_var_truth(&r->values[--r->n_values]))
            loop->items->items[f->child++] = loop->items->items[loop->i];
        loop->i++;
    }
    if (loop->i < loop->items->n) {
        status = bind_item(r, loop, n, 0);
        return status != LLMINF_OK ? status : push_node(r, lli_tpl_node_at(r->t, n->a)->next);
    }
    loop->items->n = f->child;
    loop->items->cap = f->child;
    loop->i = 0;
    f->step = FOR_ITEM;
    return LLMINF_OK;
}

/* The next item, or the else, or the end. */
static int32_t step_item(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    struct lli_tpl_loop *loop = f->data;
    int32_t status;
    if (f->flag) {
        loop->i++;
        loop->n_whole += loop->jump == LLI_JUMP_NONE;
    }
    if (loop->jump != LLI_JUMP_BREAK && loop->i < loop->items->n) {
        loop->jump = LLI_JUMP_NONE;
        f->flag = 1;
        status = bind_item(r, loop, n, 1);
        return status != LLMINF_OK ? status : push_node(r, n->c);
    }
    f->step = FOR_END;
    r->scope = f->scope;
    if (loop->n_whole > 0 || !n->d)
        return LLMINF_OK;
    status = lli_tpl_enter_scope(r, r->scope);
    return status != LLMINF_OK ? status : push_node(r, n->d);
}

static int32_t step_for(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    int32_t status;
    switch (f->step) {
    case FOR_BEGIN:
        f->step = FOR_SEQUENCE;
        return push_node(r, n->b);
    case FOR_SEQUENCE:
        status = new_loop(r, f, &r->values[--r->n_values]);
        f->step = lli_tpl_node_at(r->t, n->a)->next ? FOR_FILTER : FOR_ITEM;
        return status;
    case FOR_FILTER:
        return step_filter(r, f, n);
    case FOR_ITEM:
        return step_item(r, f, n);
    default:
        lli_tpl_pop(r);
        return LLMINF_OK;
    }
}

/* loop(x): the loop's body with another sequence, as a text. */
int32_t lli_tpl_start_loop(struct lli_tpl_run *r, const struct lli_tpl_loop *outer, struct lli_var *sequence)
{
    int32_t status = lli_tpl_push(r, LLI_TPL_LOOP_RUN, outer->node);
    if (status == LLMINF_OK)
        r->frames[r->n_frames - 1].capture = lli_tpl_mark(r);
    r->scope = outer->scope;
    if (status == LLMINF_OK)
        status = lli_tpl_push(r, LLI_TPL_FOR, outer->node);
    if (status == LLMINF_OK)
        status = new_loop(r, &r->frames[r->n_frames - 1], sequence);
    if (status != LLMINF_OK)
        return status;
    struct lli_tpl_frame *f = &r->frames[r->n_frames - 1];
    ((struct lli_tpl_loop *)f->data)->depth = outer->depth + 1;
    f->step = lli_tpl_node_at(r->t, lli_tpl_node_at(r->t, outer->node)->a)->next ? FOR_FILTER : FOR_ITEM;
    return LLMINF_OK;
}

/* What was captured behind the frame is its value. */
static int32_t end_capture(struct lli_tpl_run *r, struct lli_tpl_frame *f)
{
    struct lli_var text;
    int32_t status = lli_tpl_cut(&text, r, f->capture);
    lli_tpl_pop(r);
    return status != LLMINF_OK ? status : lli_tpl_push_value(r, &text);
}

static int32_t step_loop_run(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    (void)n;
    return end_capture(r, f);
}

/* Frames up to the loop go; what they had captured is lost, as in Jinja2. */
static int32_t step_jump(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    uint8_t jump = f->kind == LLI_TPL_BREAK ? LLI_JUMP_BREAK : LLI_JUMP_CONTINUE;
    (void)n;
    for (;;) {
        lli_tpl_pop(r);
        f = &r->frames[r->n_frames - 1];
        if (f->kind == LLI_TPL_FOR && f->step == FOR_ITEM)
            break;
        if (f->kind == LLI_TPL_BLOCK && f->flag)
            lli_tpl_drop(r, f->capture);
        if (r->n_frames == 1)
            return lli_tpl_fail(r, "a jump outside of a loop");
    }
    r->n_values = f->n_values;
    ((struct lli_tpl_loop *)f->data)->jump = jump;
    return LLMINF_OK;
}

/* ---- macros */

static const struct lli_tpl_node *param_at(const struct lli_tpl_run *r, const struct lli_tpl_node *macro, uint32_t i)
{
    uint32_t p = macro->b;
    while (p && i-- > 0)
        p = lli_tpl_node_at(r->t, p)->next;
    return p ? lli_tpl_node_at(r->t, p) : NULL;
}

static int same_text(struct lli_text a, struct lli_text b)
{
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

static int32_t bind_special(struct lli_tpl_run *r, const char *word, const struct lli_var *value)
{
    uint32_t name;
    if (!lli_map_find(&r->t->by_name, word, strlen(word), &name))
        return LLMINF_OK;
    return lli_tpl_bind_name(r, name, value);
}

/* Arguments beyond the parameters. */
static int32_t bind_varargs(struct lli_tpl_run *r, const struct lli_tpl_node *macro, const struct lli_tpl_args *args,
                            uint32_t n)
{
    struct lli_var list;
    if (!(macro->op & LLI_TPL_USES_VARARGS))
        return args->n > n ? lli_tpl_fail(r, "%u arguments for a macro of %u", args->n, n) : LLMINF_OK;
    int32_t status = lli_var_list_new(&list, r, LLI_VAR_TUPLE, args->n);
    for (uint32_t i = n; status == LLMINF_OK && i < args->n; i++)
        status = lli_var_list_add(r, list.list, &args->at[i]);
    return status == LLMINF_OK ? bind_special(r, "varargs", &list) : status;
}

/* Arguments by name: parameters, the caller, the rest. */
static int32_t bind_named(struct lli_tpl_run *r, const struct lli_tpl_node *macro, const struct lli_tpl_args *args)
{
    struct lli_var rest, key;
    struct lli_var caller = lli_var_undefined((struct lli_text){"caller", 6});
    int32_t status = lli_var_dict_new(&rest, r, LLI_VAR_DICT);
    for (uint32_t i = 0; status == LLMINF_OK && i < args->n_named; i++) {
        uint32_t p = macro->b, k = 0;
        while (p && !same_text(lli_tpl_name_at(r->t, lli_tpl_node_at(r->t, p)->a), args->names[i])) {
            p = lli_tpl_node_at(r->t, p)->next;
            k++;
        }
        key = lli_var_text(args->names[i], LLI_OURS);
        if (p && k >= args->n)
            status = lli_tpl_bind_name(r, lli_tpl_node_at(r->t, p)->a, &args->named[i]);
        else if (lli_var_is(&key, "caller") && (macro->op & LLI_TPL_USES_CALLER))
            caller = args->named[i];
        else if (macro->op & LLI_TPL_USES_KWARGS)
            status = lli_var_dict_put(r, rest.dict, &key, &args->named[i]);
        else
            status = lli_tpl_fail(r, "the macro takes no argument named %.*s", (int)args->names[i].len, args->names[i].bytes);
    }
    if (status == LLMINF_OK && (macro->op & LLI_TPL_USES_KWARGS))
        status = bind_special(r, "kwargs", &rest);
    uint32_t name;
    int is_param = lli_map_find(&r->t->by_name, "caller", 6, &name) && find_binding(r, r->scope, name);
    if (status == LLMINF_OK && (macro->op & LLI_TPL_USES_CALLER) && !is_param)
        status = bind_special(r, "caller", &caller);
    return status;
}

int32_t lli_tpl_start_macro(struct lli_tpl_run *r, const struct lli_tpl_macro *macro, const struct lli_tpl_args *args)
{
    const struct lli_tpl_node *n = lli_tpl_node_at(r->t, macro->node), *p;
    int32_t status = lli_tpl_push(r, LLI_TPL_MACRO_RUN, macro->node);
    if (status == LLMINF_OK)
        status = lli_tpl_enter_scope(r, macro->scope);
    if (status != LLMINF_OK)
        return status;
    r->frames[r->n_frames - 1].capture = lli_tpl_mark(r);
    uint32_t i = 0;
    for (; status == LLMINF_OK && i < args->n && (p = param_at(r, n, i)) != NULL; i++)
        status = lli_tpl_bind_name(r, p->a, &args->at[i]);
    if (status == LLMINF_OK)
        status = bind_varargs(r, n, args, i);
    return status == LLMINF_OK ? bind_named(r, n, args) : status;
}

/* Defaults of the parameters that got nothing, in their order; then the body. f->child: parameters done. */
static int32_t step_macro_run(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n)
{
    const struct lli_tpl_node *p;
    int32_t status = LLMINF_OK;
    if (f->step == 2)
        return end_capture(r, f);
    if (f->step == 1) {
        status = lli_tpl_bind_name(r, param_at(r, n, f->child)->a, &r->values[--r->n_values]);
        f->step = 0;
        f->child++;
    }
    for (; status == LLMINF_OK && (p = param_at(r, n, f->child)) != NULL; f->child++) {
        if (find_binding(r, r->scope, p->a))
            continue;
        f->step = 1;
        if (p->b)
            return push_node(r, p->b);
        f->step = 0;
        struct lli_var undefined = lli_var_undefined(lli_tpl_name_at(r->t, p->a));
        status = lli_tpl_bind_name(r, p->a, &undefined);
    }
    f->step = 2;
    return status != LLMINF_OK ? status : push_node(r, n->c);
}

/* ---- the whole */

static lli_tpl_step_fn *const steps[LLI_TPL_N_WORKS] = {
    [LLI_TPL_BODY] = step_body,
    [LLI_TPL_PRINT] = step_print,
    [LLI_TPL_IF] = step_if,
    [LLI_TPL_FOR] = step_for,
    [LLI_TPL_SET] = step_set,
    [LLI_TPL_BLOCK] = step_block,
    [LLI_TPL_WITH] = step_with,
    [LLI_TPL_SCOPE] = step_scope,
    [LLI_TPL_MACRO] = step_macro,
    [LLI_TPL_CALLER] = lli_tpl_step_caller,
    [LLI_TPL_BREAK] = step_jump,
    [LLI_TPL_CONTINUE] = step_jump,
    [LLI_TPL_CONST] = lli_tpl_step_const,
    [LLI_TPL_NAME] = lli_tpl_step_name,
    [LLI_TPL_CAPTURED] = lli_tpl_step_captured,
    [LLI_TPL_LIST] = lli_tpl_step_list,
    [LLI_TPL_TUPLE] = lli_tpl_step_list,
    [LLI_TPL_DICT] = lli_tpl_step_dict,
    [LLI_TPL_NOT] = lli_tpl_step_not,
    [LLI_TPL_UNARY] = lli_tpl_step_unary,
    [LLI_TPL_BINARY] = lli_tpl_step_binary,
    [LLI_TPL_AND] = lli_tpl_step_logic,
    [LLI_TPL_OR] = lli_tpl_step_logic,
    [LLI_TPL_COND] = lli_tpl_step_cond,
    [LLI_TPL_COMPARE] = lli_tpl_step_compare,
    [LLI_TPL_CONCAT] = lli_tpl_step_concat,
    [LLI_TPL_ATTR] = lli_tpl_step_attr,
    [LLI_TPL_ITEM] = lli_tpl_step_item,
    [LLI_TPL_CALL] = lli_tpl_step_call,
    [LLI_TPL_FILTER] = lli_tpl_step_filter,
    [LLI_TPL_TEST] = lli_tpl_step_filter,
    [LLI_TPL_MACRO_RUN] = step_macro_run,
    [LLI_TPL_LOOP_RUN] = step_loop_run,
};

static int32_t run(struct lli_tpl_run *r)
{
    int32_t status = lli_tpl_enter_scope(r, NULL);
    if (status == LLMINF_OK)
        status = push_node(r, r->t->root);
    while (status == LLMINF_OK && r->n_frames > 0) {
        struct lli_tpl_frame *f = &r->frames[r->n_frames - 1];
        const struct lli_tpl_node *n = lli_tpl_node_at(r->t, f->node);
        r->at = n->at;
        status = lli_tpl_charge(r, f->step == 0);
        if (status == LLMINF_OK)
            status = steps[f->kind](r, f, n);
    }
    return status;
}

int32_t lli_template_run(struct lli_template_output *out, struct lli_heap *heap, const struct lli_template *t,
                         const struct lli_template_input *in, struct llminf_error *err)
{
    struct lli_tpl_run r = {.t = t, .in = in, .heap = heap, .out = out, .steps_left = in->limit_steps, .err = err};
    lli_buffer_init(&out->text, heap);
    lli_buffer_init(&out->marks, heap);
    if (in->now && !lli_tpl_time_valid(in->now))
        return lli_fail(err, LLMINF_E_FORMAT, "now", "is no time, want YYYY-MM-DD HH:MM:SS");
    lli_arena_init(&r.arena, heap, 1 << 16);
    r.arena_left = (size_t)in->limit_bytes * 8 + (1 << 20);
    size_t n_names = t->names.len / sizeof(struct lli_text);
    r.frames = lli_alloc_array(heap, LLI_MAX_TEMPLATE_FRAMES, sizeof *r.frames);
    r.values = lli_alloc_array(heap, LLI_TPL_VALUES, sizeof *r.values);
    int32_t status = r.frames && r.values ? lli_tpl_take(&r.globals, &r, n_names, sizeof *r.globals)
                                          : lli_fail_memory(err, "chat_template", LLI_TPL_VALUES * sizeof *r.values);
    if (status == LLMINF_OK)
        status = run(&r);
    lli_free(heap, r.frames);
    lli_free(heap, r.values);
    lli_arena_finish(&r.arena);
    if (status != LLMINF_OK)
        lli_template_output_finish(out);
    return status;
}
