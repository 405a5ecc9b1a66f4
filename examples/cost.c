/* cost.c - what a model takes, before anything of it is opened: each key of the plan, as text or as CSV. */
#include "program.h"

#include <stdio.h>
#include <string.h>

static const char *model_path, *shape, *weights, *csv, *flops, *bytes, *sessions, *prompt, *shared, *gen, *memory;
static const char *kv, *budget, *step, *running, *threads, *backend;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it and --shape the bundled model", &model_path},
    {"--shape", "LIST", "a model by its numbers, as n_layers=32,n_embd=4096,n_heads=32,n_ff=14336,n_vocab=128256", &shape},
    {"--weights", "TYPE", "type of a shape's weights, as q4_0 (default f16)", &weights},
    {"--flops", "N", "what the machine computes a second, as 1e12; with --bytes for a forecast of time", &flops},
    {"--bytes", "N", "what it reads from memory a second", &bytes},
    {"--sessions", "N", "the load: sessions at once (default 1)", &sessions},
    {"--prompt", "N", "tokens of each before the output (default 512)", &prompt},
    {"--shared", "N", "of these, a prefix that all have in common (default 0)", &shared},
    {"--gen", "N", "tokens of output of each (default 128)", &gen},
    {"--memory", "BYTES", "memory that must hold it all, as 16GiB", &memory},
    {"--kv", "f16|f32|q8_0", "element type of keys and values (default f16)", &kv},
    {"--budget", "BYTES", "pool of keys and values (default: one session of full length)", &budget},
    {"--step", "N", "tokens of a step", &step},
    {"--running", "N", "generations in one batch", &running},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--csv", NULL, "a line of key,value,unit each", &csv},
};
static const struct program program = {"llminf-cost", "Prints what a model takes in bytes, operations and time.", NULL, flags,
                                       sizeof flags / sizeof *flags};

static llminf_options *context_options(void)
{
    llminf_options *options;
    llminf_error error;
    check(&program, llminf_options_open(&options, "context", &error), &error);
    set_option(&program, options, "kv_type", kv);
    set_option(&program, options, "kv_budget_bytes", budget);
    set_option(&program, options, "step_tokens", step);
    set_option(&program, options, "max_running", running);
    set_option(&program, options, "threads", threads);
    set_option(&program, options, "backend", backend);
    return options;
}

static llminf_options *cost_options(void)
{
    llminf_options *options;
    llminf_error error;
    check(&program, llminf_options_open(&options, "cost", &error), &error);
    set_option(&program, options, "shape", shape);
    set_option(&program, options, "weights", weights);
    set_option(&program, options, "flops_per_s", flops);
    set_option(&program, options, "bytes_per_s", bytes);
    set_option(&program, options, "sessions", sessions);
    set_option(&program, options, "prompt_tokens", prompt);
    set_option(&program, options, "shared_tokens", shared);
    set_option(&program, options, "new_tokens", gen);
    set_option(&program, options, "memory_bytes", memory);
    return options;
}

/* A text member of the key's description in the schema. */
static int schema_text(const char **text_out, const char *key, const char *member)
{
    const char *json = llminf_schema_entry("stats.cost", key), *at = json != NULL ? strstr(json, member) : NULL;
    const char *end = at != NULL ? strchr(at + strlen(member), '"') : NULL;
    *text_out = at != NULL ? at + strlen(member) : "";
    return end != NULL ? (int)(end - *text_out) : 0;
}

static void print(const char *key, double value)
{
    const char *unit, *what;
    int unit_length = schema_text(&unit, key, "\"unit\":\""), length = schema_text(&what, key, "\"doc\":\"");
    int digits = value == (double)(int64_t)value ? 0 : 6;
    if (csv != NULL)
        printf("%s,%.*f,%.*s\n", key, digits, value, unit_length, unit);
    else
        printf("%-20s %20.*f %-5.*s  %.*s\n", key, digits, value, unit_length, unit, length, what);
}

int main(int argc, char **argv)
{
    const char *word;
    llminf_model *model = NULL;
    llminf_error error;
    parse_line(&program, argc, argv, &word);
    if (shape == NULL && model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    if (model_path != NULL)
        check(&program, llminf_model_open(&model, model_path, NULL, &error), &error);
    llminf_options *for_context = context_options(), *load = cost_options();
    const char *key;
    for (size_t i = 0; (key = llminf_schema_key("stats.cost", i)) != NULL; i++) {
        double value;
        llminf_status status = llminf_cost_plan(model, for_context, load, key, &value, &error);
        if (status == LLMINF_E_OPTION &&
            (strcmp(error.subject, "flops_per_s") == 0 || strcmp(error.subject, "bytes_per_s") == 0))
            continue; /* no speed was given */
        check(&program, status, &error);
        print(key, value);
    }
    llminf_options_close(load);
    llminf_options_close(for_context);
    llminf_model_close(model);
    return 0;
}
