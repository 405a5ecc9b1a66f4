/* ranks.h - contexts over ranks for the example programs: threads of this process or, under mpirun, one process each. */
#ifndef EXAMPLES_RANKS_H
#define EXAMPLES_RANKS_H

#include "program.h"

extern const char *ranks_tp, *ranks_pp, *ranks_timeout;

#define RANKS_FLAGS                                                                                                            \
    {"--tp", "N", "ranks that share each layer: 1 (default), 2, 4 or 8; threads, or the processes of mpirun", &ranks_tp},      \
        {"--pp", "N", "stages of such ranks, each with layers of its own (default 1)", &ranks_pp},                             \
    {                                                                                                                          \
        "--rank-timeout", "TIME", "a rank that does not answer for so long is lost, as 500ms (default 10 s)", &ranks_timeout   \
    }

/* llminf_context_open, with --tp and --pp. Where mpirun started several processes and one of these flags is given, only the
 * first comes back; the others serve it and exit. */
void open_context(const struct program *program, llminf_context **out, llminf_model *model, llminf_options *options);

/* Serves the process of rank 0, which mpirun started too, and exits. */
void serve_ranks(const struct program *program, llminf_model *model, llminf_options *options);

/* Processes that mpirun started; 1: none did. */
int count_processes(void);

#endif
