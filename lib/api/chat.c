/* Chat templates: JSON in, a prompt or its tokens out. */
#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/error.h"
#include "base/json.h"
#include "text/encode.h"
#include "text/template.h"

#define N_CONSTANTS 5

/* What one call works with; its parts are of `heap`. */
struct chat {
    const struct llminf_model *model; /* or NULL */
    struct lli_heap *heap, own;
    struct lli_json json;
    struct lli_template *compiled; /* of the JSON's own template */
    struct lli_template_constant constants[N_CONSTANTS];
    struct lli_template_input input;
    struct lli_template_output output;
};

/* The member `messages`, if there is one, is an array of objects. */
static llminf_status check_messages(const struct lli_json *json, llminf_error *error)
{
    const struct lli_json_value *values = json->values;
    uint32_t at = lli_json_find(json, 0, "messages", 8);
    if (values[0].kind != LLI_JSON_OBJECT)
        return lli_fail_at(error, LLMINF_E_FORMAT, values[0].at, "json", "is no object of variables");
    if (at == 0)
        return LLMINF_OK;
    if (values[at].kind != LLI_JSON_ARRAY)
        return lli_fail_at(error, LLMINF_E_FORMAT, values[at].at, "messages", "is no array");
    for (uint32_t i = at + 1; i < values[at].end; i = lli_json_next(json, i))
        if (values[i].kind != LLI_JSON_OBJECT)
            return lli_fail_at(error, LLMINF_E_FORMAT, values[i].at, "messages", "one of them is no object");
    return LLMINF_OK;
}

/* A member that is to be a text; bytes NULL: there is none. */
static llminf_status find_text(struct lli_text *out, const struct lli_json *json, const char *name, llminf_error *error)
{
    uint32_t at = lli_json_find(json, 0, name, strlen(name));
    *out = (struct lli_text){NULL, 0};
    if (at == 0)
        return LLMINF_OK;
    if (json->values[at].kind != LLI_JSON_TEXT)
        return lli_fail_at(error, LLMINF_E_FORMAT, json->values[at].at, name, "is no text");
    *out = (struct lli_text){json->values[at].text, json->values[at].n};
    return LLMINF_OK;
}

/* The file's template, compiled once for all: of several that do so at a time the first one's stays. */
static llminf_status compile_models(const struct lli_template **out, const struct chat *c, llminf_error *error)
{
    struct llminf_model *model = (struct llminf_model *)(uintptr_t)c->model; /* what others may see of it stays as it is */
    struct lli_template *compiled, *known = NULL;
    struct lli_text source;
    const struct lli_gguf_entry *e = lli_gguf_find(&model->gguf, "tokenizer.chat_template");
    if (e == NULL || lli_gguf_text(&source, e, 0) != 0)
        return lli_fail(error, LLMINF_E_NOT_FOUND, "chat_template", "the model has none; the option or the JSON may give one");
    llminf_status status = lli_template_new(&compiled, &model->heap, source.bytes, source.len, error);
    if (status != LLMINF_OK)
        return status;
    if (atomic_compare_exchange_strong(&model->compiled, &known, compiled))
        known = compiled;
    else
        lli_template_free(compiled);
    *out = known;
    return LLMINF_OK;
}

static llminf_status find_template(const struct lli_template **out, struct chat *c, llminf_error *error)
{
    struct lli_text source;
    llminf_status status = find_text(&source, &c->json, "chat_template", error);
    if (status == LLMINF_OK && source.bytes != NULL) {
        status = lli_template_new(&c->compiled, c->heap, source.bytes, source.len, error);
        *out = c->compiled;
    }
    if (status != LLMINF_OK || source.bytes != NULL)
        return status;
    if (c->model == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "model", "is NULL, want a model or a \"chat_template\" in the JSON");
    *out = atomic_load_explicit(&c->model->compiled, memory_order_acquire);
    return *out != NULL ? LLMINF_OK : compile_models(out, c, error);
}

/* Special tokens are the model's own text, which may become control tokens. */
static void set_constants(struct chat *c)
{
    static const char *const names[N_CONSTANTS] = {"bos_token", "eos_token", "eot_token", "unk_token", "pad_token"};
    const struct lli_vocab *v = &c->model->vocab;
    const int32_t ids[N_CONSTANTS] = {v->bos, v->eos, v->eot, v->unk, v->pad};
    for (size_t i = 0; i < N_CONSTANTS; i++)
        if (ids[i] != LLI_NO_TOKEN)
            c->constants[c->input.n_constants++] = (struct lli_template_constant){names[i], v->texts[ids[i]]};
}

static llminf_status run(struct chat *c, const char *text, size_t n, llminf_error *error)
{
    const struct lli_template *template = NULL;
    struct lli_text now;
    llminf_status status = lli_json_read(&c->json, c->heap, text, n, "json", error);
    if (status == LLMINF_OK)
        status = check_messages(&c->json, error);
    if (status == LLMINF_OK)
        status = find_template(&template, c, error);
    if (status == LLMINF_OK)
        status = find_text(&now, &c->json, "now", error);
    if (status == LLMINF_OK && now.bytes != NULL && strlen(now.bytes) != now.len)
        status = lli_fail(error, LLMINF_E_FORMAT, "now", "holds a NUL");
    if (status != LLMINF_OK)
        return status;
    c->input = (struct lli_template_input){.json = &c->json,
                                           .hidden = "chat_template",
                                           .constants = c->constants,
                                           .now = now.bytes,
                                           .limit_steps = LLI_TEMPLATE_STEPS_DEFAULT,
                                           .limit_bytes = LLI_TEMPLATE_BYTES_DEFAULT};
    if (c->model != NULL) {
        c->input.limit_steps = c->model->template_limit_steps;
        c->input.limit_bytes = c->model->template_limit_bytes;
        set_constants(c);
    }
    return lli_template_run(&c->output, c->heap, template, &c->input, error);
}

static llminf_status open_chat(struct chat *c, const llminf_model *model, const char *json, int64_t length, llminf_error *error)
{
    size_t n;
    memset(c, 0, sizeof *c);
    c->model = model;
    lli_heap_init(&c->own, NULL, NULL, NULL);
    c->heap = model != NULL ? (struct lli_heap *)(uintptr_t)&model->heap : &c->own;
    llminf_status status = lli_check_text(&n, json, length, LLI_MAX_JSON_BYTES, "json", error);
    return status == LLMINF_OK ? run(c, n > 0 ? json : "", n, error) : status;
}

static void close_chat(struct chat *c)
{
    lli_template_output_finish(&c->output);
    lli_template_free(c->compiled);
    lli_json_finish(&c->json);
}

llminf_status llminf_chat_format(const llminf_model *model, const char *json, int64_t length, char *buffer, size_t capacity,
                                 size_t *length_out, llminf_error *error)
{
    struct chat chat;
    int copy = 0;
    llminf_status status = lli_check_out(length_out, "length_out", error);
    if (status != LLMINF_OK)
        return status;
    *length_out = 0;
    if (model != NULL && (status = lli_check_handle(model, LLI_MARK_MODEL, "model", error)) != LLMINF_OK)
        return status;
    status = open_chat(&chat, model, json, length, error);
    if (status == LLMINF_OK) {
        *length_out = chat.output.text.len;
        status = lli_check_room(&copy, buffer, capacity, chat.output.text.len + 1, error);
    }
    if (copy) {
        if (chat.output.text.len > 0)
            memcpy(buffer, chat.output.text.bytes, chat.output.text.len);
        buffer[chat.output.text.len] = 0;
    }
    close_chat(&chat);
    return status;
}

llminf_status llminf_chat_encode(const llminf_model *model, const char *json, int64_t length, llminf_token *tokens,
                                 size_t capacity, size_t *count_out, llminf_error *error)
{
    struct chat chat;
    struct lli_buffer ids = {0};
    int copy = 0;
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK || (status = lli_check_out(count_out, "count_out", error)) != LLMINF_OK)
        return status;
    *count_out = 0;
    status = open_chat(&chat, model, json, length, error);
    lli_buffer_init(&ids, chat.heap);
    if (status == LLMINF_OK && chat.output.text.len > 0)
        status = lli_encode_marked(&ids, &model->vocab, (const char *)chat.output.text.bytes, chat.output.marks.bytes,
                                   chat.output.text.len, error);
    if (status == LLMINF_OK) {
        *count_out = ids.len / sizeof(llminf_token);
        status = lli_check_room(&copy, tokens, capacity, *count_out, error);
    }
    if (copy && ids.len > 0)
        memcpy(tokens, ids.bytes, ids.len);
    lli_buffer_finish(&ids);
    close_chat(&chat);
    return status;
}
