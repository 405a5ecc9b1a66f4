/* worker.c - a rank that serves another program of the same mpirun, which is its first process:
 *
 *     mpirun -n 1 llminf-generate -m FILE --tp 2 ... : -n 1 llminf-worker -m FILE */
#include "ranks.h"

static const char *model_path, *threads, *backend, *budget;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file, the same as the first program's; without it the bundled model", &model_path},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--kv-budget", "BYTES", "the most that keys and values may take here, as 2GiB (default: what is asked for)",
     &budget},
};
static const struct program program = {"llminf-worker", "Computes its part of a model for the first program of mpirun.", NULL,
                                       flags, sizeof flags / sizeof *flags};

int main(int argc, char **argv)
{
    const char *word;
    llminf_error error;
    llminf_model *model;
    llminf_options *options, *for_model;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "wants a file", "-m");
    if (count_processes() == 1)
        fail_usage(&program, "is started by mpirun, behind the program that it serves", program.name);
    for_model = model_options(&program);
    check(&program, llminf_model_open(&model, model_path, for_model, &error), &error);
    llminf_options_close(for_model);
    check(&program, llminf_options_open(&options, "context", &error), &error);
    set_option(&program, options, "threads", threads);
    set_option(&program, options, "backend", backend);
    set_option(&program, options, "kv_budget_bytes", budget);
    serve_ranks(&program, model, options);
}
