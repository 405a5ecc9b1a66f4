/* text/template_call.c - how functions get their arguments, the globals, and the methods of containers. */
#include <string.h>

#include "text/template_run.h"

/* ---- arguments */

static int same(struct lli_text a, struct lli_text b)
{
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

int32_t lli_tpl_bind(struct lli_var out[LLI_TPL_PARAMS], struct lli_tpl_run *r, const char *what, const char *params,
                     uint32_t n_needed, const struct lli_tpl_args *args)
{
    struct lli_text names[LLI_TPL_PARAMS];
    uint32_t n = 0, n_bound = 0;
    memset(out, 0, LLI_TPL_PARAMS * sizeof *out);
    for (const char *at = params; *at && n < LLI_TPL_PARAMS; n++) {
        const char *blank = strchr(at, ' ');
        size_t len = blank ? (size_t)(blank - at) : strlen(at);
        names[n] = (struct lli_text){at, len};
        at += len + (at[len] == ' ');
    }
    if (args->n > n)
        return lli_tpl_fail(r, "%s takes at most %u arguments, not %u", what, n, args->n);
    for (uint32_t i = 0; i < args->n; i++)
        out[i] = args->at[i];
    for (uint32_t i = 0; i < args->n_named; i++) {
        uint32_t k = 0;
        while (k < n && !same(names[k], args->names[i]))
            k++;
        if (k == n || out[k].kind != LLI_VAR_ABSENT)
            return lli_tpl_fail(r, "%s %s an argument named %.*s", what, k == n ? "has not" : "was given twice",
                                (int)(args->names[i].len & 0x3F), args->names[i].bytes);
        out[k] = args->named[i];
    }
    while (n_bound < n_needed && out[n_bound].kind != LLI_VAR_ABSENT)
        n_bound++;
    if (n_bound < n_needed)
        return lli_tpl_fail(r, "%s wants the argument %.*s", what, (int)names[n_bound].len, names[n_bound].bytes);
    return LLMINF_OK;
}

int32_t lli_tpl_int_arg(int64_t *out, struct lli_tpl_run *r, const struct lli_var *arg, int64_t otherwise)
{
    *out = otherwise;
    if (arg->kind == LLI_VAR_ABSENT)
        return LLMINF_OK;
    if (arg->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, arg);
    if (arg->kind != LLI_VAR_INT && arg->kind != LLI_VAR_BOOL)
        return lli_tpl_fail(r, "an argument of type %s, want an integer", lli_var_type(arg));
    *out = arg->number;
    return LLMINF_OK;
}

int32_t lli_tpl_invoke(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_function *f, struct lli_var *in,
                       const struct lli_tpl_args *args)
{
    struct lli_var arg[LLI_TPL_PARAMS];
    struct lli_tpl_call call = {in, args, arg};
    int32_t status = f->params ? lli_tpl_bind(arg, r, f->name, f->params, f->n_needed, args) : LLMINF_OK;
    *out = lli_var_undefined((struct lli_text){"", 0});
    return status == LLMINF_OK ? f->fn(out, r, &call) : status;
}

static const struct lli_tpl_function *find(const struct lli_tpl_function *rows, struct lli_text name)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == name.len && memcmp(rows->name, name.bytes, name.len) == 0)
            return rows;
    return NULL;
}

const struct lli_tpl_function *lli_tpl_filter_find(struct lli_text name)
{
    const struct lli_tpl_function *const tables[] = {lli_tpl_text_filters, lli_tpl_list_filters, lli_tpl_value_filters};
    const struct lli_tpl_function *found = NULL;
    for (size_t i = 0; !found && i < sizeof tables / sizeof *tables; i++)
        found = find(tables[i], name);
    return found;
}

int32_t lli_tpl_apply(struct lli_var *out, struct lli_tpl_run *r, int is_test, struct lli_text name, struct lli_var *in,
                      const struct lli_tpl_args *args)
{
    const struct lli_tpl_function *f = is_test ? lli_tpl_test_find(name) : lli_tpl_filter_find(name);
    if (!f)
        return lli_tpl_fail(r, "no %s is named %.*s", is_test ? "test" : "filter", (int)(name.len & 0x3F), name.bytes);
    return lli_tpl_invoke(out, r, f, in, args);
}

/* ---- globals */

static int32_t fn_range(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int64_t start, stop, step, span;
    int32_t status = lli_tpl_int_arg(&start, r, &call->arg[0], 0);
    if (status == LLMINF_OK)
        status = lli_tpl_int_arg(&stop, r, &call->arg[1], 0);
    if (status == LLMINF_OK)
        status = lli_tpl_int_arg(&step, r, &call->arg[2], 1);
    if (status != LLMINF_OK)
        return status;
    if (call->arg[1].kind == LLI_VAR_ABSENT) {
        stop = start;
        start = 0;
    }
    if (step == 0 || step == INT64_MIN)
        return lli_tpl_fail(r, "a range with the step 0");
    if (__builtin_sub_overflow(step < 0 ? start : stop, step < 0 ? stop : start, &span))
        return lli_tpl_limit(r, "a range of more than %d numbers", LLI_MAX_TEMPLATE_RANGE);
    int64_t n = span > 0 ? (span - 1) / (step < 0 ? -step : step) + 1 : 0;
    if (n > LLI_MAX_TEMPLATE_RANGE)
        return lli_tpl_limit(r, "a range of more than %d numbers", LLI_MAX_TEMPLATE_RANGE);
    struct lli_var_range *range;
    status = lli_tpl_take(&range, r, 1, sizeof *range);
    if (status != LLMINF_OK)
        return status;
    *range = (struct lli_var_range){start, step, n};
    *out = (struct lli_var){.kind = LLI_VAR_RANGE, .flags = LLI_OURS, .range = range};
    return LLMINF_OK;
}

/* Entries of a mapping, or pairs, into d. */
static int32_t add_entries(struct lli_tpl_run *r, struct lli_var_dict *d, struct lli_var *from)
{
    struct lli_var_list *pairs, *pair;
    int32_t status = LLMINF_OK;
    if (from->kind == LLI_VAR_DICT || from->kind == LLI_VAR_NAMESPACE) {
        for (uint32_t i = 0; status == LLMINF_OK && i < from->dict->n; i++)
            status = lli_var_dict_put(r, d, &from->dict->entries[i].key, &from->dict->entries[i].value);
        return status == LLMINF_OK ? lli_tpl_charge(r, from->dict->n) : status;
    }
    status = lli_var_iterate(&pairs, r, from);
    for (uint32_t i = 0; status == LLMINF_OK && i < pairs->n; i++) {
        struct lli_var item = pairs->items[i];
        status = lli_var_iterate(&pair, r, &item);
        if (status == LLMINF_OK && pair->n != 2)
            return lli_tpl_fail(r, "a mapping wants pairs");
        if (status == LLMINF_OK)
            status = lli_var_dict_put(r, d, &pair->items[0], &pair->items[1]);
    }
    return status;
}

static int32_t add_all(struct lli_tpl_run *r, struct lli_var_dict *d, const struct lli_tpl_args *args)
{
    int32_t status = LLMINF_OK;
    if (args->n > 1)
        return lli_tpl_fail(r, "a mapping takes one argument without a name");
    if (args->n == 1) {
        struct lli_var from = args->at[0];
        if (from.kind == LLI_VAR_UNDEFINED)
            return lli_tpl_fail(r, "a mapping is made of what is undefined");
        status = add_entries(r, d, &from);
    }
    for (uint32_t i = 0; status == LLMINF_OK && i < args->n_named; i++) {
        struct lli_var key = lli_var_text(args->names[i], LLI_OURS);
        status = lli_var_dict_put(r, d, &key, &args->named[i]);
    }
    return status;
}

static int32_t fn_dict(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int32_t status = lli_var_dict_new(out, r, LLI_VAR_DICT);
    return status == LLMINF_OK ? add_all(r, out->dict, call->args) : status;
}

static int32_t fn_namespace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int32_t status = lli_var_dict_new(out, r, LLI_VAR_NAMESPACE);
    return status == LLMINF_OK ? add_all(r, out->dict, call->args) : status;
}

static int32_t fn_cycler(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    if (call->args->n == 0)
        return lli_tpl_fail(r, "cycler wants at least one item");
    int32_t status = lli_var_list_new(out, r, LLI_VAR_CYCLER, call->args->n);
    for (uint32_t i = 0; status == LLMINF_OK && i < call->args->n; i++)
        status = lli_var_list_add(r, out->list, &call->args->at[i]);
    return status;
}

/* Its list has the text as its one item, and n counts the calls. */
static int32_t fn_joiner(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var comma = lli_var_ours(", ");
    int32_t status = lli_var_list_new(out, r, LLI_VAR_JOINER, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&out->list->items[0], r, call->arg[0].kind != LLI_VAR_ABSENT ? &call->arg[0] : &comma);
    return status;
}

static int32_t fn_raise(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int32_t status = lli_tpl_str(out, r, &call->arg[0]);
    return status == LLMINF_OK ? lli_tpl_fail(r, "%.*s", (int)(out->len < 300 ? out->len : 300), out->text) : status;
}

static int32_t fn_strftime(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    if (call->arg[0].kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "strftime_now wants a format");
    return lli_tpl_strftime(out, r, &call->arg[0]);
}

static const struct lli_tpl_function globals[] = {
    {"range", "start stop step", 1, fn_range},
    {"dict", NULL, 0, fn_dict},
    {"namespace", NULL, 0, fn_namespace},
    {"cycler", NULL, 0, fn_cycler},
    {"joiner", "sep", 0, fn_joiner},
    {"raise_exception", "message", 1, fn_raise},
    {"strftime_now", "format", 1, fn_strftime},
    {NULL, NULL, 0, NULL},
};

const struct lli_tpl_function *lli_tpl_global_find(struct lli_text name)
{
    return find(globals, name);
}

/* ---- methods of containers */

/* A view of a mapping, made at once. */
static int32_t view(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var_dict *d, int what)
{
    struct lli_var pair;
    int32_t status = lli_tpl_charge(r, d->n);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, LLI_VAR_VIEW, d->n);
    out->view = (uint8_t)what;
    for (uint32_t i = 0; status == LLMINF_OK && i < d->n; i++) {
        if (what < 2) {
            status = lli_var_list_add(r, out->list, what == 0 ? &d->entries[i].key : &d->entries[i].value);
            continue;
        }
        status = lli_var_list_new(&pair, r, LLI_VAR_TUPLE, 2);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, pair.list, &d->entries[i].key);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, pair.list, &d->entries[i].value);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &pair);
    }
    return status;
}

static int32_t dict_keys(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    return view(out, r, call->in->dict, 0);
}

static int32_t dict_values(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    return view(out, r, call->in->dict, 1);
}

static int32_t dict_items(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    return view(out, r, call->in->dict, 2);
}

static int32_t dict_get(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    const struct lli_var *found = lli_var_dict_find(call->in->dict, &call->arg[0]);
    (void)r;
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    if (call->arg[1].kind != LLI_VAR_ABSENT)
        *out = call->arg[1];
    if (found)
        *out = *found;
    return LLMINF_OK;
}

static int32_t dict_copy(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int32_t status = lli_var_dict_new(out, r, LLI_VAR_DICT);
    out->flags = call->in->flags;
    return status == LLMINF_OK ? add_entries(r, out->dict, call->in) : status;
}

static int32_t dict_update(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    return add_all(r, call->in->dict, call->args);
}

static int32_t dict_setdefault(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var *found = lli_var_dict_find(call->in->dict, &call->arg[0]);
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    if (call->arg[1].kind != LLI_VAR_ABSENT)
        *out = call->arg[1];
    if (found)
        *out = *found;
    return found ? LLMINF_OK : lli_var_dict_put(r, call->in->dict, &call->arg[0], out);
}

static int32_t list_append(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    return lli_var_list_add(r, call->in->list, &call->arg[0]);
}

static int32_t list_extend(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var from = call->arg[0];
    struct lli_var_list *list;
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    int32_t status = lli_var_iterate(&list, r, &from);
    uint32_t n = status == LLMINF_OK ? list->n : 0; /* it may be the same list */
    for (uint32_t i = 0; status == LLMINF_OK && i < n; i++)
        status = lli_var_list_add(r, call->in->list, &list->items[i]);
    return status == LLMINF_OK ? lli_tpl_charge(r, n) : status;
}

static int32_t list_insert(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var_list *list = call->in->list;
    int64_t i;
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    int32_t status = lli_tpl_int_arg(&i, r, &call->arg[0], 0);
    if (status == LLMINF_OK)
        status = lli_var_list_add(r, list, &call->arg[1]);
    if (status != LLMINF_OK)
        return status;
    int64_t n = (int64_t)list->n - 1;
    i = i < 0 ? (i < -n ? 0 : i + n) : i > n ? n : i;
    memmove(&list->items[i + 1], &list->items[i], (size_t)(n - i) * sizeof *list->items);
    list->items[i] = call->arg[1];
    return lli_tpl_charge(r, (size_t)(n - i) / 8);
}

static int32_t list_pop(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var_list *list = call->in->list;
    int64_t i, n = list->n;
    int32_t status = lli_tpl_int_arg(&i, r, &call->arg[0], -1);
    i += i < 0 ? n : 0;
    if (status == LLMINF_OK && (i < 0 || i >= n))
        return lli_tpl_fail(r, "pop from a place that the list has not");
    if (status != LLMINF_OK)
        return status;
    *out = list->items[i];
    memmove(&list->items[i], &list->items[i + 1], (size_t)(n - i - 1) * sizeof *list->items);
    list->n--;
    return lli_tpl_charge(r, (size_t)(n - i) / 8);
}

static int32_t find_in_list(int64_t *first, int64_t *count, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    const struct lli_var_list *list = call->in->list;
    int32_t status = lli_tpl_charge(r, list->n);
    *first = -1;
    *count = 0;
    for (uint32_t i = 0; status == LLMINF_OK && i < list->n; i++) {
        int equal;
        status = lli_var_equal(&equal, r, &list->items[i], &call->arg[0]);
        if (equal && *first < 0)
            *first = i;
        *count += equal;
    }
    return status;
}

static int32_t list_index(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int64_t first, count;
    int32_t status = find_in_list(&first, &count, r, call);
    *out = lli_var_int(first);
    return status == LLMINF_OK && count == 0 ? lli_tpl_fail(r, "index of what is not in the list") : status;
}

static int32_t list_count(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    int64_t first, count;
    int32_t status = find_in_list(&first, &count, r, call);
    *out = lli_var_int(count);
    return status;
}

static int32_t list_copy(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    const struct lli_var all[3] = {{0}};
    return lli_tpl_slice(out, r, call->in, all);
}

static int32_t loop_cycle(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    if (call->args->n == 0)
        return lli_tpl_fail(r, "loop.cycle wants items");
    *out = call->args->at[call->in->loop->i % call->args->n];
    return LLMINF_OK;
}

static int32_t loop_changed(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_tpl_loop *loop = call->in->loop;
    struct lli_var all;
    int equal = 0;
    int32_t status = lli_var_list_new(&all, r, LLI_VAR_TUPLE, call->args->n);
    for (uint32_t i = 0; status == LLMINF_OK && i < call->args->n; i++)
        status = lli_var_list_add(r, all.list, &call->args->at[i]);
    if (status == LLMINF_OK)
        status = lli_var_equal(&equal, r, &loop->changed, &all);
    loop->changed = all;
    *out = lli_var_bool(!equal);
    return status;
}

static int32_t cycler_next(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    struct lli_var_list *list = call->in->list;
    (void)r;
    *out = list->items[list->start];
    list->start = (list->start + 1) % list->n;
    return LLMINF_OK;
}

static int32_t cycler_reset(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    (void)r;
    call->in->list->start = 0;
    *out = (struct lli_var){.kind = LLI_VAR_NONE, .flags = LLI_OURS};
    return LLMINF_OK;
}

static const struct lli_tpl_function dict_methods[] = {
    {"keys", "", 0, dict_keys},
    {"values", "", 0, dict_values},
    {"items", "", 0, dict_items},
    {"get", "key default", 1, dict_get},
    {"copy", "", 0, dict_copy},
    {"update", NULL, 0, dict_update},
    {"setdefault", "key default", 1, dict_setdefault},
    {NULL, NULL, 0, NULL},
};
static const struct lli_tpl_function list_methods[] = {
    {"append", "item", 1, list_append},
    {"extend", "items", 1, list_extend},
    {"insert", "at item", 2, list_insert},
    {"pop", "at", 0, list_pop},
    {"index", "item", 1, list_index},
    {"count", "item", 1, list_count},
    {"copy", "", 0, list_copy},
    {NULL, NULL, 0, NULL},
};
static const struct lli_tpl_function tuple_methods[] = {
    {"index", "item", 1, list_index},
    {"count", "item", 1, list_count},
    {NULL, NULL, 0, NULL},
};
static const struct lli_tpl_function loop_methods[] = {
    {"cycle", NULL, 0, loop_cycle},
    {"changed", NULL, 0, loop_changed},
    {NULL, NULL, 0, NULL},
};
static const struct lli_tpl_function cycler_methods[] = {
    {"next", "", 0, cycler_next},
    {"reset", "", 0, cycler_reset},
    {NULL, NULL, 0, NULL},
};

const struct lli_tpl_function *lli_tpl_method_find(const struct lli_var *of, struct lli_text name)
{
    switch (of->kind) {
    case LLI_VAR_TEXT:
        return find(lli_tpl_text_methods, name);
    case LLI_VAR_DICT:
        return find(dict_methods, name);
    case LLI_VAR_LIST:
        return find(list_methods, name);
    case LLI_VAR_TUPLE:
        return find(tuple_methods, name);
    case LLI_VAR_LOOP:
        return find(loop_methods, name);
    case LLI_VAR_CYCLER:
        return find(cycler_methods, name);
    default:
        return NULL;
    }
}
