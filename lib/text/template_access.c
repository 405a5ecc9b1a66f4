/* text/template_access.c - x.y, x[y] and x[a:b:c]. As in Jinja2 a dot asks for a method first and for a key then, brackets
 * the other way round; what is not there is undefined. Nothing leads out of the values: there is no way to the host. */
#include <string.h>

#include "text/template_run.h"

static int same(struct lli_text a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.bytes, b, a.len) == 0;
}

static int32_t loop_attribute(struct lli_var *out, const struct lli_tpl_loop *loop, struct lli_text name)
{
    const int64_t i = loop->i, n = loop->items->n, depth = loop->depth;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"index", i + 1}, {"index0", i},        {"revindex", n - i}, {"revindex0", n - i - 1},
                   {"length", n},    {"depth", depth + 1}, {"depth0", depth}};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (same(name, numbers[k].name))
            *out = lli_var_int(numbers[k].value);
    if (same(name, "first"))
        *out = lli_var_bool(i == 0);
    else if (same(name, "last"))
        *out = lli_var_bool(i + 1 == n);
    else if (same(name, "previtem") && i > 0)
        *out = loop->items->items[i - 1];
    else if (same(name, "nextitem") && i + 1 < n)
        *out = loop->items->items[i + 1];
    return LLMINF_OK;
}

static int32_t bind_method(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of,
                           const struct lli_tpl_function *f)
{
    struct lli_tpl_bound *bound;
    int32_t status = lli_tpl_take(&bound, r, 1, sizeof *bound);
    if (status != LLMINF_OK)
        return status;
    *bound = (struct lli_tpl_bound){*of, f};
    *out = (struct lli_var){.kind = LLI_VAR_METHOD, .flags = LLI_OURS, .bound = bound};
    return LLMINF_OK;
}

static void find_key(struct lli_var *out, const struct lli_var_dict *d, const struct lli_var *key)
{
    const struct lli_var *found = lli_var_dict_find(d, key);
    if (found)
        *out = *found;
}

int32_t lli_tpl_attribute(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, struct lli_text name)
{
    struct lli_var key = lli_var_text(name, 0);
    const struct lli_tpl_function *f = lli_tpl_method_find(of, name);
    *out = lli_var_undefined(name);
    if (of->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, of);
    if (f)
        return bind_method(out, r, of, f);
    if (of->kind == LLI_VAR_LOOP)
        return loop_attribute(out, of->loop, name);
    if (of->kind == LLI_VAR_DICT || of->kind == LLI_VAR_NAMESPACE)
        find_key(out, of->dict, &key);
    else if (of->kind == LLI_VAR_TUPLE && of->view && (same(name, "grouper") || same(name, "list")))
        *out = of->list->items[same(name, "list")];
    else if (of->kind == LLI_VAR_CYCLER && same(name, "current"))
        *out = of->list->items[of->list->start];
    else if (of->kind == LLI_VAR_MACRO && same(name, "name"))
        *out = lli_var_text(lli_tpl_name_at(r->t, lli_tpl_node_at(r->t, of->macro->node)->a), LLI_OURS);
    return LLMINF_OK;
}

/* An index from the front or the end; -1: outside. */
static int64_t find_index(int64_t i, int64_t n)
{
    i += i < 0 ? n : 0;
    return i >= 0 && i < n ? i : -1;
}

int32_t lli_tpl_item(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct lli_var *key)
{
    static const struct lli_text item = {"item", 4};
    int is_index = key->kind == LLI_VAR_INT || key->kind == LLI_VAR_BOOL;
    *out = lli_var_undefined(key->kind == LLI_VAR_TEXT ? lli_var_bytes(key) : item);
    if (of->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, of);
    if (of->kind == LLI_VAR_DICT)
        find_key(out, of->dict, key);
    if (key->kind == LLI_VAR_TEXT)
        return out->kind == LLI_VAR_UNDEFINED ? lli_tpl_attribute(out, r, of, lli_var_bytes(key)) : LLMINF_OK;
    if (!is_index)
        return LLMINF_OK;
    if (of->kind == LLI_VAR_LIST || of->kind == LLI_VAR_TUPLE) {
        int64_t i = find_index(key->number, of->list->n);
        if (i >= 0)
            *out = of->list->items[i];
    } else if (of->kind == LLI_VAR_RANGE) {
        int64_t i = find_index(key->number, of->range->n);
        if (i >= 0)
            *out = lli_var_int(of->range->start + i * of->range->step);
    } else if (of->kind == LLI_VAR_TEXT) {
        int64_t i = find_index(key->number, (int64_t)lli_var_count(of));
        if (i >= 0) {
            size_t from = lli_var_offset(of, (size_t)i), to = lli_var_offset(of, (size_t)i + 1);
            *out = lli_var_part(of, from, to - from);
        }
        return lli_tpl_charge_bytes(r, of->len);
    }
    return LLMINF_OK;
}

/* ---- slices */

struct slice {
    int64_t start, stop, step, n;
};

static int64_t clamp(int64_t i, int64_t n, int64_t low, int64_t high)
{
    if (i < 0)
        i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

/* Python's slice.indices; -1 if a bound is no integer. */
static int resolve(struct slice *s, const struct lli_var bounds[3], int64_t n)
{
    for (int i = 0; i < 3; i++)
        if (bounds[i].kind != LLI_VAR_ABSENT && bounds[i].kind != LLI_VAR_NONE && bounds[i].kind != LLI_VAR_INT &&
            bounds[i].kind != LLI_VAR_BOOL)
            return -1;
    int has_start = bounds[0].kind > LLI_VAR_NONE, has_stop = bounds[1].kind > LLI_VAR_NONE;
    s->step = bounds[2].kind > LLI_VAR_NONE ? bounds[2].number : 1;
    if (s->step > INT32_MAX || s->step < -INT32_MAX)
        s->step = s->step > 0 ? INT32_MAX : -INT32_MAX;
    int64_t low = s->step < 0 ? -1 : 0, high = s->step < 0 ? n - 1 : n;
    s->start = has_start ? clamp(bounds[0].number, n, low, high) : s->step < 0 ? high : low;
    s->stop = has_stop ? clamp(bounds[1].number, n, low, high) : s->step < 0 ? low : high;
    int64_t span = s->step < 0 ? s->start - s->stop : s->stop - s->start, step = s->step < 0 ? -s->step : s->step;
    s->n = span > 0 && step > 0 ? (span - 1) / step + 1 : 0;
    return 0;
}

static int32_t slice_text(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct slice *s)
{
    struct lli_var copy = *of;
    struct lli_var_list *characters;
    if (s->step == 1) {
        size_t from = lli_var_offset(of, (size_t)s->start), to = lli_var_offset(of, (size_t)(s->start + s->n));
        *out = lli_var_part(of, from, to - from);
        return lli_tpl_charge_bytes(r, of->len);
    }
    size_t mark = lli_tpl_mark(r);
    int32_t status = lli_var_iterate(&characters, r, &copy);
    for (int64_t i = 0; status == LLMINF_OK && i < s->n; i++)
        status = lli_tpl_put_text(r, &characters->items[s->start + i * s->step]);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

static int32_t slice_list(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct slice *s)
{
    int32_t status = lli_tpl_charge(r, (size_t)s->n / 4);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, of->kind, (size_t)s->n);
    if (status != LLMINF_OK)
        return status;
    for (int64_t i = 0; i < s->n; i++)
        out->list->items[i] = of->list->items[s->start + i * s->step];
    out->list->n = (uint32_t)s->n;
    out->flags = of->flags;
    return LLMINF_OK;
}

static int32_t slice_range(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct slice *s)
{
    *out = *of;
    int32_t status = lli_tpl_take(&out->range, r, 1, sizeof *out->range);
    if (status == LLMINF_OK)
        *out->range = (struct lli_var_range){of->range->start + s->start * of->range->step, of->range->step * s->step, s->n};
    return status;
}

int32_t lli_tpl_slice(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct lli_var bounds[3])
{
    struct slice s;
    int64_t n;
    if (of->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, of);
    if (of->kind != LLI_VAR_TEXT && of->kind != LLI_VAR_LIST && of->kind != LLI_VAR_TUPLE && of->kind != LLI_VAR_RANGE)
        return lli_tpl_fail(r, "a slice of a value of type %s", lli_var_type(of));
    int32_t status = lli_var_length(&n, r, of);
    if (status != LLMINF_OK)
        return status;
    if (resolve(&s, bounds, n) != 0 || s.step == 0)
        return lli_tpl_fail(r, "the bounds of a slice are integers, and its step is not 0");
    if (of->kind == LLI_VAR_TEXT)
        return slice_text(out, r, of, &s);
    return of->kind == LLI_VAR_RANGE ? slice_range(out, r, of, &s) : slice_list(out, r, of, &s);
}
