/* host.c - what an application does: options from text, a session, a sampler, text by pulling, counters by key.
 *
 * usage: host MODEL PROMPT [MAX_TOKENS]     The text goes to stdout, "stop_reason generated length" to stderr. */
#include <llminf/llminf.h>
#include <stdio.h>

static llminf_status prepare(llminf_options **generate, llminf_sampler **sampler, llminf_model *model, const char *max_tokens,
                             llminf_error *error)
{
    llminf_options *settings = NULL;
    llminf_status status = llminf_options_open(generate, "generate", error);
    if (status == LLMINF_OK)
        status = llminf_options_parse(*generate, "max_tokens", max_tokens, -1, error);
    if (status == LLMINF_OK)
        status = llminf_options_open(&settings, "sampler", error);
    if (status == LLMINF_OK)
        status = llminf_options_set_float(settings, "temperature", 0, error);
    if (status == LLMINF_OK)
        status = llminf_sampler_open(sampler, model, settings, error);
    llminf_options_close(settings);
    return status;
}

static llminf_status tell(llminf_session *session, llminf_error *error)
{
    char text[64];
    size_t length;
    llminf_status status;
    while ((status = llminf_session_read(session, text, sizeof text, &length, -1, error)) == LLMINF_OK)
        fwrite(text, 1, length, stdout);
    static const char *const keys[] = {"stop_reason", "generated", "length"};
    for (int i = 0; status == LLMINF_DONE && i < 3; i++) {
        int64_t value;
        llminf_status known = llminf_session_int(session, keys[i], &value, error);
        if (known != LLMINF_OK)
            return known;
        fprintf(stderr, "%lld%c", (long long)value, i < 2 ? ' ' : '\n');
    }
    return status;
}

int main(int argc, char **argv)
{
    llminf_error error;
    llminf_model *model = NULL;
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_options *generate = NULL;
    llminf_sampler *sampler = NULL;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: host MODEL PROMPT [MAX_TOKENS]\n");
        return 2;
    }
    llminf_status status = llminf_model_open(&model, argv[1], NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_context_open(&context, model, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, NULL, &error);
    if (status == LLMINF_OK)
        status = prepare(&generate, &sampler, model, argc == 4 ? argv[3] : "-1", &error);
    llminf_model_close(model);
    llminf_context_close(context);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(session, argv[2], -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, sampler, generate, &error);
    llminf_sampler_close(sampler);
    llminf_options_close(generate);
    if (status == LLMINF_OK)
        status = tell(session, &error);
    if (status < 0)
        fprintf(stderr, "%s: %s\n", llminf_status_name(status), error.text);
    llminf_session_close(session);
    return status < 0;
}
