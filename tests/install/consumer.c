/* consumer.c - a host without a model, as C and as C++: the installed header, the installed library, their version. */
#include <llminf/llminf.h>
#include <stdio.h>
#include <string.h>

static int failed;

static void want(int ok, const char *what)
{
    if (!ok) {
        printf("consumer: %s\n", what);
        failed = 1;
    }
}

int main(void)
{
    llminf_error error;
    llminf_options *options = NULL;
    llminf_model *model = NULL;
    int version = LLMINF_VERSION_MAJOR * 1000000 + LLMINF_VERSION_MINOR * 1000 + LLMINF_VERSION_PATCH;

    want(llminf_version() == version, "llminf_version() is not the header's");
    want(strcmp(llminf_status_name(LLMINF_E_FORMAT), "LLMINF_E_FORMAT") == 0, "llminf_status_name");
    want(llminf_options_open(&options, "context", &error) == LLMINF_OK, "llminf_options_open");
    want(llminf_options_parse(options, "kv_budget_bytes", "1MiB", -1, &error) == LLMINF_OK, "llminf_options_parse");
    want(llminf_options_set_int(options, "no_such_key", 1, &error) == LLMINF_E_OPTION, "an unknown key was taken");
    want(strcmp(error.subject, "no_such_key") == 0, "the error's subject is not the key");
    llminf_options_close(options);
    want(llminf_model_open(&model, "/nowhere/at-all.gguf", NULL, &error) == LLMINF_E_IO, "a missing file was opened");
    want(model == NULL && error.text[0] != '\0', "a failed open sets no result and says why");
    llminf_model_close(model);
    puts(llminf_version_text());
    return failed;
}
