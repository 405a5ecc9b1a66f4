/* Adapters are read without the lock: only the list is guarded. */
#include "api/adapter.h"

#include <string.h>

#include "api/handles.h"
#include "api/source.h"
#include "base/error.h"
#include "base/fenv.h"
#include "base/limits.h"
#include "model/adapter.h"

/* ---- the list ---------------------------------------------------------------------------------------------------- */

llminf_status lli_adapters_init(struct lli_adapters *adapters, struct lli_heap *heap, llminf_error *err)
{
    *adapters = (struct lli_adapters){.heap = heap};
    int code = pthread_mutex_init(&adapters->lock, NULL);
    if (code)
        return lli_fail_os(err, code, "adapter", "cannot make a lock");
    adapters->has_lock = 1;
    return LLMINF_OK;
}

void lli_adapters_finish(struct lli_adapters *adapters)
{
    for (size_t i = 0; i < adapters->n; i++)
        lli_adapter_unref(adapters->at[i]);
    if (adapters->heap != NULL)
        lli_free(adapters->heap, adapters->at);
    if (adapters->has_lock)
        pthread_mutex_destroy(&adapters->lock);
    *adapters = (struct lli_adapters){0};
}

/* Where it stands, or n. Under the lock. */
static size_t find(const struct lli_adapters *adapters, int64_t id)
{
    size_t i = 0;
    while (i < adapters->n && adapters->at[i]->id != id)
        i++;
    return i;
}

llminf_status lli_adapters_take(struct lli_adapter **out, struct lli_adapters *adapters, int64_t id, llminf_error *err)
{
    *out = NULL;
    if (id == 0)
        return LLMINF_OK;
    pthread_mutex_lock(&adapters->lock);
    size_t i = find(adapters, id);
    if (i < adapters->n) {
        *out = adapters->at[i];
        lli_adapter_ref(*out);
    }
    pthread_mutex_unlock(&adapters->lock);
    if (*out != NULL)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_NOT_FOUND, "adapter", "the model has no open adapter %lld", (long long)id);
}

/* Under the lock. */
static llminf_status grow(struct lli_adapters *adapters, llminf_error *err)
{
    if (adapters->last_id == INT32_MAX)
        return lli_fail(err, LLMINF_E_LIMIT, "adapter", "all ids were given out");
    if (adapters->n < adapters->cap)
        return LLMINF_OK;
    size_t cap = adapters->cap > 0 ? 2 * adapters->cap : 4;
    struct lli_adapter **at = lli_realloc(adapters->heap, adapters->at, cap * sizeof *at);
    if (at == NULL)
        return lli_fail_memory(err, "adapter", cap * sizeof *at);
    adapters->at = at;
    adapters->cap = cap;
    return LLMINF_OK;
}

/* Takes the reference over where it succeeds; whoever has the id may close it from then on. */
static llminf_status add(int32_t *id_out, struct lli_adapters *adapters, struct lli_adapter *adapter, llminf_error *err)
{
    pthread_mutex_lock(&adapters->lock);
    llminf_status status = grow(adapters, err);
    if (status == LLMINF_OK) {
        *id_out = adapter->id = ++adapters->last_id;
        adapters->at[adapters->n++] = adapter;
    }
    pthread_mutex_unlock(&adapters->lock);
    return status;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static llminf_status read_adapter(struct lli_adapter **out, struct llminf_model *model, const char *path,
                                  const llminf_options *bag, llminf_error *err)
{
    struct lli_values values = {0};
    struct lli_progress progress = {0};
    llminf_status status = lli_values_copy(&values, &model->heap, "adapter", bag, err);
    if (status != LLMINF_OK)
        return status;
    if (bag != NULL)
        progress = bag->progress;
    const struct lli_adapter_options options = {
        .config = &model->config,
        .weights = &model->weights,
        .rank_limit = (uint32_t)lli_values_int(&values, "rank_limit"),
        .header_limit_bytes = LLI_HEADER_BYTES_DEFAULT,
        .load = lli_source_load(lli_values_text(&values, "load")),
        .verify_all = strcmp(lli_values_text(&values, "verify"), "full") == 0,
        .progress = &progress,
    };
    uint64_t state = lli_fenv_enter();
    status = lli_adapter_open(out, &model->heap, path, &options, err);
    lli_fenv_leave(state);
    lli_values_finish(&values);
    return status;
}

llminf_status llminf_adapter_open(int32_t *out, llminf_model *model, const char *path, const llminf_options *options,
                                  llminf_error *error)
{
    struct lli_adapter *adapter;
    llminf_status status = lli_check_out(out, "out", error);
    if (status != LLMINF_OK)
        return status;
    *out = 0;
    status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK)
        return status;
    if (path == NULL || path[0] == 0)
        return lli_fail(error, LLMINF_E_INVALID, "path", "is %s, want the path of an adapter", path == NULL ? "NULL" : "empty");
    if (!model->has_network)
        return lli_fail(error, LLMINF_E_STATE, "model", "was opened with vocab_only, want one with weights");
    status = read_adapter(&adapter, model, path, options, error);
    if (status != LLMINF_OK)
        return status;
    status = add(out, &model->adapters, adapter, error);
    if (status != LLMINF_OK)
        lli_adapter_unref(adapter);
    return status;
}

void llminf_adapter_close(llminf_model *model, int32_t adapter)
{
    struct lli_adapter *closed = NULL;
    if (lli_check_handle(model, LLI_MARK_MODEL, "model", NULL) != LLMINF_OK)
        return;
    struct lli_adapters *adapters = &model->adapters;
    pthread_mutex_lock(&adapters->lock);
    size_t i = find(adapters, adapter);
    if (i < adapters->n) {
        closed = adapters->at[i];
        adapters->at[i] = adapters->at[--adapters->n];
    }
    pthread_mutex_unlock(&adapters->lock);
    lli_adapter_unref(closed);
}
