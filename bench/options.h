/* options.h - the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_LIST = 16 };

struct list {
    uint32_t at[OPTIONS_LIST];
    int n;
};

struct options {
    const char *model, *backend;
    int threads; /* 0: what this process may use */
    const char *kv_name;
    int kv_type;       /* enum lli_kv_type */
    uint32_t kv_dtype; /* enum lli_type */
    int runs;          /* of each measurement */
    int json, kernels, cold, scatter, forecast;
    const char *trace, *mode; /* NULL: none; of batching */
    uint32_t step_tokens;     /* of a step of the trace; 0: the library's default */
    uint32_t max_running;     /* of the trace; 0: the library's default */
    uint32_t speculate;       /* tokens of the test of guesses; 0: none */
    uint32_t target_us;       /* a step of the trace should last at most; 0: off */
    size_t budget_bytes;      /* of K and V, for the trace; 0: the library's default */
    uint32_t prefill, decode, depth, prompt, gen;
    struct list sessions, contexts;
    struct list rows, shape; /* of --kernels: activation rows; K and N */
    uint64_t types;          /* of --kernels: a bit for each; 0: all, and the other kernels */
    size_t buffer_bytes;     /* 0: chosen from the caches */
    double kernel_seconds;   /* a kernel is repeated for so long */
};

/* Ends the program with 2 and a sentence when the line is wrong. */
void options_read(struct options *out, int argc, char **argv);

/* Ends the program with 1. */
void options_fail(const char *what, const char *text);

#endif
