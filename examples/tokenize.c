/* tokenize.c - text to token ids and back, also on files that hold a vocabulary alone. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *model_path, *decode, *no_special;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"--decode", NULL, "ids to text", &decode},
    {"--no-special", NULL, "add no BOS or EOS, take or show no control tokens", &no_special},
};
static const struct program program = {"llminf-tokenize", "Prints the token ids of a text, or the text of token ids.",
                                       "[TEXT | -]", flags, sizeof flags / sizeof *flags};

static void *take(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        fprintf(stderr, "%s: no memory\n", program.name);
        exit(1);
    }
    return memory;
}

static void print_ids(const llminf_model *model, const char *text, size_t length)
{
    int32_t how = no_special != NULL ? 0 : LLMINF_TEXT_SPECIAL | LLMINF_TEXT_BOUNDS;
    size_t room = length + 16, n; /* a token per byte, BOS and such: seldom more */
    llminf_token *ids = take(room * sizeof *ids);
    llminf_error error;
    llminf_status status = llminf_text_encode(model, text, (int64_t)length, how, ids, room, &n, &error);
    if (status == LLMINF_E_TOO_SMALL) {
        free(ids);
        ids = take(n * sizeof *ids);
        status = llminf_text_encode(model, text, (int64_t)length, how, ids, n, &n, &error);
    }
    check(&program, status, &error);
    for (size_t i = 0; i < n; i++)
        printf(i > 0 ? " %d" : "%d", ids[i]);
    printf("\n");
    free(ids);
}

static void print_text(const llminf_model *model, const char *list)
{
    int32_t how = no_special != NULL ? 0 : LLMINF_TEXT_SPECIAL;
    llminf_error error;
    size_t n, length;
    llminf_token *ids = read_ids(&program, list, &n);
    char *text;
    check(&program, llminf_text_decode(model, ids, n, how, NULL, 0, &length, &error), &error);
    text = take(length + 1);
    check(&program, llminf_text_decode(model, ids, n, how, text, length + 1, &length, &error), &error);
    fwrite(text, 1, length, stdout);
    free(text);
    free(ids);
}

int main(int argc, char **argv)
{
    const char *word;
    char *input = NULL;
    size_t length;
    llminf_error error;
    llminf_model *model;
    llminf_options *options;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    options = model_options(&program);
    set_option(&program, options, "vocab_only", "1");
    check(&program, llminf_model_open(&model, model_path, options, &error), &error);
    if (word == NULL || strcmp(word, "-") == 0)
        word = input = read_input(&program, &length);
    else
        length = strlen(word);
    if (decode != NULL)
        print_text(model, word);
    else
        print_ids(model, word, length);
    free(input);
    llminf_options_close(options);
    llminf_model_close(model);
    return 0;
}
