/* minimal.c - a host in 30 lines: opens a model, continues a prompt, prints the text as it comes. */
#include <llminf/llminf.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    llminf_error error;
    llminf_model *model = NULL;
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_status status = LLMINF_E_INVALID;
    char text[4096];
    size_t length;
    if (argc == 3)
        status = llminf_model_open(&model, argv[1], NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_context_open(&context, model, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(session, argv[2], -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, NULL, NULL, &error);
    while (status == LLMINF_OK && (status = llminf_session_read(session, text, sizeof text, &length, -1, &error)) == LLMINF_OK)
        fwrite(text, 1, length, stdout);
    if (status < 0)
        fprintf(stderr, "%s\n", argc == 3 ? error.text : "usage: minimal MODEL PROMPT");
    llminf_model_close(model), llminf_context_close(context), llminf_session_close(session); /* in any order */
    return status < 0;
}
