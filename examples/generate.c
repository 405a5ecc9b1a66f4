/* generate.c - continues a prompt: text to stdout as it is made, statistics to stderr. */
#include "program.h"
#include "ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *model_path, *prompt, *n_tokens, *temperature, *top_k, *top_p, *min_p, *seed, *threads, *backend, *length,
    *draft, *speculate, *lora, *json, *grammar, *schema;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"-p", "TEXT", "prompt; without it standard input", &prompt},
    {"-n", "N", "new tokens at most; -1: up to the context's length (default)", &n_tokens},
    {"--temp", "T", "temperature; 0: greedy (default)", &temperature},
    {"--top-k", "K", "keep the K best; 0: all (default)", &top_k},
    {"--top-p", "P", "keep the best that sum up to P; 1: all (default)", &top_p},
    {"--min-p", "P", "drop what is below P times the best; 0: none (default)", &min_p},
    {"--grammar", "FILE", "a grammar in GBNF that the new text keeps to", &grammar},
    {"--json-schema", "FILE", "a JSON schema; the new text is JSON that is valid under it", &schema},
    {"--seed", "S", "seed of the draws (default 0)", &seed},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    RANKS_FLAGS,
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--ctx", "N", "longest timeline in tokens; 0: the model's (default)", &length},
    {"--draft", "FILE", "a smaller model of the same vocabulary, which guesses tokens", &draft},
    {"--speculate", "HOW", "off, lookup or model (default with --draft)", &speculate},
    {"--lora", "FILE[:SCALE]", "an adapter: GGUF or a folder of PEFT, and what it is multiplied by", &lora},
    {"--json", NULL, "one JSON object with text and statistics instead", &json},
};
static const struct program program = {"llminf-generate", "Continues a prompt and streams the text.", NULL, flags,
                                       sizeof flags / sizeof *flags};

struct run {
    llminf_model *model;
    llminf_context *context;
    llminf_session *session;
    int64_t load_ns;
};

static llminf_options *open_options(const char *kind)
{
    llminf_error error;
    llminf_options *options;
    check(&program, llminf_options_open(&options, kind, &error), &error);
    return options;
}

/* With --ctx the pool holds just that many tokens; else the library's default. */
static void set_budget(llminf_options *options, llminf_model *model, int64_t draft_bytes)
{
    int64_t tokens = length != NULL ? strtoll(length, NULL, 10) : 0, token_bytes = 0;
    llminf_error error;
    if (tokens <= 0)
        return;
    check(&program, llminf_model_int(model, "kv_bytes_per_token", &token_bytes, &error), &error);
    token_bytes += draft != NULL ? draft_bytes + 10 : 0;
    tokens = (tokens / 16 + 3) * 16;
    if (tokens > INT64_MAX / (token_bytes + 10))
        fail_usage(&program, "too large", "--ctx");
    token_bytes = tokens * (token_bytes + 10); /* 160 bytes of bookkeeping a block */
    check(&program, llminf_options_set_int(options, "kv_budget_bytes", token_bytes < 65536 ? 65536 : token_bytes, &error),
          &error);
}

static void open_all(struct run *run)
{
    llminf_error error;
    llminf_options *for_model = model_options(&program), *for_context = open_options("context");
    int64_t start = now_ns();
    check(&program, llminf_model_open(&run->model, model_path, for_model, &error), &error);
    llminf_options *for_session = session_options(&program, run->model, lora);
    set_option(&program, for_context, "threads", threads);
    set_option(&program, for_context, "backend", backend);
    set_budget(for_context, run->model, set_draft(&program, for_context, run->model, draft));
    open_context(&program, &run->context, run->model, for_context);
    set_option(&program, for_session, "max_length", length);
    check(&program, llminf_session_open(&run->session, run->context, for_session, &error), &error);
    run->load_ns = now_ns() - start;
    llminf_options_close(for_model);
    llminf_options_close(for_context);
    llminf_options_close(for_session);
}

static void start(const struct run *run)
{
    llminf_error error;
    llminf_options *for_sampler = open_options("sampler"), *for_generate = open_options("generate");
    llminf_sampler *sampler;
    set_option(&program, for_sampler, "temperature", temperature != NULL ? temperature : "0");
    set_option(&program, for_sampler, "top_k", top_k);
    set_option(&program, for_sampler, "top_p", top_p);
    set_option(&program, for_sampler, "min_p", min_p);
    set_option(&program, for_sampler, "seed", seed);
    set_option(&program, for_generate, "max_tokens", n_tokens);
    set_option(&program, for_generate, "speculate", speculate != NULL ? speculate : draft != NULL ? "model" : NULL);
    check(&program, llminf_sampler_open(&sampler, run->model, for_sampler, &error), &error);
    set_grammar(&program, sampler, "gbnf", grammar);
    set_grammar(&program, sampler, "json_schema", schema);
    check(&program, llminf_session_generate(run->session, sampler, for_generate, &error), &error);
    llminf_sampler_close(sampler);
    llminf_options_close(for_sampler);
    llminf_options_close(for_generate);
}

static int64_t session_int(const struct run *run, const char *key)
{
    int64_t value = 0;
    llminf_error error;
    check(&program, llminf_session_int(run->session, key, &value, &error), &error);
    return value;
}

static double per_second(int64_t n, int64_t ns)
{
    return ns > 0 ? 1e9 * (double)n / (double)ns : 0;
}

static void print_statistics(const struct run *run)
{
    static const char *const reasons[] = {"none",      "end of generation", "stop text", "stop token", "length",
                                          "cancelled", "deadline",          "grammar",   "error"};
    int64_t n_prompt = session_int(run, "prompt"), n_new = session_int(run, "generated"),
            reason = session_int(run, "stop_reason"), n_drafted = session_int(run, "drafted"),
            n_accepted = session_int(run, "accepted");
    const char *why = reason == LLMINF_STOP_LENGTH && session_int(run, "room") == 0 ? "full context" : reasons[reason];
    int64_t kv_bytes = 0, n_threads = 0;
    char name[64] = "";
    size_t name_length;
    double load = (double)run->load_ns / 1e6, prefill = per_second(n_prompt, session_int(run, "prefill_ns"));
    double decode = per_second(n_new > 1 ? n_new - 1 : 0, session_int(run, "decode_ns"));
    llminf_context_int(run->context, "kv_bytes", &kv_bytes, NULL);
    llminf_context_int(run->context, "option.threads", &n_threads, NULL);
    llminf_context_text(run->context, "option.backend", name, sizeof name, &name_length, NULL);
    if (json != NULL)
        printf("\"prompt_tokens\":%lld,\"new_tokens\":%lld,\"stop\":\"%s\",\"load_ms\":%.1f,\"prompt_tokens_per_second\":%.1f,"
               "\"decode_tokens_per_second\":%.1f,\"drafted\":%lld,\"accepted\":%lld,\"kv_bytes\":%lld,\"backend\":\"%s\","
               "\"threads\":%lld}\n",
               (long long)n_prompt, (long long)n_new, why, load, prefill, decode, (long long)n_drafted, (long long)n_accepted,
               (long long)kv_bytes, name, (long long)n_threads);
    else
        fprintf(stderr,
                "load %.1f ms; prompt %lld tokens, %.1f tokens/s; %lld new tokens, %.1f tokens/s, %lld of %lld guesses right; "
                "stopped by "
                "%s; KV pool %.1f MiB; "
                "backend %s, threads %lld\n",
                load, (long long)n_prompt, prefill, (long long)n_new, decode, (long long)n_accepted, (long long)n_drafted, why,
                (double)kv_bytes / 1048576, name, (long long)n_threads);
}

/* Streams the text; with --json as the pieces of one string. */
static void stream(const struct run *run)
{
    llminf_error error;
    llminf_status status;
    char text[4096];
    size_t n, total = 0;
    char *all = NULL;
    while ((status = llminf_session_read(run->session, text, sizeof text, &n, -1, &error)) == LLMINF_OK) {
        if (json == NULL) {
            fwrite(text, 1, n, stdout);
            fflush(stdout);
            continue;
        }
        all = realloc(all, total + n);
        if (all == NULL)
            exit(1);
        memcpy(all + total, text, n);
        total += n;
    }
    if (json != NULL) {
        printf("{\"text\":");
        print_json_text(all, total);
        printf(",");
        free(all);
    } else {
        printf("\n");
        fflush(stdout); /* before the statistics, which go another way */
    }
    check(&program, status, &error);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    const char *word;
    char *input = NULL;
    size_t n_input = 0;
    llminf_error error;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    if (prompt == NULL)
        input = read_input(&program, &n_input);
    open_all(&run);
    check(&program,
          llminf_session_append_text(run.session, input != NULL ? input : prompt, input != NULL ? (int64_t)n_input : -1,
                                     LLMINF_TEXT_BOUNDS, &error),
          &error);
    start(&run);
    if (json == NULL && prompt != NULL)
        fputs(prompt, stdout);
    stream(&run);
    print_statistics(&run);
    free(input);
    llminf_session_close(run.session);
    llminf_context_close(run.context);
    llminf_model_close(run.model);
    return 0;
}
