/* The two ways from a path, memory or a reader to a model's metadata and tensors. A folder's texts go into the metadata as they
 * stand: tokenizer.json under the key that GGUF has for it, tokenizer_config.json beside it. */
#include "api/source.h"

#include <string.h>

#include "base/error.h"
#include "file/gguf_override.h"
#include "file/shard.h"
#include "model/convert.h"
#include "model/folder.h"
#include "model/folder_generation.h"
#include "text/hf.h"

#define TOKENIZER "tokenizer.huggingface.json"
#define TOKENIZER_CONFIG "tokenizer.huggingface.config"
#define CHAT_TEMPLATE "tokenizer.chat_template"

int lli_source_load(const char *name)
{
    static const char *const modes[] = {[LLI_LOAD_AUTO] = "auto", [LLI_LOAD_MAP] = "map", [LLI_LOAD_READ] = "read"};
    int mode = LLI_LOAD_AUTO;
    while (mode < LLI_LOAD_READ && strcmp(name, modes[mode]) != 0)
        mode++;
    return mode;
}

static llminf_status map_source(struct llminf_model *model, const struct lli_source *source, int load,
                                const struct lli_progress *progress, llminf_error *err)
{
    struct lli_mapping m;
    llminf_status status;
    if (source->path != NULL)
        status = lli_mapping_open(&m, &model->heap, source->path, load, progress, err);
    else if (source->read != NULL)
        status = lli_mapping_open_reader(&m, &model->heap, source->read, source->user, (int64_t)source->size, progress, err);
    else
        status = lli_mapping_open_memory(&m, source->bytes, (size_t)source->size, err);
    return status == LLMINF_OK ? lli_files_add(&model->files, &m, err) : status;
}

/* All files of the model, as one. */
static llminf_status read_files(struct llminf_model *model, const struct lli_source *source, const struct lli_values *values,
                                const struct lli_progress *progress, llminf_error *err)
{
    const struct lli_shard_options options = {
        .gguf = {.header_limit_bytes = lli_values_int(values, "header_limit_bytes"),
                 .vocab_only = (int)lli_values_int(values, "vocab_only")},
        .load = lli_source_load(lli_values_text(values, "load")),
        .progress = progress,
    };
    struct lli_stretch first = lli_shard_stretch(progress, source->path, 0);
    struct lli_progress told = lli_stretch_progress(&first);
    llminf_status status = map_source(model, source, options.load, &told, err);
    if (status == LLMINF_OK)
        status =
            lli_gguf_read(&model->gguf, &model->heap, model->files.at[0].bytes, model->files.at[0].size, &options.gguf, err);
    return status == LLMINF_OK ? lli_shard_join(&model->gguf, &model->files, source->path, &options, err) : status;
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

/* A file of the folder as an entry, if it is there. */
static llminf_status add_text(struct lli_gguf_build *b, struct lli_heap *heap, const char *path, const char *name,
                              const char *key, int *is_there_out)
{
    struct lli_mapping m;
    llminf_status status = lli_folder_open(&m, is_there_out, heap, path, name, b->err);
    if (status == LLMINF_OK && m.bytes != NULL && m.size > LLI_MAX_STRING_BYTES)
        status = lli_fail(b->err, LLMINF_E_LIMIT, name, "%zu bytes, the limit is %u", m.size, LLI_MAX_STRING_BYTES);
    if (status == LLMINF_OK && m.bytes != NULL)
        lli_gguf_build_text(b, key, (const char *)m.bytes, m.size);
    lli_mapping_finish(&m);
    return status == LLMINF_OK ? b->status : status;
}

/* "chat_template" is a text, or a list of them by name, of which "default" counts. */
static const struct lli_json_value *find_template(const struct lli_json *config)
{
    uint32_t at = config->n > 0 ? lli_json_find(config, 0, "chat_template", strlen("chat_template")) : 0;
    if (at == 0)
        return NULL;
    const struct lli_json_value *v = &config->values[at];
    if (v->kind == LLI_JSON_TEXT)
        return v;
    for (uint32_t i = at + 1; v->kind == LLI_JSON_ARRAY && i < v->end; i = lli_json_next(config, i)) {
        uint32_t name = lli_json_find(config, i, "name", strlen("name"));
        uint32_t text = lli_json_find(config, i, "template", strlen("template"));
        if (name > 0 && text > 0 && config->values[name].kind == LLI_JSON_TEXT && config->values[text].kind == LLI_JSON_TEXT &&
            strcmp(config->values[name].text, "default") == 0)
            return &config->values[text];
    }
    return NULL;
}

static llminf_status add_template(struct lli_gguf_build *b, struct lli_heap *heap, const char *path)
{
    struct lli_json config;
    int is_there;
    llminf_status status = add_text(b, heap, path, "chat_template.jinja", CHAT_TEMPLATE, &is_there);
    if (status != LLMINF_OK || is_there)
        return status;
    status = lli_folder_json(&config, &is_there, heap, path, "tokenizer_config.json", b->err);
    const struct lli_json_value *template = status == LLMINF_OK ? find_template(&config) : NULL;
    if (template != NULL)
        lli_gguf_build_text(b, CHAT_TEMPLATE, template->text, template->n);
    lli_json_finish(&config);
    return status == LLMINF_OK ? b->status : status;
}

static llminf_status read_folder(struct llminf_model *model, const char *path, const struct lli_values *values,
                                 const struct lli_progress *progress, llminf_error *err)
{
    const struct lli_folder_options options = {
        .header_limit_bytes = lli_values_int(values, "header_limit_bytes"),
        .load = lli_source_load(lli_values_text(values, "load")),
        .no_tensors = (int)lli_values_int(values, "vocab_only"),
        .progress = progress,
    };
    struct lli_gguf_build b;
    int is_there;
    lli_gguf_build_begin(&b, &model->gguf, &model->heap, err);
    llminf_status status = lli_folder_read(&b, &model->files, path, &options);
    if (status == LLMINF_OK)
        status = add_text(&b, &model->heap, path, "tokenizer.json", TOKENIZER, NULL);
    if (status == LLMINF_OK)
        status = add_text(&b, &model->heap, path, "tokenizer_config.json", TOKENIZER_CONFIG, &is_there);
    if (status == LLMINF_OK)
        status = add_template(&b, &model->heap, path);
    return status == LLMINF_OK ? lli_gguf_build_end(&b) : status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* Tokens that the model has a row for. */
static uint32_t count_rows(const struct lli_gguf *g)
{
    const struct lli_gguf_tensor *t = lli_gguf_tensor_find(g, "token_embd.weight");
    return t != NULL && t->dims[1] <= UINT32_MAX ? (uint32_t)t->dims[1] : 0;
}

/* Puts a copy in another encoding in the place of the model's files. */
static llminf_status encode_anew(struct llminf_model *model, const struct lli_values *values,
                                 const struct lli_progress *progress, llminf_error *err)
{
    const struct lli_gguf_options again = {.header_limit_bytes = INT64_MAX};
    const struct lli_convert_options options = {.mix = lli_mix_find(lli_values_text(values, "convert")), .progress = progress};
    struct lli_mapping copy;
    struct lli_config config;
    if (options.mix == NULL || lli_values_int(values, "vocab_only"))
        return LLMINF_OK;
    llminf_status status = lli_config_read(&config, &model->gguf, count_rows(&model->gguf), err);
    if (status == LLMINF_OK)
        status = lli_convert_copy(&copy, &model->heap, &model->gguf, &config, &options, err);
    if (status != LLMINF_OK)
        return status;
    lli_gguf_finish(&model->gguf);
    lli_files_finish(&model->files);
    lli_files_init(&model->files, &model->heap);
    status = lli_files_add(&model->files, &copy, err);
    return status == LLMINF_OK ? lli_gguf_read(&model->gguf, &model->heap, copy.bytes, copy.size, &again, err) : status;
}

llminf_status lli_source_read(struct llminf_model *model, const struct lli_source *source, const struct lli_values *values,
                              const struct lli_progress *progress, llminf_error *err)
{
    const struct lli_value *overrides = lli_values_at(values, "override");
    llminf_status status;
    lli_files_init(&model->files, &model->heap);
    if (source->path != NULL && lli_folder_is(source->path))
        status = read_folder(model, source->path, values, progress, err);
    else
        status = read_files(model, source, values, progress, err);
    if (status == LLMINF_OK)
        status = lli_gguf_override(&model->gguf, overrides->items, overrides->n_items, err);
    return status == LLMINF_OK ? encode_anew(model, values, progress, err) : status;
}

llminf_status lli_source_vocab(struct llminf_model *model, llminf_error *err)
{
    const struct lli_gguf *g = &model->gguf;
    const struct lli_hf_more more = {.n_least = count_rows(g), .ends = lli_gguf_find(g, LLI_FOLDER_ENDS)};
    struct lli_text tokenizer, config;
    if (lli_gguf_find(g, "tokenizer.ggml.model") != NULL || lli_gguf_find(g, TOKENIZER) == NULL)
        return lli_vocab_read(&model->vocab, &model->heap, g, err);
    llminf_status status = lli_gguf_get_text(&tokenizer, g, TOKENIZER, NULL, err);
    if (status == LLMINF_OK)
        status = lli_gguf_get_text(&config, g, TOKENIZER_CONFIG, NULL, err);
    return status == LLMINF_OK ? lli_hf_read(&model->vocab, &model->heap, tokenizer, config, &more, err) : status;
}
