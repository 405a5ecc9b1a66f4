/* text/template_filters_list.c - filters that take or give sequences. What Jinja2 makes a generator is an iterator here: it
 * is true, it has no length, and it can be walked once. */
#include <string.h>

#include "base/format.h"
#include "text/template_text.h"

static int32_t new_iterator(struct lli_var *out, struct lli_tpl_run *r, size_t n)
{
    return lli_var_list_new(out, r, LLI_VAR_ITERATOR, n);
}

/* The items of what a filter is applied to. */
static int32_t items_of(struct lli_var_list **out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int32_t status = lli_var_iterate(out, r, c->in);
    return status == LLMINF_OK ? lli_tpl_charge(r, (*out)->n) : status;
}

/* ---- attributes by a path, "a.b.0" */

static int32_t step_path(struct lli_var *v, struct lli_tpl_run *r, const struct lli_var *key, const struct lli_var *otherwise)
{
    struct lli_var found;
    int32_t status = lli_tpl_item(&found, r, v, key);
    *v = found;
    if (status == LLMINF_OK && found.kind == LLI_VAR_UNDEFINED && lli_var_is_given(otherwise))
        *v = *otherwise;
    return status;
}

static int32_t walk_path(struct lli_var *v, struct lli_tpl_run *r, struct lli_text path, const struct lli_var *otherwise)
{
    int32_t status = LLMINF_OK;
    for (size_t from = 0; status == LLMINF_OK && from <= path.len;) {
        const char *dot = from < path.len ? memchr(path.bytes + from, '.', path.len - from) : NULL;
        size_t to = dot ? (size_t)(dot - path.bytes) : path.len;
        struct lli_var key = lli_var_text((struct lli_text){path.bytes + from, to - from}, 0);
        int64_t index;
        int digits = to > from;
        for (size_t i = from; i < to; i++)
            digits &= path.bytes[i] >= '0' && path.bytes[i] <= '9';
        if (digits && lli_format_read_int(&index, path.bytes + from, to - from) == 0)
            key = lli_var_int(index);
        status = step_path(v, r, &key, otherwise);
        from = to + 1;
    }
    return status;
}

static void lower_case(struct lli_var *v, struct lli_tpl_run *r, int32_t *status)
{
    struct lli_var lower;
    if (*status != LLMINF_OK || v->kind != LLI_VAR_TEXT)
        return;
    *status = lli_tpl_text_case(&lower, r, v, LLI_CASE_LOWER);
    *v = lower;
}

/* What `item` is compared by: itself, or the value at its path; texts without case if `fold`. */
static int32_t key_of(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *item, const struct lli_var *path,
                      const struct lli_var *otherwise, int fold)
{
    int32_t status = LLMINF_OK;
    *out = *item;
    if (path->kind == LLI_VAR_INT)
        status = step_path(out, r, path, otherwise);
    else if (path->kind == LLI_VAR_TEXT)
        status = walk_path(out, r, lli_var_bytes(path), otherwise);
    else if (lli_var_is_given(path))
        return lli_tpl_fail(r, "an attribute of type %s, want a text or an integer", lli_var_type(path));
    if (fold)
        lower_case(out, r, &status);
    return status;
}

/* The same for several paths with commas between: always a list, so that equal keys need no order, as in Jinja2. */
static int32_t keys_of(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *item, const struct lli_var *paths,
                       int fold)
{
    static const struct lli_var none;
    struct lli_var rest = *paths, key;
    int32_t status = lli_var_list_new(out, r, LLI_VAR_LIST, 1);
    for (const char *comma = ""; status == LLMINF_OK && comma;) {
        struct lli_var path = rest;
        comma = rest.kind == LLI_VAR_TEXT && rest.len > 0 ? memchr(rest.text, ',', rest.len) : NULL;
        if (comma) {
            size_t n = (size_t)(comma - rest.text);
            path = lli_var_part(&rest, 0, n);
            rest = lli_var_part(&rest, n + 1, rest.len - n - 1);
        }
        status = key_of(&key, r, item, &path, &none, fold);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &key);
    }
    return status;
}

/* ---- sorting */

/* Merges pairs of runs that grow; stable, `reverse` too. keys[i] belongs to items[i]. */
static int32_t merge_runs(struct lli_tpl_run *r, struct lli_var *const from[2], struct lli_var *const to[2], uint32_t n,
                          uint32_t width, int reverse)
{
    int32_t status = LLMINF_OK;
    for (uint32_t low = 0; status == LLMINF_OK && low < n; low += 2 * width) {
        uint32_t middle = n - low > width ? low + width : n, high = n - low > 2 * width ? low + 2 * width : n;
        uint32_t a = low, b = middle;
        for (uint32_t k = low; status == LLMINF_OK && k < high; k++) {
            int order = -1, left = b == high;
            if (!left && a < middle) {
                status = lli_var_order(&order, r, &from[0][b], &from[0][a]);
                left = reverse ? order <= 0 : order >= 0;
            }
            uint32_t at = left ? a++ : b++;
            to[0][k] = from[0][at];
            to[1][k] = from[1][at];
        }
    }
    return status != LLMINF_OK ? status : lli_tpl_charge(r, n);
}

/* Sorts items by their keys, both in place. */
static int32_t sort_by(struct lli_tpl_run *r, struct lli_var *keys, struct lli_var *items, uint32_t n, int reverse)
{
    struct lli_var *from[2] = {keys, items}, *to[2];
    int32_t status = lli_tpl_take(&to[0], r, 2 * (size_t)n, sizeof *to[0]);
    to[1] = to[0] ? to[0] + n : NULL;
    for (uint32_t width = 1; status == LLMINF_OK && width < n; width *= 2) {
        status = merge_runs(r, from, to, n, width, reverse);
        for (int i = 0; i < 2; i++) {
            struct lli_var *other = from[i];
            from[i] = to[i];
            to[i] = other;
        }
    }
    if (status == LLMINF_OK && from[0] != keys && n > 0) {
        memcpy(keys, from[0], n * sizeof *keys);
        memcpy(items, from[1], n * sizeof *items);
    }
    return status;
}

/* A list of the items in the order of their keys; *keys_out: those. */
static int32_t sorted(struct lli_var *out, struct lli_var **keys_out, struct lli_tpl_run *r, const struct lli_var_list *from,
                      const struct lli_var *path, const struct lli_var *otherwise, int fold, int reverse)
{
    struct lli_var *keys;
    int32_t status = lli_var_list_new(out, r, LLI_VAR_LIST, from->n);
    if (status == LLMINF_OK)
        status = lli_tpl_take(&keys, r, from->n, sizeof *keys);
    for (uint32_t i = 0; status == LLMINF_OK && i < from->n; i++) {
        status = otherwise ? key_of(&keys[i], r, &from->items[i], path, otherwise, fold)
                           : keys_of(&keys[i], r, &from->items[i], path, fold);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &from->items[i]);
    }
    if (status == LLMINF_OK)
        status = sort_by(r, keys, out->list->items, from->n, reverse);
    *keys_out = keys;
    return status;
}

static int32_t f_sort(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    struct lli_var *keys;
    int32_t status = items_of(&items, r, c);
    if (status != LLMINF_OK)
        return status;
    return sorted(out, &keys, r, items, &c->arg[2], NULL, !lli_var_truth(&c->arg[1]), lli_var_truth(&c->arg[0]));
}

static int32_t pair_of(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    int32_t status = lli_var_list_new(out, r, LLI_VAR_TUPLE, 2);
    if (status == LLMINF_OK)
        status = lli_var_list_add(r, out->list, a);
    return status == LLMINF_OK ? lli_var_list_add(r, out->list, b) : status;
}

static int32_t entries_of(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *v, int kind)
{
    struct lli_var pair;
    if (v->kind == LLI_VAR_UNDEFINED && kind == LLI_VAR_ITERATOR)
        return lli_var_list_new(out, r, kind, 0);
    if (v->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, v);
    if (v->kind != LLI_VAR_DICT)
        return lli_tpl_fail(r, "items of a value of type %s, want a mapping", lli_var_type(v));
    int32_t status = lli_var_list_new(out, r, kind, v->dict->n);
    for (uint32_t i = 0; status == LLMINF_OK && i < v->dict->n; i++) {
        status = pair_of(&pair, r, &v->dict->entries[i].key, &v->dict->entries[i].value);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &pair);
    }
    return status == LLMINF_OK ? lli_tpl_charge(r, v->dict->n) : status;
}

static int32_t f_items(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return entries_of(out, r, c->in, LLI_VAR_ITERATOR);
}

static int32_t f_dictsort(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var pairs, *keys, place = lli_var_int(0), none = {0};
    const struct lli_var *by = &c->arg[1];
    if (by->kind != LLI_VAR_ABSENT && !lli_var_is(by, "key") && !lli_var_is(by, "value"))
        return lli_tpl_fail(r, "dictsort by \"key\" or \"value\" only");
    place.number = by->kind != LLI_VAR_ABSENT && lli_var_is(by, "value");
    int32_t status = entries_of(&pairs, r, c->in, LLI_VAR_LIST);
    if (status != LLMINF_OK)
        return status;
    return sorted(out, &keys, r, pairs.list, &place, &none, !lli_var_truth(&c->arg[0]), lli_var_truth(&c->arg[2]));
}

static int32_t f_groupby(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    struct lli_var all, *keys, group = {0}, tuple, name;
    int fold = !lli_var_truth(&c->arg[2]);
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = sorted(&all, &keys, r, items, &c->arg[0], &c->arg[1], fold, 0);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, LLI_VAR_LIST, 0);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        int same = 0;
        if (i > 0)
            status = lli_var_equal(&same, r, &keys[i - 1], &keys[i]);
        if (status == LLMINF_OK && !same) {
            status = lli_var_list_new(&group, r, LLI_VAR_LIST, 0);
            if (status == LLMINF_OK)
                status = key_of(&name, r, &all.list->items[i], &c->arg[0], &c->arg[1], 0);
            if (status == LLMINF_OK)
                status = pair_of(&tuple, r, &name, &group);
            tuple.view = 1;
            if (status == LLMINF_OK)
                status = lli_var_list_add(r, out->list, &tuple);
        }
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, group.list, &all.list->items[i]);
    }
    return status;
}

static int32_t f_unique(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    static const struct lli_var none;
    struct lli_var_list *items;
    struct lli_var seen, key;
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = lli_var_dict_new(&seen, r, LLI_VAR_DICT);
    if (status == LLMINF_OK)
        status = new_iterator(out, r, 0);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        status = key_of(&key, r, &items->items[i], &c->arg[1], &none, !lli_var_truth(&c->arg[0]));
        if (status != LLMINF_OK || lli_var_dict_find(seen.dict, &key))
            continue;
        status = lli_var_dict_put(r, seen.dict, &key, &none);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &items->items[i]);
    }
    return status;
}

static int32_t extreme(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int sign)
{
    static const struct lli_var none;
    struct lli_var_list *items;
    struct lli_var best = {0}, key;
    int32_t status = items_of(&items, r, c);
    *out = lli_var_undefined((struct lli_text){"item", 4});
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        int order = sign;
        status = key_of(&key, r, &items->items[i], &c->arg[1], &none, !lli_var_truth(&c->arg[0]));
        if (status == LLMINF_OK && i > 0)
            status = lli_var_order(&order, r, &key, &best);
        if (status != LLMINF_OK || order * sign <= 0)
            continue;
        best = key;
        *out = items->items[i];
    }
    return status;
}

static int32_t f_min(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return extreme(out, r, c, -1);
}

static int32_t f_max(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return extreme(out, r, c, 1);
}

static int32_t f_sum(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    static const struct lli_var none;
    struct lli_var_list *items;
    struct lli_var value, sum = lli_var_is_given(&c->arg[1]) ? c->arg[1] : lli_var_int(0);
    int32_t status = items_of(&items, r, c);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        status = key_of(&value, r, &items->items[i], &c->arg[0], &none, 0);
        if (status == LLMINF_OK)
            status = lli_tpl_binary(out, r, '+', &sum, &value);
        sum = *out;
    }
    *out = sum;
    return status;
}

/* ---- map, select and their kin */

/* Arguments behind the first `n`. */
static struct lli_tpl_args rest_of(const struct lli_tpl_args *args, uint32_t n)
{
    struct lli_tpl_args rest = *args;
    rest.at = args->n > n ? args->at + n : NULL;
    rest.n = args->n > n ? args->n - n : 0;
    return rest;
}

static int32_t map_attribute(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c,
                             const struct lli_var_list *items)
{
    struct lli_var arg[LLI_TPL_PARAMS], value;
    int32_t status = lli_tpl_bind(arg, r, "map", "attribute default", 1, c->args);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        status = key_of(&value, r, &items->items[i], &arg[0], &arg[1], 0);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &value);
    }
    return status;
}

static int32_t f_map(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    struct lli_tpl_args rest = rest_of(c->args, 1);
    struct lli_var value;
    if (!lli_var_truth(c->in)) /* None too has nothing to map */
        return new_iterator(out, r, 0);
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = new_iterator(out, r, items->n);
    if (status == LLMINF_OK && c->args->n == 0)
        return map_attribute(out, r, c, items);
    if (status == LLMINF_OK && c->args->at[0].kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "map wants the name of a filter");
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        struct lli_var item = items->items[i];
        status = lli_tpl_apply(&value, r, 0, lli_var_bytes(&c->args->at[0]), &item, &rest);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &value);
    }
    return status;
}

/* Does the item, or its attribute, pass the test that the arguments name? Without one: is it true? */
static int32_t passes(int *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, const struct lli_var *item,
                      uint32_t n_attr)
{
    static const struct lli_var none;
    struct lli_tpl_args rest = rest_of(c->args, n_attr + 1);
    struct lli_var value = *item, truth;
    int32_t status = n_attr > 0 ? key_of(&value, r, item, &c->args->at[0], &none, 0) : LLMINF_OK;
    *out = lli_var_truth(&value);
    if (status != LLMINF_OK || c->args->n <= n_attr)
        return status;
    if (c->args->at[n_attr].kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "the name of a test is no text");
    status = lli_tpl_apply(&truth, r, 1, lli_var_bytes(&c->args->at[n_attr]), &value, &rest);
    *out = lli_var_truth(&truth);
    return status;
}

static int32_t filter_items(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, uint32_t n_attr,
                            int wanted)
{
    struct lli_var_list *items;
    int32_t status = new_iterator(out, r, 0);
    if (status != LLMINF_OK || !lli_var_truth(c->in)) /* what is false has nothing to select from */
        return status;
    if (c->args->n < n_attr)
        return lli_tpl_fail(r, "the name of the attribute is missing");
    status = items_of(&items, r, c);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        int passed;
        status = passes(&passed, r, c, &items->items[i], n_attr);
        if (status == LLMINF_OK && passed == wanted)
            status = lli_var_list_add(r, out->list, &items->items[i]);
    }
    return status;
}

static int32_t f_select(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return filter_items(out, r, c, 0, 1);
}

static int32_t f_reject(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return filter_items(out, r, c, 0, 0);
}

static int32_t f_selectattr(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return filter_items(out, r, c, 1, 1);
}

static int32_t f_rejectattr(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return filter_items(out, r, c, 1, 0);
}

/* ---- parts and shapes */

static int32_t f_list(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, LLI_VAR_LIST, items->n);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++)
        status = lli_var_list_add(r, out->list, &items->items[i]);
    return status;
}

static int32_t f_length(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int64_t n;
    int32_t status = lli_var_length(&n, r, c->in);
    *out = lli_var_int(n);
    return status;
}

static int32_t f_first(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    if (c->in->kind == LLI_VAR_ITERATOR) {
        if (c->in->list->start < c->in->list->n)
            *out = c->in->list->items[c->in->list->start++];
        return LLMINF_OK;
    }
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK && items->n > 0)
        *out = items->items[0];
    return status;
}

static int32_t f_last(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    if (c->in->kind == LLI_VAR_ITERATOR)
        return lli_tpl_fail(r, "a generator has no last item, want a list");
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK && items->n > 0)
        *out = items->items[items->n - 1];
    return status;
}

static int32_t f_reverse(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    const struct lli_var backwards[3] = {{0}, {0}, {.kind = LLI_VAR_INT, .number = -1}};
    if (c->in->kind == LLI_VAR_TEXT)
        return lli_tpl_slice(out, r, c->in, backwards);
    int kind = c->in->kind == LLI_VAR_ITERATOR ? LLI_VAR_LIST : LLI_VAR_ITERATOR;
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, kind, items->n);
    for (uint32_t i = status == LLMINF_OK ? items->n : 0; status == LLMINF_OK && i-- > 0;)
        status = lli_var_list_add(r, out->list, &items->items[i]);
    return status;
}

static int32_t f_join(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    static const struct lli_var none;
    struct lli_var_list *items;
    struct lli_var between = lli_var_ours(""), value;
    size_t mark;
    int32_t status = items_of(&items, r, c);
    if (status == LLMINF_OK && c->arg[0].kind != LLI_VAR_ABSENT)
        status = lli_tpl_str(&between, r, &c->arg[0]);
    mark = lli_tpl_mark(r);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        if (i > 0)
            status = lli_tpl_put_text(r, &between);
        if (status == LLMINF_OK)
            status = key_of(&value, r, &items->items[i], &c->arg[1], &none, 0);
        if (status == LLMINF_OK)
            status = lli_tpl_put_str(r, &value);
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

/* Lists of `size` items, the last filled up. */
static int32_t f_batch(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    struct lli_var batch = {0};
    int64_t size;
    int32_t status = lli_tpl_int_arg(&size, r, &c->arg[0], 1);
    if (status == LLMINF_OK && size < 1)
        return lli_tpl_fail(r, "batches of less than one item");
    if (status == LLMINF_OK)
        status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = new_iterator(out, r, 0);
    for (uint32_t i = 0; status == LLMINF_OK && i < items->n; i++) {
        if (i % (uint64_t)size == 0) {
            status = lli_var_list_new(&batch, r, LLI_VAR_LIST, 0);
            if (status == LLMINF_OK)
                status = lli_var_list_add(r, out->list, &batch);
        }
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, batch.list, &items->items[i]);
    }
    while (status == LLMINF_OK && batch.list && lli_var_is_given(&c->arg[1]) && batch.list->n < (uint64_t)size) {
        status = lli_tpl_charge(r, 1);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, batch.list, &c->arg[1]);
    }
    return status;
}

/* So many lists, as equal as can be. */
static int32_t f_slice(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var_list *items;
    struct lli_var part;
    int64_t n, at = 0;
    int32_t status = lli_tpl_int_arg(&n, r, &c->arg[0], 1);
    if (status == LLMINF_OK && n < 1)
        return lli_tpl_fail(r, "less than one slice");
    if (status == LLMINF_OK)
        status = items_of(&items, r, c);
    if (status == LLMINF_OK)
        status = new_iterator(out, r, 0);
    for (int64_t i = 0; status == LLMINF_OK && i < n; i++) {
        int64_t size = items->n / n + (i < items->n % n);
        status = lli_tpl_charge(r, 1);
        if (status == LLMINF_OK)
            status = lli_var_list_new(&part, r, LLI_VAR_LIST, (size_t)size + 1);
        for (int64_t k = 0; status == LLMINF_OK && k < size; k++)
            status = lli_var_list_add(r, part.list, &items->items[at++]);
        if (status == LLMINF_OK && lli_var_is_given(&c->arg[1]) && i >= items->n % n)
            status = lli_var_list_add(r, part.list, &c->arg[1]);
        if (status == LLMINF_OK)
            status = lli_var_list_add(r, out->list, &part);
    }
    return status;
}

const struct lli_tpl_function lli_tpl_list_filters[] = {
    {"batch", "linecount fill_with", 1, f_batch},
    {"count", "", 0, f_length},
    {"dictsort", "case_sensitive by reverse", 0, f_dictsort},
    {"first", "", 0, f_first},
    {"groupby", "attribute default case_sensitive", 1, f_groupby},
    {"items", "", 0, f_items},
    {"join", "d attribute", 0, f_join},
    {"last", "", 0, f_last},
    {"length", "", 0, f_length},
    {"list", "", 0, f_list},
    {"map", NULL, 0, f_map},
    {"max", "case_sensitive attribute", 0, f_max},
    {"min", "case_sensitive attribute", 0, f_min},
    {"reject", NULL, 0, f_reject},
    {"rejectattr", NULL, 0, f_rejectattr},
    {"reverse", "", 0, f_reverse},
    {"select", NULL, 0, f_select},
    {"selectattr", NULL, 0, f_selectattr},
    {"slice", "slices fill_with", 1, f_slice},
    {"sort", "reverse case_sensitive attribute", 0, f_sort},
    {"sum", "attribute start", 0, f_sum},
    {"unique", "case_sensitive attribute", 0, f_unique},
    {NULL, NULL, 0, NULL},
};
