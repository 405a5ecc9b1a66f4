/* A model written anew: the options of kind "convert", and nothing else to know. */
#include "llminf/llminf.h"

#include "api/handles.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/fenv.h"
#include "model/convert.h"

static llminf_status convert(struct llminf_model *model, const char *path, const struct lli_values *values,
                             const struct lli_progress *progress, llminf_error *err)
{
    const struct lli_packing_source source = {&model->config, &model->weights, &model->files, NULL};
    const char *type = lli_values_text(values, "type");
    struct lli_convert_options options = {
        .mix = lli_mix_find(type),
        .is_pure = (int)lli_values_int(values, "pure"),
        .n_threads = (int)lli_values_int(values, "threads"),
        .progress = progress,
    };
    uint64_t state;
    llminf_status status;
    if (options.mix == NULL)
        return lli_fail(err, LLMINF_E_INTERNAL, "type", "\"%s\" is in the schema and no mix is called so", type);
    state = lli_fenv_enter();
    status = lli_packings_hold(&model->packings, &source, options.n_threads > 0 ? options.n_threads : lli_cpus_usable(), err);
    if (status == LLMINF_OK) {
        status = lli_convert_write(path, &model->heap, &model->gguf, &model->config, &options, err);
        lli_packings_let_go(&model->packings, &source);
    }
    lli_fenv_leave(state);
    return status;
}

llminf_status llminf_model_convert(const llminf_model *model, const char *path, const llminf_options *options,
                                   llminf_error *error)
{
    struct llminf_model *own = (struct llminf_model *)(uintptr_t)model; /* const to the host; its heap serves the call */
    struct lli_values values = {0};
    struct lli_progress progress = {0};
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status == LLMINF_OK && options != NULL)
        status = lli_check_handle(options, LLI_MARK_OPTIONS, "options", error);
    if (status != LLMINF_OK)
        return status;
    if (path == NULL || path[0] == 0)
        return lli_fail(error, LLMINF_E_INVALID, "path", "is %s, want where to write a GGUF file",
                        path == NULL ? "NULL" : "empty");
    if (!model->has_network)
        return lli_fail(error, LLMINF_E_STATE, "model", "was opened with vocab_only, want one with weights");
    status = lli_values_copy(&values, &own->heap, "convert", options, error);
    if (status != LLMINF_OK)
        return status;
    if (options != NULL)
        progress = options->progress;
    status = convert(own, path, &values, &progress, error);
    lli_values_finish(&values);
    return status;
}
