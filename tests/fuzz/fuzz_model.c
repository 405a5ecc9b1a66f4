/* Any bytes as a model: open, encode, two tokens, an embedding, close, through the public API. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <llminf/llminf.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static llminf_options *bag(const char *kind, const char *key, const char *value)
{
    llminf_options *options;
    if (llminf_options_open(&options, kind, NULL) != LLMINF_OK ||
        llminf_options_parse(options, key, value, -1, NULL) != LLMINF_OK)
        abort();
    return options;
}

static void check(llminf_status status, const llminf_error *error)
{
    if (status < 0 && (error->status != status || error->text[0] == 0))
        abort();
}

static void tell(llminf_model *model, const llminf_options *for_context, const llminf_options *for_generate)
{
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_error error;
    char text[64];
    size_t n;
    llminf_status status = llminf_context_open(&context, model, for_context, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(session, "once upon", -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, NULL, for_generate, &error);
    while (status == LLMINF_OK)
        status = llminf_session_read(session, text, sizeof text, &n, -1, &error);
    check(status, &error);
    llminf_session_close(session);
    llminf_context_close(context);
}

static void embed(llminf_model *model, const llminf_options *for_context)
{
    llminf_options *for_session = bag("session", "pooling", "mean"), *nothing = bag("generate", "max_tokens", "0");
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_error error;
    float *vector = NULL;
    size_t n = 0;
    llminf_status status = llminf_context_open(&context, model, for_context, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, for_session, &error);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(session, "once upon", -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, NULL, nothing, &error);
    if (status == LLMINF_OK)
        status = llminf_session_wait(session, -1, &error);
    if (status >= 0)
        status = llminf_session_embedding(session, NULL, 0, &n, &error);
    if (status == LLMINF_OK && (vector = malloc(n * sizeof *vector)) != NULL)
        status = llminf_session_embedding(session, vector, n, &n, &error);
    check(status, &error);
    free(vector);
    llminf_session_close(session);
    llminf_context_close(context);
    llminf_options_close(for_session);
    llminf_options_close(nothing);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    llminf_options *for_context = bag("context", "kv_budget_bytes", "1MiB"), *for_generate = bag("generate", "max_tokens", "2");
    llminf_model *model;
    llminf_error error;
    llminf_status status;
    llminf_options_set_int(for_context, "threads", 1, NULL);
    status = llminf_model_open_memory(&model, bytes, size, NULL, &error);
    check(status, &error);
    if (status == LLMINF_OK) {
        tell(model, for_context, for_generate);
        embed(model, for_context);
        llminf_model_close(model);
    }
    llminf_options_close(for_context);
    llminf_options_close(for_generate);
    return 0;
}
