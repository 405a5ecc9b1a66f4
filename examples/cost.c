/* cost.c - what a model takes, before anything of it is opened: each key of the plan, as text or as CSV. */
#include "program.h"

#include <stdio.h>
#include <string.h>

static const char *model_path, *shape, *weights, *batch, *context, *tp, *pp, *machine, *as_json, *csv;
static const char *prompt, *shared, *gen, *memory, *micro, *guesses, *accept, *draft_path;
static const char *kv, *budget, *step, *running, *threads, *backend;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it and --shape the bundled model", &model_path},
    {"--shape", "LIST", "a model by its numbers, as n_layers=32,n_embd=4096,n_heads=32,n_ff=14336,n_vocab=128256", &shape},
    {"--weights", "TYPE", "type of all matrices, as q4_0 (default: the file's; of a shape f16)", &weights},
    {"--batch", "N", "the load: sessions at once (default 1)", &batch},
    {"--context", "N", "tokens of each; in place of --prompt and --gen", &context},
    {"--prompt", "N", "tokens of each before the output (default 512)", &prompt},
    {"--shared", "N", "of these, a prefix that all have in common (default 0)", &shared},
    {"--gen", "N", "tokens of output of each (default 128)", &gen},
    {"--tp", "N", "ranks that share each layer: 1, 2, 4 or 8 (default 1)", &tp},
    {"--pp", "N", "stages with layers of their own (default 1)", &pp},
    {"--micro", "N", "steps that follow one another through the stages (default: as many as stages)", &micro},
    {"--draft", "FILE", "a second model that guesses", &draft_path},
    {"--guesses", "N", "guesses of each session in a step (default 0)", &guesses},
    {"--accept", "P", "chance that one is right (default 0.8)", &accept},
    {"--machine", "auto|LIST", "measured here, or bandwidth=50e9,flops=1e12 of a rank; also link=B/s,latency=ns", &machine},
    {"--memory", "BYTES", "memory of each rank that must hold it all, as 16GiB", &memory},
    {"--kv", "f16|f32|q8_0", "element type of keys and values (default f16)", &kv},
    {"--budget", "BYTES", "pool of keys and values (default: one session of full length)", &budget},
    {"--step", "N", "tokens of a step", &step},
    {"--running", "N", "generations in one batch", &running},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--json", NULL, "one JSON object", &as_json},
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

enum { MEASURE_NS = 1000000000 };

/* What was measured goes in as if it had been given. */
static void measure(llminf_options *out, llminf_model *model, const llminf_options *options)
{
    llminf_context *opened;
    llminf_error error;
    double f, b;
    if (shape != NULL)
        fail_usage(&program, "auto measures with the weights of a file, want -m", "--machine");
    check(&program, llminf_context_open(&opened, model, options, &error), &error);
    check(&program, llminf_cost_measure(opened, MEASURE_NS, &f, &b, &error), &error);
    check(&program, llminf_options_set_float(out, "flops_per_s", f, &error), &error);
    check(&program, llminf_options_set_float(out, "bytes_per_s", b, &error), &error);
    check(&program, llminf_options_set_float(out, "overlap", 2.5, &error), &error);
    llminf_context_close(opened);
}

/* "bandwidth=50e9,flops=1e12": each name is an option. */
static void set_machine(llminf_options *out, const char *list)
{
    static const char *const names[][2] = {
        {"bandwidth=", "bytes_per_s"}, {"flops=", "flops_per_s"}, {"link=", "link_bytes_per_s"}, {"latency=", "link_ns"}};
    llminf_error error;
    for (const char *item = list, *end; item != NULL; item = *end != 0 ? end + 1 : NULL) {
        size_t i = 0;
        end = item + strcspn(item, ",");
        while (i < sizeof names / sizeof *names && strncmp(item, names[i][0], strlen(names[i][0])) != 0)
            i++;
        if (i == sizeof names / sizeof *names)
            fail_usage(&program, "want auto, or a list of bandwidth=, flops=, link=, latency=", "--machine");
        item += strlen(names[i][0]);
        check(&program, llminf_options_parse(out, names[i][1], item, end - item, &error), &error);
    }
}

static llminf_options *cost_options(llminf_model *model, const llminf_options *for_context)
{
    llminf_options *options;
    llminf_error error;
    if (context != NULL && (prompt != NULL || gen != NULL))
        fail_usage(&program, "stands in place of --prompt and --gen", "--context");
    check(&program, llminf_options_open(&options, "cost", &error), &error);
    set_option(&program, options, "shape", shape);
    set_option(&program, options, "weights", weights);
    set_option(&program, options, "sessions", batch);
    set_option(&program, options, "prompt_tokens", context != NULL ? context : prompt);
    set_option(&program, options, "new_tokens", context != NULL ? "0" : gen);
    set_option(&program, options, "shared_tokens", shared);
    set_option(&program, options, "memory_bytes", memory);
    set_option(&program, options, "tensor_parallel", tp);
    set_option(&program, options, "pipeline_parallel", pp);
    set_option(&program, options, "micro_batches", micro);
    set_option(&program, options, "draft_tokens", guesses);
    set_option(&program, options, "draft_accept", accept);
    if (machine != NULL && strcmp(machine, "auto") == 0)
        measure(options, model, for_context);
    else if (machine != NULL)
        set_machine(options, machine);
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

static void print(const char *key, double value, int is_first)
{
    const char *unit, *what;
    int unit_length = schema_text(&unit, key, "\"unit\":\""), length = schema_text(&what, key, "\"doc\":\"");
    int digits = value == (double)(int64_t)value ? 0 : 6;
    if (as_json != NULL)
        printf("%s\"%s\":%.*f", is_first ? "{" : ",", key, digits, value);
    else if (csv != NULL)
        printf("%s,%.*f,%.*s\n", key, digits, value, unit_length, unit);
    else
        printf("%-20s %20.*f %-5.*s  %.*s\n", key, digits, value, unit_length, unit, length, what);
}

/* Keys that want what was not given are left out. */
static int wants_more(llminf_status status, const llminf_error *error)
{
    static const char *const keys[] = {"flops_per_s", "bytes_per_s", "memory_bytes"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (status == LLMINF_E_OPTION && strcmp(error->subject, keys[i]) == 0)
            return 1;
    return 0;
}

static void print_all(const llminf_model *model, const llminf_options *for_context, const llminf_options *load)
{
    const char *key;
    int n = 0;
    for (size_t i = 0; (key = llminf_schema_key("stats.cost", i)) != NULL; i++) {
        llminf_error error;
        double value;
        llminf_status status = llminf_cost_plan(model, for_context, load, key, &value, &error);
        if (wants_more(status, &error))
            continue;
        check(&program, status, &error);
        print(key, value, n++ == 0);
    }
    if (as_json != NULL)
        printf("}\n");
}

int main(int argc, char **argv)
{
    const char *word;
    llminf_model *model = NULL, *draft = NULL;
    llminf_error error;
    parse_line(&program, argc, argv, &word);
    if (shape == NULL && model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    if (model_path != NULL)
        check(&program, llminf_model_open(&model, model_path, NULL, &error), &error);
    llminf_options *for_context = context_options();
    if (draft_path != NULL) {
        check(&program, llminf_model_open(&draft, draft_path, NULL, &error), &error);
        check(&program, llminf_options_set_model(for_context, "draft", draft, &error), &error);
    }
    llminf_options *load = cost_options(model, for_context);
    print_all(model, for_context, load);
    llminf_options_close(load);
    llminf_options_close(for_context);
    llminf_model_close(draft);
    llminf_model_close(model);
    return 0;
}
