#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "api/source.h"
#include "base/error.h"
#include "base/fenv.h"
#include "base/format.h"
#include "text/template.h"

/* Texts of the file are not terminated; those that a host asks for by key get a copy that is. */
static llminf_status own_texts(struct llminf_model *model, llminf_error *err)
{
    struct lli_gguf *g = &model->gguf;
    for (size_t i = 0; i < g->n_entries; i++) {
        struct lli_gguf_entry *e = &g->entries[i];
        if (e->kind != LLI_GGUF_STRING || e->is_array)
            continue;
        e->texts[0].bytes = lli_arena_text(&g->arena, e->texts[0].bytes, e->texts[0].len);
        if (e->texts[0].bytes == NULL)
            return lli_fail_memory(err, e->key, e->texts[0].len);
    }
    return LLMINF_OK;
}

static llminf_status write_shapes(struct llminf_model *model, llminf_error *err)
{
    struct lli_gguf *g = &model->gguf;
    model->shapes = lli_arena_take(&g->arena, g->n_tensors, sizeof *model->shapes);
    if (model->shapes == NULL)
        return lli_fail_memory(err, "tensor_shape", g->n_tensors * sizeof *model->shapes);
    for (size_t i = 0; i < g->n_tensors; i++) {
        char text[24 * LLI_MAX_DIMS];
        size_t n = 0;
        for (uint32_t d = 0; d < g->tensors[i].n_dims; d++)
            n += lli_format(text + n, sizeof text - n, d > 0 ? ",%llu" : "%llu", (unsigned long long)g->tensors[i].dims[d]);
        model->shapes[i] = lli_arena_text(&g->arena, text, n);
        if (model->shapes[i] == NULL)
            return lli_fail_memory(err, "tensor_shape", n);
    }
    return LLMINF_OK;
}

static llminf_status read_network(struct llminf_model *model, const struct lli_values *values,
                                  const struct lli_progress *progress, llminf_error *err)
{
    llminf_status status = lli_config_read(&model->config, &model->gguf, model->vocab.n, err);
    if (status == LLMINF_OK)
        status = lli_weights_read(&model->weights, &model->heap, &model->config, &model->gguf, err);
    if (status == LLMINF_OK && lli_values_int(values, "prefault"))
        status = lli_files_touch(&model->files, progress, err);
    if (status == LLMINF_OK && strcmp(lli_values_text(values, "verify"), "full") == 0)
        status = lli_weights_verify(&model->weights, &model->config, progress, err);
    model->has_network = status == LLMINF_OK;
    if (status == LLMINF_OK) {
        model->fingerprint = lli_gguf_fingerprint(&model->gguf);
        lli_format(model->fingerprint_text, sizeof model->fingerprint_text, "%016llx", (unsigned long long)model->fingerprint);
    }
    return status;
}

/* A template that is given has to be one; that of the file is looked at when it is used. */
static llminf_status read_template(struct llminf_model *model, const struct lli_values *values, llminf_error *err)
{
    const struct lli_value *given = lli_values_at(values, "chat_template");
    model->template_limit_steps = lli_values_int(values, "template_limit_steps");
    model->template_limit_bytes = lli_values_int(values, "template_limit_bytes");
    if (given->len == 0)
        return LLMINF_OK;
    model->chat_template.bytes = lli_arena_text(&model->gguf.arena, given->text, given->len);
    model->chat_template.len = given->len;
    if (model->chat_template.bytes == NULL)
        return lli_fail_memory(err, "chat_template", given->len);
    struct lli_template *compiled;
    llminf_status status = lli_template_new(&compiled, &model->heap, model->chat_template.bytes, given->len, err);
    if (status == LLMINF_OK)
        atomic_store_explicit(&model->compiled, compiled, memory_order_release);
    return status;
}

static llminf_status read_model(struct llminf_model *model, const struct lli_source *source, const struct lli_values *values,
                                const struct lli_progress *progress, llminf_error *err)
{
    llminf_status status = lli_log_init(&model->log, (int)lli_values_int(values, "log_level"));
    if (status != LLMINF_OK)
        return lli_fail(err, status, "log", "the system refused a lock");
    model->has_log = 1;
    status = lli_packings_init(&model->packings, &model->heap, err);
    if (status == LLMINF_OK)
        status = lli_adapters_init(&model->adapters, &model->heap, err);
    if (status == LLMINF_OK)
        status = lli_source_read(model, source, values, progress, err);
    if (status == LLMINF_OK)
        status = own_texts(model, err);
    if (status == LLMINF_OK)
        status = write_shapes(model, err);
    if (status == LLMINF_OK)
        status = read_template(model, values, err);
    if (status == LLMINF_OK)
        status = lli_source_vocab(model, err);
    if (status == LLMINF_OK && !lli_values_int(values, "vocab_only"))
        status = read_network(model, values, progress, err);
    if (status == LLMINF_OK)
        lli_log_write(&model->log, LLI_LOG_INFO, "opened: %zu metadata entries, %zu tensors, %u tokens", model->gguf.n_entries,
                      model->gguf.n_tensors, model->vocab.n);
    return status;
}

static llminf_status model_new(struct llminf_model **out, const llminf_options *bag, llminf_error *err)
{
    struct lli_heap heap;
    struct llminf_model *model;
    lli_heap_init(&heap, bag != NULL ? bag->alloc : NULL, bag != NULL ? bag->release : NULL,
                  bag != NULL ? bag->alloc_user : NULL);
    model = lli_alloc_zero(&heap, 1, sizeof *model);
    if (model == NULL)
        return lli_fail_memory(err, "model", sizeof *model);
    lli_heap_init(&model->heap, heap.alloc, heap.release, heap.user);
    atomic_store_explicit(&model->heap.live_bytes, (int64_t)sizeof *model, memory_order_relaxed);
    model->handle.mark = LLI_MARK_MODEL;
    atomic_store_explicit(&model->handle.refs, 1, memory_order_relaxed);
    *out = model;
    return LLMINF_OK;
}

static llminf_status open_model(llminf_model **out, const struct lli_source *source, const llminf_options *bag,
                                llminf_error *err)
{
    struct lli_values values = {0};
    struct lli_progress progress = {0};
    struct llminf_model *model = NULL;
    uint64_t state;
    llminf_status status = bag != NULL ? lli_check_handle(bag, LLI_MARK_OPTIONS, "options", err) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = model_new(&model, bag, err);
    if (status != LLMINF_OK)
        return status;
    status = lli_values_copy(&values, &model->heap, "model", bag, err);
    if (status == LLMINF_OK) {
        if (bag != NULL)
            progress = bag->progress;
        state = lli_fenv_enter();
        status = read_model(model, source, &values, &progress, err);
        lli_fenv_leave(state);
        lli_values_finish(&values);
    }
    if (status != LLMINF_OK) {
        lli_handles_model_unref(model);
        return status;
    }
    *out = model;
    return LLMINF_OK;
}

llminf_status llminf_model_open(llminf_model **out, const char *path, const llminf_options *options, llminf_error *error)
{
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (path == NULL || path[0] == 0)
        return lli_fail(error, LLMINF_E_INVALID, "path", "is %s, want the path of a GGUF file",
                        path == NULL ? "NULL" : "empty");
    return open_model(out, &(struct lli_source){.path = path}, options, error);
}

llminf_status llminf_model_open_memory(llminf_model **out, const void *bytes, size_t size, const llminf_options *options,
                                       llminf_error *error)
{
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (bytes == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "bytes", "is NULL, want a GGUF file in memory");
    return open_model(out, &(struct lli_source){.bytes = bytes, .size = size}, options, error);
}

llminf_status llminf_model_open_reader(llminf_model **out, llminf_read_fn read, void *user, int64_t size,
                                       const llminf_options *options, llminf_error *error)
{
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (read == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "read", "is NULL, want a function");
    if (size < 0)
        return lli_fail(error, LLMINF_E_INVALID, "size", "is %lld, want 0 or more", (long long)size);
    return open_model(out, &(struct lli_source){.read = read, .user = user, .size = (uint64_t)size}, options, error);
}

void llminf_model_close(llminf_model *model)
{
    if (lli_check_handle(model, LLI_MARK_MODEL, "model", NULL) == LLMINF_OK)
        lli_handles_model_unref(model);
}

const char *llminf_model_key(const llminf_model *model, size_t index)
{
    if (lli_check_handle(model, LLI_MARK_MODEL, "model", NULL) != LLMINF_OK || index >= model->gguf.n_entries)
        return NULL;
    return model->gguf.entries[index].key;
}

llminf_status llminf_model_log(llminf_model *model, char *buffer, size_t capacity, size_t *length_out, llminf_error *error)
{
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    int64_t length;
    int copy;
    if (status != LLMINF_OK || (status = lli_check_out(length_out, "length_out", error)) != LLMINF_OK)
        return status;
    *length_out = 0;
    length = lli_log_take(&model->log, buffer, buffer != NULL ? capacity : 0);
    if (length < 0)
        return LLMINF_AGAIN;
    *length_out = (size_t)length;
    return lli_check_room(&copy, buffer, capacity, (size_t)length + 1, error);
}
