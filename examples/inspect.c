/* inspect.c - what a GGUF file holds: metadata, tensors, sizes. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *model_path, *json;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"--json", NULL, "one JSON object instead of text", &json},
};
static const struct program program = {"llminf-inspect", "Shows metadata, tensors and sizes of a GGUF file.", NULL, flags,
                                       sizeof flags / sizeof *flags};

enum { SHOWN_ELEMENTS = 6, SHOWN_BYTES = 96 };

static void print_string(const char *text, size_t length)
{
    size_t shown = length;
    if (json == NULL && length > SHOWN_BYTES) {
        shown = SHOWN_BYTES;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    print_json_text(text, shown);
    if (shown < length)
        printf("... (%zu bytes)", length);
}

/* One value of any type; 0 if there is none of this name. */
static int print_value(const llminf_model *model, const char *key)
{
    int64_t number;
    double real;
    const char *text;
    size_t length;
    if (llminf_model_int(model, key, &number, NULL) == LLMINF_OK)
        printf("%lld", (long long)number);
    else if (llminf_model_float(model, key, &real, NULL) == LLMINF_OK)
        printf(json != NULL && !(real - real == 0) ? "null" : "%.9g", real);
    else if (llminf_model_text(model, key, &text, &length, NULL) == LLMINF_OK)
        print_string(text, length);
    else
        return 0;
    return 1;
}

static void print_array(const llminf_model *model, const char *key, int64_t n)
{
    size_t room = strlen(key) + 32;
    char *name = malloc(room);
    int64_t shown = n < SHOWN_ELEMENTS ? n : SHOWN_ELEMENTS;
    if (name == NULL)
        exit(1);
    printf(json != NULL ? "{\"n\":%lld,\"first\":[" : "[%lld] ", (long long)n);
    for (int64_t i = 0; i < shown; i++) {
        snprintf(name, room, "%s[%lld]", key, (long long)i);
        if (i > 0)
            printf(json != NULL ? "," : ", ");
        print_value(model, name);
    }
    if (json != NULL)
        printf("]}");
    else if (shown < n)
        printf(", ...");
    free(name);
}

static void print_entry(const llminf_model *model, const char *key)
{
    size_t room = strlen(key) + 3;
    char *count = malloc(room);
    int64_t n;
    if (count == NULL)
        exit(1);
    snprintf(count, room, "%s[]", key);
    if (llminf_model_int(model, count, &n, NULL) == LLMINF_OK)
        print_array(model, key, n);
    else
        print_value(model, key);
    free(count);
}

static void print_metadata(const llminf_model *model)
{
    const char *key;
    printf(json != NULL ? "\"metadata\":{" : "metadata\n");
    for (size_t i = 0; (key = llminf_model_key(model, i)) != NULL; i++) {
        if (json != NULL) {
            printf(i > 0 ? "," : "");
            print_json_text(key, strlen(key));
            printf(":");
        } else {
            printf("  %-42s ", key);
        }
        print_entry(model, key);
        printf(json != NULL ? "" : "\n");
    }
    printf(json != NULL ? "}," : "");
}

static int64_t print_tensors(const llminf_model *model, int64_t n)
{
    int64_t total = 0;
    printf(json != NULL ? "\"tensors\":[" : "tensors (%lld)\n", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        char key[64];
        const char *name = "", *type = "", *shape = "";
        size_t length;
        int64_t bytes = 0;
        snprintf(key, sizeof key, "tensor_name[%lld]", (long long)i);
        llminf_model_text(model, key, &name, &length, NULL);
        snprintf(key, sizeof key, "tensor_type[%lld]", (long long)i);
        llminf_model_text(model, key, &type, &length, NULL);
        snprintf(key, sizeof key, "tensor_shape[%lld]", (long long)i);
        llminf_model_text(model, key, &shape, &length, NULL);
        snprintf(key, sizeof key, "tensor_bytes[%lld]", (long long)i);
        llminf_model_int(model, key, &bytes, NULL);
        total += bytes;
        if (json != NULL) {
            printf(i > 0 ? ",{\"name\":" : "{\"name\":");
            print_json_text(name, strlen(name));
            printf(",\"type\":\"%s\",\"shape\":[%s],\"bytes\":%lld}", type, shape, (long long)bytes);
        } else {
            printf("  %-34s %-5s %-20s %12lld bytes\n", name, type, shape, (long long)bytes);
        }
    }
    printf(json != NULL ? "]," : "");
    return total;
}

int main(int argc, char **argv)
{
    const char *word;
    llminf_error error;
    llminf_model *model;
    llminf_options *options;
    int64_t n, n_vocab, bytes;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    options = model_options(&program);
    set_option(&program, options, "vocab_only", "1"); /* also files of architectures that cannot be run yet */
    check(&program, llminf_model_open(&model, model_path, options, &error), &error);
    check(&program, llminf_model_int(model, "tensor_name[]", &n, &error), &error);
    check(&program, llminf_model_int(model, "n_vocab", &n_vocab, &error), &error);
    printf(json != NULL ? "{" : "");
    print_metadata(model);
    bytes = print_tensors(model, n);
    if (json != NULL)
        printf("\"n_vocab\":%lld,\"tensor_bytes\":%lld}\n", (long long)n_vocab, (long long)bytes);
    else
        printf("%lld tokens, %lld tensors, %.1f MiB of tensors\n", (long long)n_vocab, (long long)n, (double)bytes / 1048576);
    llminf_options_close(options);
    llminf_model_close(model);
    return 0;
}
