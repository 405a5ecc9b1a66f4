/* text/template_value.c - making values, comparing them, and walking through them. */
#include "text/template_value.h"

#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "text/template_run.h"

/* ---- making */

struct lli_var lli_var_undefined(struct lli_text name)
{
    return (struct lli_var){.kind = LLI_VAR_UNDEFINED, .flags = LLI_OURS, .len = (uint32_t)name.len, .text = name.bytes};
}

struct lli_var lli_var_int(int64_t number)
{
    return (struct lli_var){.kind = LLI_VAR_INT, .flags = LLI_OURS, .number = number};
}

struct lli_var lli_var_bool(int truth)
{
    return (struct lli_var){.kind = LLI_VAR_BOOL, .flags = LLI_OURS, .number = truth != 0};
}

struct lli_var lli_var_real(double real)
{
    return (struct lli_var){.kind = LLI_VAR_REAL, .flags = LLI_OURS, .real = real};
}

struct lli_var lli_var_text(struct lli_text text, int flags)
{
    return (struct lli_var){.kind = LLI_VAR_TEXT, .flags = (uint8_t)flags, .len = (uint32_t)text.len, .text = text.bytes};
}

struct lli_var lli_var_ours(const char *text)
{
    return lli_var_text((struct lli_text){text, strlen(text)}, LLI_OURS);
}

struct lli_var lli_var_part(const struct lli_var *text, size_t from, size_t n)
{
    struct lli_var part = *text;
    part.text += from;
    part.len = (uint32_t)n;
    if (part.marks)
        part.marks += from;
    return part;
}

int32_t lli_var_list_new(struct lli_var *out, struct lli_tpl_run *r, int kind, size_t n)
{
    struct lli_var_list *list;
    int32_t status = lli_tpl_take(&list, r, 1, sizeof *list);
    if (status == LLMINF_OK && n > 0)
        status = lli_tpl_take(&list->items, r, n, sizeof *list->items);
    if (status != LLMINF_OK)
        return status;
    list->cap = (uint32_t)n;
    *out = (struct lli_var){.kind = (uint8_t)kind, .flags = LLI_OURS, .list = list};
    return LLMINF_OK;
}

int32_t lli_var_list_add(struct lli_tpl_run *r, struct lli_var_list *list, const struct lli_var *item)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 4 : 2 * list->cap;
        struct lli_var *items;
        int32_t status = lli_tpl_take(&items, r, cap, sizeof *items);
        if (status != LLMINF_OK)
            return status;
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = *item;
    return LLMINF_OK;
}

/* ---- mappings */

#define FEW_ENTRIES 8u

int32_t lli_var_dict_new(struct lli_var *out, struct lli_tpl_run *r, int kind)
{
    struct lli_var_dict *dict;
    int32_t status = lli_tpl_take(&dict, r, 1, sizeof *dict);
    if (status == LLMINF_OK)
        *out = (struct lli_var){.kind = (uint8_t)kind, .flags = LLI_OURS, .dict = dict};
    return status;
}

static int is_key(const struct lli_var *v)
{
    return v->kind == LLI_VAR_TEXT || v->kind == LLI_VAR_INT || v->kind == LLI_VAR_BOOL || v->kind == LLI_VAR_REAL ||
           v->kind == LLI_VAR_NONE;
}

/* Keys: 1, 1.0 and True are the same one. */
static int same_key(const struct lli_var *a, const struct lli_var *b)
{
    if (a->kind == LLI_VAR_TEXT || b->kind == LLI_VAR_TEXT)
        return a->kind == b->kind && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    if (a->kind == LLI_VAR_NONE || b->kind == LLI_VAR_NONE)
        return a->kind == b->kind;
    if (a->kind != LLI_VAR_REAL && b->kind != LLI_VAR_REAL)
        return a->number == b->number;
    return lli_var_as_real(a) == lli_var_as_real(b);
}

static uint32_t hash_key(const struct lli_var *key)
{
    double real = 0;
    if (key->kind == LLI_VAR_TEXT)
        return (uint32_t)lli_hash(key->text, key->len, 0);
    if (key->kind != LLI_VAR_NONE)
        real = lli_var_as_real(key) + 0.0; /* -0 is 0 */
    return (uint32_t)lli_hash(&real, sizeof real, 1 + (key->kind == LLI_VAR_NONE));
}

static void enter_slot(struct lli_var_dict *d, uint32_t entry)
{
    uint32_t i = hash_key(&d->entries[entry].key) & (d->n_slots - 1);
    while (d->slots[i])
        i = (i + 1) & (d->n_slots - 1);
    d->slots[i] = entry + 1;
}

static int32_t grow_dict(struct lli_tpl_run *r, struct lli_var_dict *d)
{
    uint32_t cap = d->cap == 0 ? 4 : 2 * d->cap;
    struct lli_var_entry *entries;
    int32_t status = lli_tpl_take(&entries, r, cap, sizeof *entries);
    if (status == LLMINF_OK && cap > FEW_ENTRIES)
        status = lli_tpl_take(&d->slots, r, 2 * (size_t)cap, sizeof *d->slots);
    if (status != LLMINF_OK)
        return status;
    if (d->n > 0)
        memcpy(entries, d->entries, d->n * sizeof *entries);
    d->entries = entries;
    d->cap = cap;
    d->n_slots = d->slots ? 2 * cap : 0;
    for (uint32_t i = 0; d->slots && i < d->n; i++)
        enter_slot(d, i);
    return LLMINF_OK;
}

struct lli_var *lli_var_dict_find(const struct lli_var_dict *d, const struct lli_var *key)
{
    if (!is_key(key))
        return NULL;
    if (!d->slots) {
        for (uint32_t i = 0; i < d->n; i++)
            if (same_key(&d->entries[i].key, key))
                return &d->entries[i].value;
        return NULL;
    }
    for (uint32_t i = hash_key(key) & (d->n_slots - 1); d->slots[i]; i = (i + 1) & (d->n_slots - 1))
        if (same_key(&d->entries[d->slots[i] - 1].key, key))
            return &d->entries[d->slots[i] - 1].value;
    return NULL;
}

struct lli_var *lli_var_dict_named(const struct lli_var_dict *d, struct lli_text name)
{
    struct lli_var key = lli_var_text(name, 0);
    return lli_var_dict_find(d, &key);
}

int32_t lli_var_dict_put(struct lli_tpl_run *r, struct lli_var_dict *d, const struct lli_var *key, const struct lli_var *value)
{
    struct lli_var *found = lli_var_dict_find(d, key);
    if (!is_key(key))
        return lli_tpl_fail(r, "a value of type %s cannot be a key", lli_var_type(key));
    if (found) {
        *found = *value;
        return LLMINF_OK;
    }
    int32_t status = d->n == d->cap ? grow_dict(r, d) : LLMINF_OK;
    if (status != LLMINF_OK)
        return status;
    d->entries[d->n] = (struct lli_var_entry){*key, *value};
    d->n++;
    if (d->slots)
        enter_slot(d, d->n - 1);
    return LLMINF_OK;
}

/* ---- asking */

int lli_var_is_number(const struct lli_var *v)
{
    return v->kind == LLI_VAR_BOOL || v->kind == LLI_VAR_INT || v->kind == LLI_VAR_BIG || v->kind == LLI_VAR_REAL;
}

int lli_var_is_list(const struct lli_var *v)
{
    return v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE || v->kind == LLI_VAR_VIEW || v->kind == LLI_VAR_ITERATOR;
}

int lli_var_is(const struct lli_var *text, const char *word)
{
    return text->kind == LLI_VAR_TEXT && text->len == strlen(word) && memcmp(text->text, word, text->len) == 0;
}

int lli_var_truth(const struct lli_var *v)
{
    switch (v->kind) {
    case LLI_VAR_ABSENT:
    case LLI_VAR_UNDEFINED:
    case LLI_VAR_NONE:
        return 0;
    case LLI_VAR_BOOL:
    case LLI_VAR_INT:
        return v->number != 0;
    case LLI_VAR_REAL:
        return v->real != 0;
    case LLI_VAR_TEXT:
        return v->len > 0;
    case LLI_VAR_LIST:
    case LLI_VAR_TUPLE:
    case LLI_VAR_VIEW:
        return v->list->n > 0;
    case LLI_VAR_RANGE:
        return v->range->n > 0;
    case LLI_VAR_DICT:
        return v->dict->n > 0;
    default:
        return 1;
    }
}

double lli_var_as_real(const struct lli_var *v)
{
    return v->kind == LLI_VAR_REAL ? v->real : v->kind == LLI_VAR_BIG ? 0 : (double)v->number;
}

const char *lli_var_type(const struct lli_var *v)
{
    static const char *const names[] = {
        [LLI_VAR_ABSENT] = "nothing",
        [LLI_VAR_UNDEFINED] = "undefined",
        [LLI_VAR_NONE] = "none",
        [LLI_VAR_BOOL] = "bool",
        [LLI_VAR_INT] = "int",
        [LLI_VAR_BIG] = "int",
        [LLI_VAR_REAL] = "float",
        [LLI_VAR_TEXT] = "str",
        [LLI_VAR_LIST] = "list",
        [LLI_VAR_TUPLE] = "tuple",
        [LLI_VAR_VIEW] = "dict view",
        [LLI_VAR_ITERATOR] = "generator",
        [LLI_VAR_RANGE] = "range",
        [LLI_VAR_DICT] = "dict",
        [LLI_VAR_NAMESPACE] = "namespace",
        [LLI_VAR_LOOP] = "loop",
        [LLI_VAR_MACRO] = "macro",
        [LLI_VAR_FUNCTION] = "function",
        [LLI_VAR_METHOD] = "method",
        [LLI_VAR_CYCLER] = "cycler",
        [LLI_VAR_JOINER] = "joiner",
    };
    return names[v->kind];
}

static int begins_character(char c)
{
    return ((uint8_t)c & 0xC0) != 0x80;
}

size_t lli_var_count(const struct lli_var *text)
{
    size_t n = 0;
    for (uint32_t i = 0; i < text->len; i++)
        n += (size_t)begins_character(text->text[i]);
    return n;
}

size_t lli_var_offset(const struct lli_var *text, size_t i)
{
    size_t at = 0;
    for (; at < text->len; at++)
        if (begins_character(text->text[at]) && i-- == 0)
            break;
    return at;
}

/* ---- comparing */

enum { SAME, LESS, MORE, DIFFERENT };

static int order_of(int below, int above)
{
    return below ? LESS : above ? MORE : SAME;
}

static int compare_numbers(const struct lli_var *a, const struct lli_var *b)
{
    if (a->kind == LLI_VAR_BIG || b->kind == LLI_VAR_BIG)
        return a->kind == b->kind && a->len == b->len && memcmp(a->text, b->text, a->len) == 0 ? SAME : DIFFERENT;
    if (a->kind != LLI_VAR_REAL && b->kind != LLI_VAR_REAL)
        return order_of(a->number<b->number, a->number> b->number);
    double x = lli_var_as_real(a), y = lli_var_as_real(b);
    return x == y ? SAME : x < y ? LESS : x > y ? MORE : DIFFERENT;
}

static int compare_texts(const struct lli_var *a, const struct lli_var *b)
{
    uint32_t n = a->len < b->len ? a->len : b->len;
    int order = n > 0 ? memcmp(a->text, b->text, n) : 0;
    return order ? order_of(order < 0, 1) : order_of(a->len<b->len, a->len> b->len);
}

/* What has no parts. */
static int compare_leaves(const struct lli_var *a, const struct lli_var *b)
{
    if (lli_var_is_number(a) && lli_var_is_number(b))
        return compare_numbers(a, b);
    if (a->kind != b->kind)
        return DIFFERENT;
    switch (a->kind) {
    case LLI_VAR_TEXT:
        return compare_texts(a, b);
    case LLI_VAR_NONE:
    case LLI_VAR_UNDEFINED:
        return SAME;
    case LLI_VAR_RANGE:
        return a->range->n == b->range->n && (a->range->n == 0 || (a->range->start == b->range->start &&
                                                                   (a->range->n == 1 || a->range->step == b->range->step)))
                   ? SAME
                   : DIFFERENT;
    default:
        return a->list == b->list ? SAME : DIFFERENT; /* the same object */
    }
}

static int has_parts(const struct lli_var *v)
{
    return v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE || v->kind == LLI_VAR_DICT;
}

int32_t lli_tpl_walk_new(struct lli_tpl_walk **walk, struct lli_tpl_run *r)
{
    return *walk ? LLMINF_OK : lli_tpl_take(walk, r, LLI_MAX_TEMPLATE_DEPTH, sizeof **walk);
}

/* Two containers of one kind go onto the stack; *out is what their sizes already tell: SAME where parts have to be looked
 * at. */
static int32_t open_parts(int *out, struct lli_tpl_run *r, uint32_t *depth, const struct lli_var *a, const struct lli_var *b)
{
    struct lli_tpl_walk *w = &r->compare[*depth];
    if (*depth == LLI_MAX_TEMPLATE_DEPTH)
        return lli_tpl_limit(r, "compared values are nested deeper than %u", LLI_MAX_TEMPLATE_DEPTH);
    if (a->kind == LLI_VAR_DICT) {
        *out = a->dict->n == b->dict->n ? SAME : DIFFERENT;
        *w = (struct lli_tpl_walk){.da = a->dict, .db = b->dict, .n = a->dict->n};
    } else {
        uint32_t n = a->list->n < b->list->n ? a->list->n : b->list->n;
        int rest = order_of(a->list->n<b->list->n, a->list->n> b->list->n);
        *out = SAME;
        *w = (struct lli_tpl_walk){.a = a->list->items, .b = b->list->items, .n = n, .how = (uint8_t)rest};
    }
    if (*out == SAME)
        ++*depth;
    return LLMINF_OK;
}

/* The next two parts of the innermost container; 0: it has no more, *rest is what its end tells. */
static int next_parts(const struct lli_var **a, const struct lli_var **b, struct lli_tpl_walk *w, int *rest)
{
    static const struct lli_var absent;
    if (w->i == w->n) {
        *rest = w->how;
        return 0;
    }
    if (w->da) {
        *a = &w->da->entries[w->i].value;
        *b = lli_var_dict_find(w->db, &w->da->entries[w->i].key);
        *b = *b ? *b : &absent;
    } else {
        *a = &w->a[w->i];
        *b = &w->b[w->i];
    }
    w->i++;
    return 1;
}

/* The first difference decides: parts in their order, then the number of parts. */
static int32_t compare(int *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    uint32_t depth = 0;
    int32_t status = lli_tpl_walk_new(&r->compare, r);
    *out = SAME;
    while (status == LLMINF_OK) {
        if (has_parts(a) && a->kind == b->kind)
            status = open_parts(out, r, &depth, a, b);
        else
            *out = compare_leaves(a, b);
        if (status == LLMINF_OK && a->kind == LLI_VAR_TEXT)
            status = lli_tpl_charge_bytes(r, a->len);
        while (status == LLMINF_OK && *out == SAME && depth > 0 && !next_parts(&a, &b, &r->compare[depth - 1], out))
            depth--;
        if (status != LLMINF_OK || *out != SAME || depth == 0)
            return status;
        status = lli_tpl_charge(r, 1);
    }
    return status;
}

int32_t lli_var_equal(int *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    int32_t status = LLMINF_OK;
    int order;
    if (has_parts(a) && a->kind == b->kind)
        status = compare(&order, r, a, b);
    else
        order = compare_leaves(a, b);
    *out = status == LLMINF_OK && order == SAME;
    return status == LLMINF_OK && a->kind == LLI_VAR_TEXT ? lli_tpl_charge_bytes(r, a->len) : status;
}

int32_t lli_var_order(int *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    int order;
    if (a->kind == LLI_VAR_UNDEFINED || b->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, a->kind == LLI_VAR_UNDEFINED ? a : b);
    int32_t status = compare(&order, r, a, b);
    *out = order == LESS ? -1 : order == MORE;
    if (status == LLMINF_OK && (order == DIFFERENT || a->kind == LLI_VAR_NONE || a->kind == LLI_VAR_DICT))
        return lli_tpl_fail(r, "%s and %s have no order", lli_var_type(a), lli_var_type(b));
    return status;
}

/* ---- walking */

int32_t lli_var_length(int64_t *out, struct lli_tpl_run *r, const struct lli_var *v)
{
    *out = 0;
    switch (v->kind) {
    case LLI_VAR_UNDEFINED:
        return LLMINF_OK;
    case LLI_VAR_TEXT:
        *out = (int64_t)lli_var_count(v);
        return lli_tpl_charge_bytes(r, v->len);
    case LLI_VAR_LIST:
    case LLI_VAR_TUPLE:
    case LLI_VAR_VIEW:
        *out = v->list->n;
        return LLMINF_OK;
    case LLI_VAR_RANGE:
        *out = v->range->n;
        return LLMINF_OK;
    case LLI_VAR_DICT:
        *out = v->dict->n;
        return LLMINF_OK;
    case LLI_VAR_LOOP:
        *out = v->loop->items->n;
        return LLMINF_OK;
    default:
        return lli_tpl_fail(r, "a value of type %s has no length", lli_var_type(v));
    }
}

static int32_t characters(struct lli_var_list *list, struct lli_tpl_run *r, const struct lli_var *text)
{
    int32_t status = LLMINF_OK;
    for (size_t i = 0, n; status == LLMINF_OK && i < text->len; i += n) {
        uint32_t code;
        n = lli_utf8_read(&code, text->text + i, text->len - i);
        n = n > 0 ? n : 1;
        struct lli_var part = lli_var_part(text, i, n);
        status = lli_var_list_add(r, list, &part);
    }
    return status;
}

int32_t lli_var_iterate(struct lli_var_list **out, struct lli_tpl_run *r, struct lli_var *v)
{
    struct lli_var made;
    int32_t status = LLMINF_OK;
    if (v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE || v->kind == LLI_VAR_VIEW) {
        *out = v->list;
        return lli_tpl_charge(r, v->list->n / 4);
    }
    size_t n = v->kind == LLI_VAR_TEXT ? lli_var_count(v) : v->kind == LLI_VAR_RANGE ? (size_t)v->range->n : 0;
    status = lli_tpl_charge(r, n);
    if (status == LLMINF_OK)
        status = lli_var_list_new(&made, r, LLI_VAR_LIST, n);
    if (status != LLMINF_OK)
        return status;
    *out = made.list;
    switch (v->kind) {
    case LLI_VAR_UNDEFINED:
        return LLMINF_OK;
    case LLI_VAR_TEXT:
        return characters(made.list, r, v);
    case LLI_VAR_RANGE:
        for (size_t i = 0; i < n; i++)
            made.list->items[made.list->n++] = lli_var_int(v->range->start + (int64_t)i * v->range->step);
        return LLMINF_OK;
    case LLI_VAR_DICT:
        for (uint32_t i = 0; status == LLMINF_OK && i < v->dict->n; i++)
            status = lli_var_list_add(r, made.list, &v->dict->entries[i].key);
        return status != LLMINF_OK ? status : lli_tpl_charge(r, v->dict->n);
    case LLI_VAR_ITERATOR:
        if (v->list->n > v->list->start)
            *made.list = (struct lli_var_list){.items = v->list->items + v->list->start, .n = v->list->n - v->list->start};
        v->list->start = v->list->n;
        return LLMINF_OK;
    default:
        return lli_tpl_fail(r, "a value of type %s cannot be iterated", lli_var_type(v));
    }
}

int32_t lli_var_contains(int *out, struct lli_tpl_run *r, const struct lli_var *item, const struct lli_var *in)
{
    struct lli_var copy = *in;
    struct lli_var_list *list;
    *out = 0;
    if (in->kind == LLI_VAR_DICT) {
        *out = lli_var_dict_find(in->dict, item) != NULL;
        return has_parts(item) && item->kind != LLI_VAR_TUPLE
                   ? lli_tpl_fail(r, "a value of type %s cannot be a key", lli_var_type(item))
                   : LLMINF_OK;
    }
    if (in->kind == LLI_VAR_TEXT) {
        if (item->kind == LLI_VAR_UNDEFINED)
            return lli_tpl_undefined(r, item);
        if (item->kind != LLI_VAR_TEXT)
            return lli_tpl_fail(r, "a value of type %s cannot be in a text", lli_var_type(item));
        *out = item->len == 0 || (item->len <= in->len && memmem(in->text, in->len, item->text, item->len) != NULL);
        return lli_tpl_charge_bytes(r, in->len);
    }
    int32_t status = lli_var_iterate(&list, r, &copy);
    for (uint32_t i = 0; status == LLMINF_OK && !*out && i < list->n; i++)
        status = lli_var_equal(out, r, item, &list->items[i]);
    return status;
}
