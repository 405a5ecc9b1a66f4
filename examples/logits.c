/* logits.c - the logits of every position of a list of token ids, as float32 [n_tokens, n_vocab], and their hash. */
#include "program.h"
#include "ranks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *model_path, *id_list, *out_path, *threads, *backend, *chunk, *kv, *lora, *weights;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"--ids", "1,2,3", "token ids", &id_list},
    {"-o", "OUT.f32", "file for the logits; without it only the hash is printed", &out_path},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    RANKS_FLAGS,
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--chunk", "N", "tokens computed at once (default: all)", &chunk},
    {"--kv", "f16|f32|q8_0", "element type of keys and values (default f16)", &kv},
    {"--weights", "TYPE", "encode the matrices anew while loading, as q8_0", &weights},
    {"--lora", "FILE[:SCALE]", "an adapter: GGUF or a folder of PEFT, and what it is multiplied by", &lora},
};
static const struct program program = {"llminf-logits",
                                       "Writes the logits of every position and prints the XXH3 hash of those bytes.", NULL,
                                       flags, sizeof flags / sizeof *flags};

/* Appends [from, from + n) and copies the logits of these positions. */
static void compute(llminf_session *session, const llminf_options *options, const llminf_token *ids, size_t from, size_t n,
                    float *logits, size_t n_vocab)
{
    llminf_error error;
    size_t count;
    check(&program, llminf_session_append(session, ids + from, n, &error), &error);
    check(&program, llminf_session_generate(session, NULL, options, &error), &error);
    check(&program, llminf_session_wait(session, -1, &error), &error);
    for (size_t i = from; i < from + n; i++)
        check(&program, llminf_session_logits(session, i, logits + i * n_vocab, n_vocab, &count, &error), &error);
}

static void write_file(const float *logits, size_t n)
{
    FILE *file = fopen(out_path, "wb");
    if (file == NULL || fwrite(logits, sizeof *logits, n, file) != n || fclose(file) != 0) {
        fprintf(stderr, "%s: %s: %s\n", program.name, out_path, strerror(errno));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *word;
    llminf_error error;
    llminf_model *model;
    llminf_context *context;
    llminf_session *session;
    llminf_options *for_model, *for_context, *for_session, *for_generate;
    llminf_token *ids;
    int64_t n_vocab;
    size_t n, step;
    float *logits;
    parse_line(&program, argc, argv, &word);
    if (id_list == NULL)
        fail_usage(&program, "wants a list of token ids", "--ids");
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    ids = read_ids(&program, id_list, &n);
    if (n == 0)
        fail_usage(&program, "is an empty list", "--ids");
    step = chunk != NULL ? strtoul(chunk, NULL, 10) : n;
    if (step == 0)
        fail_usage(&program, "wants a number above 0", "--chunk");
    for_model = model_options(&program);
    check(&program, llminf_options_open(&for_context, "context", &error), &error);
    check(&program, llminf_options_open(&for_generate, "generate", &error), &error);
    set_option(&program, for_model, "convert", weights);
    set_option(&program, for_context, "threads", threads);
    set_option(&program, for_context, "backend", backend);
    set_option(&program, for_context, "kv_type", kv);
    set_option(&program, for_generate, "max_tokens", "0");
    set_option(&program, for_generate, "logits", "all");
    check(&program, llminf_model_open(&model, model_path, for_model, &error), &error);
    for_session = session_options(&program, model, lora);
    open_context(&program, &context, model, for_context);
    check(&program, llminf_session_open(&session, context, for_session, &error), &error);
    check(&program, llminf_model_int(model, "n_vocab", &n_vocab, &error), &error);
    logits = calloc(n, (size_t)n_vocab * sizeof *logits);
    if (logits == NULL) {
        fprintf(stderr, "%s: no memory for %zu x %lld logits\n", program.name, n, (long long)n_vocab);
        return 1;
    }
    for (size_t from = 0; from < n; from += step)
        compute(session, for_generate, ids, from, n - from < step ? n - from : step, logits, (size_t)n_vocab);
    if (out_path != NULL)
        write_file(logits, n * (size_t)n_vocab);
    printf("xxh3 %016llx\n", (unsigned long long)XXH3_64bits(logits, n * (size_t)n_vocab * sizeof *logits));
    free(logits);
    free(ids);
    llminf_session_close(session);
    llminf_context_close(context);
    llminf_model_close(model);
    llminf_options_close(for_model);
    llminf_options_close(for_context);
    llminf_options_close(for_session);
    llminf_options_close(for_generate);
    return 0;
}
