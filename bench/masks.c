/* masks.c - llminf-bench-masks: what a grammar costs a token. Random logits stand for a model; texts are begun again when
 * they are whole. Tokens that begin with a mark of JSON's are liked a little better, so that texts get on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/program.h"

static const char *model_path, *kind, *path, *n_tokens;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file, of which the vocabulary is taken", &model_path},
    {"--kind", "KIND", "gbnf or json_schema (default)", &kind},
    {"-f", "FILE", "the grammar", &path},
    {"-n", "N", "tokens (default 500)", &n_tokens},
};
static const struct program program = {"llminf-bench-masks", "Measures what a grammar costs a token.", NULL, flags,
                                       sizeof flags / sizeof *flags};

static uint64_t state = 7;

static float next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(state >> 40) / (float)(1 << 24);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void fill(float *logits, const uint8_t *is_mark, size_t n)
{
    for (size_t i = 0; i < n; i++)
        logits[i] = next_random() + (is_mark[i] ? 0.02f : 0);
}

/* Nanoseconds of each pick. */
static void run(const llminf_model *model, llminf_sampler *sampler, float *logits, const uint8_t *is_mark, size_t n_vocab,
                int64_t *ns, size_t n)
{
    llminf_error error;
    for (size_t i = 0; i < n; i++) {
        llminf_token token;
        fill(logits, is_mark, n_vocab);
        int64_t start = now_ns();
        llminf_status status = llminf_sampler_pick(sampler, logits, n_vocab, &token, &error);
        if (status == LLMINF_OK)
            status = llminf_sampler_accept(sampler, token, &error);
        ns[i] = now_ns() - start;
        check(&program, status, &error);
        if (llminf_text_kind(model, token) & LLMINF_TOKEN_EOG)
            llminf_sampler_reset(sampler, &error);
    }
    qsort(ns, n, sizeof *ns, by_value);
}

static double mean(const int64_t *ns, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)ns[i];
    return sum / (double)n / 1e3;
}

static double compile(llminf_sampler *sampler, const char *text, size_t length)
{
    llminf_error error;
    int64_t start = now_ns();
    check(&program, llminf_sampler_set_grammar(sampler, kind != NULL ? kind : "json_schema", text, (int64_t)length, &error),
          &error);
    return (double)(now_ns() - start) / 1e6;
}

int main(int argc, char **argv)
{
    llminf_error error;
    const char *word = NULL;
    llminf_options *for_model, *for_sampler;
    llminf_model *model;
    llminf_sampler *sampler;
    size_t length, n;
    int64_t n_vocab = 0;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL || path == NULL)
        fail_usage(&program, "is missing", model_path == NULL ? "-m" : "-f");
    n = n_tokens != NULL ? strtoul(n_tokens, NULL, 10) : 500;
    char *text = read_file(&program, path, &length);
    for_model = model_options(&program);
    check(&program, llminf_options_set_int(for_model, "vocab_only", 1, &error), &error);
    check(&program, llminf_model_open(&model, model_path, for_model, &error), &error);
    check(&program, llminf_model_int(model, "n_vocab", &n_vocab, &error), &error);
    check(&program, llminf_options_open(&for_sampler, "sampler", &error), &error);
    check(&program, llminf_options_set_float(for_sampler, "temperature", 0, &error), &error);
    check(&program, llminf_sampler_open(&sampler, model, for_sampler, &error), &error);
    float *logits = calloc((size_t)n_vocab, sizeof *logits);
    uint8_t *is_mark = calloc((size_t)n_vocab, 1);
    int64_t *ns = calloc(n + 1, sizeof *ns);
    if (logits == NULL || is_mark == NULL || ns == NULL || n == 0)
        return 1;
    for (int64_t i = 0; i < n_vocab; i++) {
        const char *bytes;
        size_t len;
        if (llminf_text_token(model, (llminf_token)i, &bytes, &len, NULL) == LLMINF_OK && len > 0)
            is_mark[i] = strchr("\",:}]", bytes[0]) != NULL && bytes[0] != 0;
    }
    run(model, sampler, logits, is_mark, (size_t)n_vocab, ns, n);
    double plain = mean(ns, n), first = compile(sampler, text, length), second = compile(sampler, text, length);
    run(model, sampler, logits, is_mark, (size_t)n_vocab, ns, n);
    printf("{\"n_vocab\":%lld,\"tokens\":%zu,\"compile_first_ms\":%.2f,\"compile_ms\":%.2f,\"pick_us\":%.1f,\"pick_with_"
           "grammar_us\":"
           "%.1f,\"median_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
           (long long)n_vocab, n, first, second, plain, mean(ns, n), (double)ns[n / 2] / 1e3, (double)ns[n * 99 / 100] / 1e3,
           (double)ns[n - 1] / 1e3);
    llminf_sampler_close(sampler);
    llminf_options_close(for_sampler);
    llminf_options_close(for_model);
    llminf_model_close(model);
    free(logits);
    free(is_mark);
    free(ns);
    free(text);
    return 0;
}
