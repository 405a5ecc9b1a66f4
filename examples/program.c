#include "program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void print_help(const struct program *p)
{
    printf("usage: %s [flags]%s%s\n\n%s\n\n", p->name, p->takes != NULL ? " " : "", p->takes != NULL ? p->takes : "",
           p->summary);
    for (size_t i = 0; i < p->n_flags; i++) {
        char left[32];
        snprintf(left, sizeof left, "%s %s", p->flags[i].name, p->flags[i].takes != NULL ? p->flags[i].takes : "");
        printf("  %-18s %s\n", left, p->flags[i].help);
    }
    printf("  %-18s %s\n  %-18s %s\n", "--help", "this text", "--version", "version of the library");
}

void fail_usage(const struct program *p, const char *text, const char *what)
{
    fprintf(stderr, "%s: %s: %s (see --help)\n", p->name, what, text);
    exit(2);
}

void parse_words(const struct program *p, int argc, char **argv, const char **words, size_t n_words)
{
    size_t n = 0;
    for (size_t i = 0; i < n_words; i++)
        words[i] = NULL;
    for (int i = 1; i < argc; i++) {
        const struct flag *flag = NULL;
        if (strcmp(argv[i], "--help") == 0) {
            print_help(p);
            exit(0);
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", p->name, llminf_version_text());
            exit(0);
        }
        for (size_t k = 0; k < p->n_flags; k++)
            if (strcmp(argv[i], p->flags[k].name) == 0)
                flag = &p->flags[k];
        if (flag == NULL && argv[i][0] == '-' && argv[i][1] != 0)
            fail_usage(p, "unknown flag", argv[i]);
        if (flag == NULL && (p->takes == NULL || n == n_words))
            fail_usage(p, "one word too many", argv[i]);
        if (flag == NULL)
            words[n++] = argv[i];
        else if (flag->takes == NULL)
            *flag->value = "1";
        else if (i + 1 == argc)
            fail_usage(p, "wants a value", argv[i]);
        else
            *flag->value = argv[++i];
    }
}

void parse_line(const struct program *p, int argc, char **argv, const char **word)
{
    parse_words(p, argc, argv, word, 1);
}

void check(const struct program *p, llminf_status status, const llminf_error *error)
{
    if (status >= 0)
        return;
    fflush(stdout);
    fprintf(stderr, "%s: %s (%s)\n", p->name, error->text, llminf_status_name(status));
    exit(1);
}

void set_option(const struct program *p, llminf_options *options, const char *key, const char *value)
{
    llminf_error error;
    if (value == NULL)
        return;
    if (llminf_options_parse(options, key, value, -1, &error) < 0)
        fail_usage(p, error.text, "option");
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Shown only if loading takes long enough to wonder. */
static int32_t show_progress(void *user, double done)
{
    const int64_t *start = user;
    if (now_ns() - *start > 500000000)
        fprintf(stderr, "\rloading %3.0f %%%s", 100 * done, done >= 1 ? "\n" : "");
    return 0;
}

llminf_options *model_options(const struct program *p)
{
    static int64_t start;
    llminf_error error;
    llminf_options *options;
    check(p, llminf_options_open(&options, "model", &error), &error);
    start = now_ns();
    if (isatty(2))
        check(p, llminf_options_set_progress(options, show_progress, &start, &error), &error);
    return options;
}

int64_t set_draft(const struct program *p, llminf_options *options, llminf_model *model, const char *path)
{
    int64_t own = 0, other = 0;
    llminf_error error;
    llminf_model *draft;
    llminf_options *for_model;
    if (path == NULL)
        return 0;
    for_model = model_options(p);
    check(p, llminf_model_open(&draft, path, for_model, &error), &error);
    check(p, llminf_model_int(draft, "kv_bytes_per_token", &own, &error), &error);
    check(p, llminf_model_int(model, "kv_bytes_per_token", &other, &error), &error);
    double share = (double)(own + 10) / (double)(own + other + 20); /* 160 bytes of bookkeeping a block */
    check(p, llminf_options_set_float(options, "draft_share", share < 0.9 ? share : 0.9, &error), &error);
    check(p, llminf_options_set_model(options, "draft", draft, &error), &error);
    llminf_options_close(for_model);
    llminf_model_close(draft); /* the options keep it */
    return own;
}

llminf_options *session_options(const struct program *p, llminf_model *model, const char *text)
{
    llminf_error error;
    llminf_options *options;
    int32_t id;
    check(p, llminf_options_open(&options, "session", &error), &error);
    if (text == NULL)
        return options;
    char *path = strdup(text), *colon = path != NULL ? strrchr(path, ':') : NULL, *end;
    double scale = colon != NULL ? strtod(colon + 1, &end) : 1;
    if (path == NULL)
        fail_usage(p, "no memory", "--lora");
    if (colon != NULL && end != colon + 1 && *end == 0)
        *colon = 0;
    else
        scale = 1;
    check(p, llminf_adapter_open(&id, model, path, NULL, &error), &error);
    check(p, llminf_options_set_int(options, "adapter", id, &error), &error);
    check(p, llminf_options_set_float(options, "adapter_scale", scale, &error), &error);
    free(path);
    return options;
}

const char *bundled_model(void)
{
    static const char *const places[] = {BUNDLED_MODEL_INSTALLED, BUNDLED_MODEL_SOURCE};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

static void *grow(const struct program *p, void *memory, size_t bytes)
{
    memory = realloc(memory, bytes);
    if (memory == NULL) {
        fprintf(stderr, "%s: no memory for %zu bytes\n", p->name, bytes);
        exit(1);
    }
    return memory;
}

/* To its end. */
static char *read_stream(const struct program *p, FILE *file, const char *name, size_t *length_out)
{
    char *text = NULL;
    size_t n = 0, got;
    do {
        text = grow(p, text, n + 65537);
        got = fread(text + n, 1, 65536, file);
        n += got;
    } while (got > 0);
    if (ferror(file)) {
        fprintf(stderr, "%s: %s: %s\n", p->name, name, strerror(errno));
        exit(1);
    }
    text[n] = 0;
    *length_out = n;
    return text;
}

char *read_input(const struct program *p, size_t *length_out)
{
    return read_stream(p, stdin, "standard input", length_out);
}

char *read_file(const struct program *p, const char *path, size_t *length_out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", p->name, path, strerror(errno));
        exit(1);
    }
    char *text = read_stream(p, file, path, length_out);
    fclose(file);
    return text;
}

void set_grammar(const struct program *p, llminf_sampler *sampler, const char *kind, const char *path)
{
    llminf_error error;
    size_t n;
    char *text = path != NULL ? read_file(p, path, &n) : NULL;
    if (text == NULL)
        return;
    check(p, llminf_sampler_set_grammar(sampler, kind, text, (int64_t)n, &error), &error);
    free(text);
}

llminf_token *read_ids(const struct program *p, const char *text, size_t *count_out)
{
    llminf_token *ids = NULL;
    size_t n = 0;
    for (const char *at = text + strspn(text, " ,\t\r\n"); *at != 0; at += strspn(at, " ,\t\r\n")) {
        char *end;
        intmax_t id = strtoimax(at, &end, 10);
        if (end == at || strchr(" ,\t\r\n", *end) == NULL || id < 0 || id > INT32_MAX)
            fail_usage(p, "is no list of token ids", text);
        if ((n & (n - 1)) == 0) /* room for twice as many at each power of two */
            ids = grow(p, ids, (n > 0 ? 2 * n : 1) * sizeof *ids);
        ids[n++] = (llminf_token)id;
        at = end;
    }
    *count_out = n;
    return ids;
}

void print_json_text(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            printf("\\n");
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}
