#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/dtype.h"
#include "examples/program.h"
#include "forward/forward.h"

static const char *model, *threads, *backend, *prefill, *decode, *depth, *sessions, *prompt, *gen, *kv, *runs, *buffer, *rows,
    *types, *shape, *kernel_ms, *json, *kernels, *cold, *trace, *mode, *budget, *step, *target, *running, *scatter, *speculate,
    *forecast, *contexts;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; not needed for --kernels", &model},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--prefill", "N", "tokens of a prompt at depth 0, in chunks of 512; 0: no such test (default 512)", &prefill},
    {"--decode", "N", "tokens one by one; 0: no such test (default 64)", &decode},
    {"--depth", "N", "tokens of context before them (default 0)", &depth},
    {"--scatter", NULL, "decode behind --depth through blocks in order and in random order too", &scatter},
    {"--forecast", NULL, "what the cost model foresees and what it takes, and nothing else, within --budget", &forecast},
    {"--contexts", "LIST", "tokens of context and of prompts of --forecast (default 128,512,2048,8192)", &contexts},
    {"--sessions", "LIST", "sessions that decode together; 0: no such test (default 1,4,16; of --forecast 1,2,4,8,16,32,64)",
     &sessions},
    {"--prompt", "N", "tokens of context of each (default 128)", &prompt},
    {"--gen", "N", "tokens of each (default 32)", &gen},
    {"--kv", "TYPE", "elements of K and V: f16 (default), f32 or q8_0", &kv},
    {"--runs", "N", "runs of each measurement, of which the median is taken (default 3)", &runs},
    {"--cold", NULL, "load once more before, with the file dropped from the page cache", &cold},
    {"--trace", "FILE", "requests that arrive by a trace, and nothing else", &trace},
    {"--mode", "NAME", "batching of the trace: static, continuous or inflight (default)", &mode},
    {"--step", "N", "tokens of a step of the trace, 16 or more; 0: 64 beyond 64 sessions (default)", &step},
    {"--running", "N", "generations of the trace in a batch; 0: 64 (default)", &running},
    {"--target", "US", "how long a step of the trace that makes tokens should last at most; 0: off (default)", &target},
    {"--budget", "MIB", "K and V of the trace; 0: one session of full length (default)", &budget},
    {"--speculate", "N", "tokens that repeat themselves, without guesses and with up to 16, and nothing else", &speculate},
    {"--kernels", NULL, "time the kernels alone", &kernels},
    {"--rows", "LIST", "kernels: rows of activations (default 1,4,16,512)", &rows},
    {"--types", "LIST", "kernels: products of these weights only, as q4_0,q6_k, and no other kernel", &types},
    {"--shape", "K,N", "kernels: inputs and outputs of a matrix (default 2048,8192)", &shape},
    {"--kernel-ms", "N", "kernels: least time of a run (default 50)", &kernel_ms},
    {"--buffer", "MIB", "memory read for the bandwidth; 0: four times the last cache (default)", &buffer},
    {"--json", NULL, "one JSON object a line", &json},
};
static const struct program program = {"llminf-bench", "Measures the library beside the limits of the machine.", NULL, flags,
                                       sizeof flags / sizeof *flags};

void options_fail(const char *what, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s\n", program.name, what, text);
    exit(1);
}

static uint32_t read_number(const char *flag, const char *text, uint32_t otherwise, uint32_t least, uint32_t most)
{
    char *end;
    intmax_t n;
    if (text == NULL)
        return otherwise;
    n = strtoimax(text, &end, 10);
    if (end == text || *end != 0 || n < least || n > most)
        fail_usage(&program, "is out of range or no number", flag);
    return (uint32_t)n;
}

static void read_list(struct list *out, const char *flag, const char *text, uint32_t most)
{
    out->n = 0;
    for (;;) {
        char *end;
        intmax_t n = strtoimax(text, &end, 10);
        if (end == text || (*end != 0 && *end != ',') || n < 0 || n > most || out->n == OPTIONS_LIST)
            fail_usage(&program, "is no list of at most 16 numbers in range", flag);
        if (n > 0)
            out->at[out->n++] = (uint32_t)n;
        if (*end == 0)
            return;
        text = end + 1;
    }
}

/* A bit for each type named. */
static uint64_t read_types(const char *text)
{
    uint64_t found = 0;
    while (text != NULL) {
        size_t n = strcspn(text, ",");
        uint32_t id = 0;
        const struct lli_dtype *type = NULL;
        while (id < LLI_N_TYPES &&
               !((type = lli_dtype_find(id)) && strlen(type->name) == n && strncmp(type->name, text, n) == 0))
            id++;
        if (id == LLI_N_TYPES)
            fail_usage(&program, "is no list of weight types", "--types");
        found |= UINT64_C(1) << id;
        text = text[n] == ',' ? text + n + 1 : NULL;
    }
    return found;
}

static const struct {
    const char *name;
    int type;
    uint32_t dtype;
} kv_types[] = {{"f16", LLI_KV_F16, LLI_F16}, {"f32", LLI_KV_F32, LLI_F32}, {"q8_0", LLI_KV_Q8_0, LLI_Q8_0}};

enum { N_KV_TYPES = sizeof kv_types / sizeof *kv_types };

static void read_kv(struct options *out, const char *text)
{
    size_t i = 0;
    while (text != NULL && i < N_KV_TYPES && strcmp(text, kv_types[i].name) != 0)
        i++;
    if (i == N_KV_TYPES)
        fail_usage(&program, "want f16, f32 or q8_0", "--kv");
    out->kv_name = kv_types[i].name;
    out->kv_type = kv_types[i].type;
    out->kv_dtype = kv_types[i].dtype;
}

void options_read(struct options *out, int argc, char **argv)
{
    const char *word;
    parse_line(&program, argc, argv, &word);
    *out = (struct options){.model = model, .backend = backend != NULL ? backend : "auto"};
    read_kv(out, kv);
    out->threads = (int)read_number("--threads", threads, 0, 0, 1024);
    out->prefill = read_number("--prefill", prefill, 512, 0, 1 << 20);
    out->decode = read_number("--decode", decode, 64, 0, 1 << 20);
    out->depth = read_number("--depth", depth, 0, 0, 1 << 24);
    out->prompt = read_number("--prompt", prompt, 128, 1, 1 << 20);
    out->gen = read_number("--gen", gen, 32, 1, 1 << 20);
    out->runs = (int)read_number("--runs", runs, 3, 1, 64);
    out->buffer_bytes = (size_t)read_number("--buffer", buffer, 0, 0, 1 << 20) << 20;
    out->types = read_types(types);
    out->kernel_seconds = read_number("--kernel-ms", kernel_ms, 50, 1, 60000) / 1e3;
    read_list(&out->sessions, "--sessions",
              sessions != NULL   ? sessions
              : forecast != NULL ? "1,2,4,8,16,32,64"
                                 : "1,4,16",
              1024);
    read_list(&out->contexts, "--contexts", contexts != NULL ? contexts : "128,512,2048,8192", 1 << 17);
    read_list(&out->rows, "--rows", rows != NULL ? rows : "1,4,16,512", 4096);
    read_list(&out->shape, "--shape", shape != NULL ? shape : "2048,8192", 1 << 17);
    if (out->shape.n != 2 || out->shape.at[0] % 256 != 0 || out->shape.at[1] % 32 != 0)
        fail_usage(&program, "want K,N with K a multiple of 256 and N of 32", "--shape");
    out->trace = trace;
    out->mode = mode != NULL ? mode : "inflight";
    out->step_tokens = read_number("--step", step, 0, 0, 65536);
    out->max_running = read_number("--running", running, 0, 0, 4096);
    out->speculate = read_number("--speculate", speculate, 0, 0, 1 << 16);
    out->scatter = scatter != NULL;
    out->forecast = forecast != NULL;
    out->target_us = read_number("--target", target, 0, 0, 1000000000);
    out->budget_bytes = (size_t)read_number("--budget", budget, 0, 0, 1 << 20) << 20;
    out->json = json != NULL;
    out->kernels = kernels != NULL;
    out->cold = cold != NULL;
    if (out->model == NULL && !out->kernels)
        fail_usage(&program, "wants a file", "-m");
}
