/* quantize.c - writes a GGUF model anew in another encoding of its weights. */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *threads, *pure;

static const struct flag flags[] = {
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    {"--pure", NULL, "TYPE for all matrices, without those that a mix gives more bits", &pure},
};
static const struct program program = {
    "llminf-quantize",
    "Writes a model in another encoding. TYPE: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q2_k q3_k_s q3_k_m q3_k_l q4_k_s\n"
    "q4_k_m q5_k_s q5_k_m q6_k iq4_nl iq4_xs. Begin with a file of many bits: what is encoded twice loses twice.",
    "IN.gguf OUT.gguf TYPE", flags, sizeof flags / sizeof *flags};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Shown on a terminal, ten times a second. An interrupt ends the call, which then leaves no file. */
static int32_t show(void *user, double done)
{
    int64_t *last = user, now = now_ns();
    if (isatty(2) && (now - *last > 100000000 || done >= 1)) {
        fprintf(stderr, "\rencoding %3.0f %%%s", 100 * done, done >= 1 ? "\n" : "");
        *last = now;
    }
    return interrupted;
}

static double mebibytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (double)info.st_size / 1048576 : 0;
}

int main(int argc, char **argv)
{
    const char *words[3];
    llminf_error error;
    llminf_model *model;
    llminf_options *for_model, *for_convert;
    int64_t last = 0, start = now_ns();
    double before;
    parse_words(&program, argc, argv, words, 3);
    if (words[2] == NULL)
        fail_usage(&program, "wants the file to read, the file to write, and a type", "IN OUT TYPE");
    for_model = model_options(&program);
    check(&program, llminf_options_open(&for_convert, "convert", &error), &error);
    set_option(&program, for_convert, "type", words[2]);
    set_option(&program, for_convert, "pure", pure);
    set_option(&program, for_convert, "threads", threads);
    check(&program, llminf_options_set_progress(for_convert, show, &last, &error), &error);
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    check(&program, llminf_model_open(&model, words[0], for_model, &error), &error);
    before = mebibytes(words[0]);
    check(&program, llminf_model_convert(model, words[1], for_convert, &error), &error);
    fprintf(stderr, "%s: %.1f MiB -> %s: %.1f MiB, %.1f s\n", words[0], before, words[1], mebibytes(words[1]),
            (double)(now_ns() - start) / 1e9);
    llminf_options_close(for_model);
    llminf_options_close(for_convert);
    llminf_model_close(model);
    return 0;
}
