#include "api/options.h"

#include <string.h>

#include "api/handles.h"
#include "api/parse.h"
#include "base/error.h"
#include "base/limits.h"

static struct lli_value *value_of(struct lli_values *values, const struct lli_schema_row *row)
{
    return &values->at[row - values->kind->rows];
}

const struct lli_value *lli_values_at(const struct lli_values *values, const char *key)
{
    const struct lli_schema_row *row = lli_schema_find(values->kind, key);
    return &values->at[row - values->kind->rows];
}

int64_t lli_values_int(const struct lli_values *values, const char *key)
{
    return lli_values_at(values, key)->number;
}

double lli_values_float(const struct lli_values *values, const char *key)
{
    return lli_values_at(values, key)->real;
}

const char *lli_values_text(const struct lli_values *values, const char *key)
{
    const struct lli_value *value = lli_values_at(values, key);
    return value->text != NULL ? value->text : lli_schema_find(values->kind, key)->text_default;
}

void lli_values_put_int(struct lli_values *values, const char *key, int64_t number)
{
    value_of(values, lli_schema_find(values->kind, key))->number = number;
}

/* A copy with a NUL behind it. */
static char *copy_text(struct lli_heap *heap, const char *text, size_t n)
{
    char *copy = lli_alloc(heap, n + 1);
    if (copy == NULL)
        return NULL;
    if (n > 0)
        memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

llminf_status lli_values_put_text(struct lli_values *values, const char *key, const char *text, size_t n, llminf_error *err)
{
    struct lli_value *value = value_of(values, lli_schema_find(values->kind, key));
    char *copy = copy_text(values->heap, text, n);
    if (copy == NULL)
        return lli_fail_memory(err, key, n);
    lli_free(values->heap, value->text);
    value->text = copy;
    value->len = n;
    return LLMINF_OK;
}

static llminf_status add_item(struct lli_values *values, const char *key, const char *text, size_t n, llminf_error *err)
{
    struct lli_value *value = value_of(values, lli_schema_find(values->kind, key));
    struct lli_text *items = lli_realloc(values->heap, value->items, (value->n_items + 1) * sizeof *items);
    char *copy;
    if (items == NULL)
        return lli_fail_memory(err, key, n);
    value->items = items;
    copy = copy_text(values->heap, text, n);
    if (copy == NULL)
        return lli_fail_memory(err, key, n);
    items[value->n_items].bytes = copy;
    items[value->n_items].len = n;
    value->n_items++;
    return LLMINF_OK;
}

static llminf_status values_init(struct lli_values *values, struct lli_heap *heap, const struct lli_schema_kind *kind,
                                 llminf_error *err)
{
    memset(values, 0, sizeof *values);
    values->heap = heap;
    values->kind = kind;
    values->at = lli_alloc_zero(heap, kind->n, sizeof *values->at);
    if (values->at == NULL)
        return lli_fail_memory(err, kind->name, kind->n * sizeof *values->at);
    for (size_t i = 0; i < kind->n; i++) {
        values->at[i].number = kind->rows[i].int_default;
        values->at[i].real = kind->rows[i].float_default;
    }
    return LLMINF_OK;
}

void lli_values_finish(struct lli_values *values)
{
    for (size_t i = 0; values->at != NULL && i < values->kind->n; i++) {
        struct lli_value *value = &values->at[i];
        for (size_t k = 0; k < value->n_items; k++)
            lli_free(values->heap, (void *)(uintptr_t)value->items[k].bytes);
        lli_free(values->heap, value->items);
        lli_free(values->heap, value->text);
    }
    if (values->heap != NULL)
        lli_free(values->heap, values->at);
    memset(values, 0, sizeof *values);
}

static llminf_status copy_value(struct lli_values *out, const struct lli_values *from, size_t i, llminf_error *err)
{
    const char *key = out->kind->rows[i].key;
    const struct lli_value *value = &from->at[i];
    llminf_status status = LLMINF_OK;
    out->at[i].number = value->number;
    out->at[i].real = value->real;
    if (value->text != NULL)
        status = lli_values_put_text(out, key, value->text, value->len, err);
    for (size_t k = 0; status == LLMINF_OK && k < value->n_items; k++)
        status = add_item(out, key, value->items[k].bytes, value->items[k].len, err);
    return status;
}

llminf_status lli_values_copy(struct lli_values *out, struct lli_heap *heap, const char *kind, const llminf_options *bag,
                              llminf_error *err)
{
    llminf_status status = values_init(out, heap, lli_schema_kind_find(kind), err);
    if (status != LLMINF_OK || bag == NULL)
        return status;
    status = lli_check_enter(bag, LLI_MARK_OPTIONS, "options", err);
    if (status == LLMINF_OK) {
        if (bag->values.kind != out->kind)
            status = lli_fail(err, LLMINF_E_OPTION, bag->values.kind->name, "is the kind of the bag, want \"%s\"", kind);
        for (size_t i = 0; status == LLMINF_OK && i < out->kind->n; i++)
            status = copy_value(out, &bag->values, i, err);
        lli_check_leave(bag);
    }
    if (status != LLMINF_OK)
        lli_values_finish(out);
    return status;
}

llminf_status llminf_options_open(llminf_options **out, const char *kind, llminf_error *error)
{
    const struct lli_schema_kind *found = lli_schema_kind_find(kind);
    struct lli_heap heap;
    llminf_options *options;
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (found == NULL || !found->is_bag)
        return lli_fail(error, LLMINF_E_OPTION, kind != NULL ? kind : "kind",
                        "is no kind of options, want model, context, session, sampler, generate, convert or cost");
    lli_heap_init(&heap, NULL, NULL, NULL);
    options = lli_alloc_zero(&heap, 1, sizeof *options);
    if (options == NULL)
        return lli_fail_memory(error, "options", sizeof *options);
    lli_heap_init(&options->heap, NULL, NULL, NULL);
    status = values_init(&options->values, &options->heap, found, error);
    if (status != LLMINF_OK) {
        lli_free(&heap, options);
        return status;
    }
    options->handle.mark = LLI_MARK_OPTIONS;
    *out = options;
    return LLMINF_OK;
}

void llminf_options_close(llminf_options *options)
{
    struct lli_heap heap;
    if (lli_check_handle(options, LLI_MARK_OPTIONS, "options", NULL) != LLMINF_OK)
        return;
    options->handle.mark = 0;
    lli_values_finish(&options->values);
    if (options->draft != NULL)
        lli_handles_model_unref(options->draft);
    lli_heap_init(&heap, NULL, NULL, NULL);
    lli_free(&heap, options);
}

static llminf_status wrong_type(const struct lli_schema_row *row, const char *given, llminf_error *error)
{
    static const char *const names[] = {"an int", "a bool", "a float", "a text", "a list of texts", "a value"};
    return lli_fail(error, LLMINF_E_OPTION, row->key, "%s was given, want %s", given, names[row->type]);
}

static llminf_status put_int(llminf_options *options, const struct lli_schema_row *row, int64_t value, llminf_error *error)
{
    if (row->type != LLI_SCHEMA_INT && row->type != LLI_SCHEMA_BOOL)
        return wrong_type(row, "an int", error);
    if (!(value == 0 && row->zero_too) && (value < row->int_min || value > row->int_max))
        return lli_fail(error, LLMINF_E_OPTION, row->key, "%lld is out of range, want %s%lld to %lld", (long long)value,
                        row->zero_too ? "0 or " : "", (long long)row->int_min, (long long)row->int_max);
    value_of(&options->values, row)->number = value;
    return LLMINF_OK;
}

static llminf_status put_float(llminf_options *options, const struct lli_schema_row *row, double value, llminf_error *error)
{
    if (row->type != LLI_SCHEMA_FLOAT)
        return wrong_type(row, "a float", error);
    if (!(row->float_min <= value && value <= row->float_max) || (row->above && value == row->float_min))
        return lli_fail(error, LLMINF_E_OPTION, row->key, "%g is out of range, want %s%g to %g", value,
                        row->above ? "above " : "", row->float_min, row->float_max);
    value_of(&options->values, row)->real = value;
    return LLMINF_OK;
}

static llminf_status put_text(llminf_options *options, const struct lli_schema_row *row, const char *text, size_t n,
                              llminf_error *error)
{
    if (row->type != LLI_SCHEMA_TEXT)
        return wrong_type(row, "a text", error);
    if (n > 0 && memchr(text, 0, n) != NULL)
        return lli_fail(error, LLMINF_E_OPTION, row->key, "holds a NUL");
    if (n > (size_t)row->int_max)
        return lli_fail(error, LLMINF_E_OPTION, row->key, "has %zu bytes, want at most %lld", n, (long long)row->int_max);
    const char *spelt = lli_schema_spelt(row, text, n);
    if (spelt == NULL)
        return lli_fail(error, LLMINF_E_OPTION, row->key, "\"%.*s\" is not allowed, want one of %s", (int)n, text, row->values);
    return lli_values_put_text(&options->values, row->key, spelt, n, error);
}

static llminf_status put_item(llminf_options *options, const struct lli_schema_row *row, const char *text, size_t n,
                              llminf_error *error)
{
    if (row->type != LLI_SCHEMA_LIST)
        return wrong_type(row, "an item of a list", error);
    if (n == 0 || n > (size_t)row->int_max)
        return lli_fail(error, LLMINF_E_OPTION, row->key, "an item has %zu bytes, want 1 to %lld", n, (long long)row->int_max);
    if (value_of(&options->values, row)->n_items >= LLI_MAX_LIST_ITEMS)
        return lli_fail(error, LLMINF_E_OPTION, row->key, "has %u items already, the most there may be", LLI_MAX_LIST_ITEMS);
    return add_item(&options->values, row->key, text, n, error);
}

static llminf_status put_parsed(llminf_options *options, const struct lli_schema_row *row, const char *text, size_t n,
                                llminf_error *error)
{
    int64_t number;
    double real;
    switch (row->type) {
    case LLI_SCHEMA_TEXT:
        return put_text(options, row, text, n, error);
    case LLI_SCHEMA_LIST:
        return put_item(options, row, text, n, error);
    case LLI_SCHEMA_FLOAT:
        if (lli_parse_float(&real, text, n) != 0)
            return lli_fail(error, LLMINF_E_OPTION, row->key, "\"%.*s\" is no number", (int)(n < 64 ? n : 64), text);
        return put_float(options, row, real, error);
    default:
        if (lli_parse_int(&number, text, n, row) != 0)
            return lli_fail(error, LLMINF_E_OPTION, row->key, "\"%.*s\" is no %s", (int)(n < 64 ? n : 64), text,
                            lli_parse_wanted(row));
        return put_int(options, row, number, error);
    }
}

/* The setters differ in one call: enter the bag, find the row, put the value, leave. */
struct setting {
    llminf_status (*put_text)(llminf_options *, const struct lli_schema_row *, const char *, size_t, llminf_error *);
    const char *text;
    int64_t length;
    int is_float;
    int64_t number;
    double real;
};

static llminf_status set_text(llminf_options *options, const struct lli_schema_row *row, const struct setting *s,
                              llminf_error *error)
{
    size_t n;
    llminf_status status = lli_check_text(&n, s->text, s->length, LLI_MAX_TEXT_BYTES, row->key, error);
    return status == LLMINF_OK ? s->put_text(options, row, n > 0 ? s->text : "", n, error) : status;
}

static llminf_status set(llminf_options *options, const char *key, const struct setting *s, llminf_error *error)
{
    const struct lli_schema_row *row;
    llminf_status status = lli_check_enter(options, LLI_MARK_OPTIONS, "options", error);
    if (status != LLMINF_OK)
        return status;
    row = lli_schema_find(options->values.kind, key);
    if (row == NULL)
        status =
            lli_fail(error, LLMINF_E_OPTION, key != NULL ? key : "key", "is no key of kind \"%s\"", options->values.kind->name);
    else if (s->put_text != NULL)
        status = set_text(options, row, s, error);
    else
        status = s->is_float ? put_float(options, row, s->real, error) : put_int(options, row, s->number, error);
    lli_check_leave(options);
    return status;
}

llminf_status llminf_options_set_int(llminf_options *options, const char *key, int64_t value, llminf_error *error)
{
    return set(options, key, &(struct setting){.number = value}, error);
}

llminf_status llminf_options_set_float(llminf_options *options, const char *key, double value, llminf_error *error)
{
    return set(options, key, &(struct setting){.is_float = 1, .real = value}, error);
}

llminf_status llminf_options_set_text(llminf_options *options, const char *key, const char *text, int64_t length,
                                      llminf_error *error)
{
    return set(options, key, &(struct setting){.put_text = put_text, .text = text, .length = length}, error);
}

llminf_status llminf_options_add_text(llminf_options *options, const char *key, const char *text, int64_t length,
                                      llminf_error *error)
{
    return set(options, key, &(struct setting){.put_text = put_item, .text = text, .length = length}, error);
}

llminf_status llminf_options_parse(llminf_options *options, const char *key, const char *text, int64_t length,
                                   llminf_error *error)
{
    return set(options, key, &(struct setting){.put_text = put_parsed, .text = text, .length = length}, error);
}

/* Functions of the host: the bags of some kinds have them. NULL ends the list. */
static llminf_status enter_kind(llminf_options *options, const char *const kinds[], const char *what, llminf_error *error)
{
    llminf_status status = lli_check_enter(options, LLI_MARK_OPTIONS, "options", error);
    if (status != LLMINF_OK)
        return status;
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (strcmp(options->values.kind->name, kinds[i]) == 0)
            return LLMINF_OK;
    lli_check_leave(options);
    return lli_fail(error, LLMINF_E_OPTION, what, "the bag is of kind \"%s\", which has none", options->values.kind->name);
}

llminf_status llminf_options_set_allocator(llminf_options *options, llminf_alloc_fn alloc, llminf_release_fn release,
                                           void *user, llminf_error *error)
{
    static const char *const kinds[] = {"model", NULL};
    llminf_status status = enter_kind(options, kinds, "allocator", error);
    if (status != LLMINF_OK)
        return status;
    if ((alloc == NULL) != (release == NULL)) {
        status = lli_fail(error, LLMINF_E_INVALID, "allocator", "one of the two functions is NULL, want both or none");
    } else {
        options->alloc = alloc;
        options->release = release;
        options->alloc_user = user;
    }
    lli_check_leave(options);
    return status;
}

llminf_status llminf_options_set_progress(llminf_options *options, llminf_progress_fn progress, void *user, llminf_error *error)
{
    static const char *const kinds[] = {"model", "context", "convert", NULL};
    llminf_status status = enter_kind(options, kinds, "progress", error);
    if (status != LLMINF_OK)
        return status;
    options->progress.call = progress;
    options->progress.user = user;
    lli_check_leave(options);
    return LLMINF_OK;
}

llminf_status llminf_options_set_model(llminf_options *options, const char *key, llminf_model *model, llminf_error *error)
{
    static const char *const kinds[] = {"context", NULL};
    struct llminf_model *old;
    if (key == NULL || strcmp(key, "draft") != 0)
        return lli_fail(error, LLMINF_E_OPTION, key != NULL ? key : "key", "takes no model, want \"draft\"");
    llminf_status status = model != NULL ? lli_check_handle(model, LLI_MARK_MODEL, key, error) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = enter_kind(options, kinds, key, error);
    if (status != LLMINF_OK)
        return status;
    if (model != NULL)
        lli_handles_model_ref(model);
    old = options->draft;
    options->draft = model;
    lli_check_leave(options);
    if (old != NULL)
        lli_handles_model_unref(old);
    return LLMINF_OK;
}

llminf_status lli_options_take_draft(struct llminf_model **out, const llminf_options *bag, llminf_error *err)
{
    llminf_status status = bag != NULL ? lli_check_enter(bag, LLI_MARK_OPTIONS, "options", err) : LLMINF_OK;
    *out = NULL;
    if (bag == NULL || status != LLMINF_OK)
        return status;
    *out = bag->draft;
    if (bag->draft != NULL)
        lli_handles_model_ref(bag->draft);
    lli_check_leave(bag);
    return LLMINF_OK;
}
