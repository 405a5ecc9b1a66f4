#include "ranks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <llminf/comm.h>

const char *ranks_tp, *ranks_pp, *ranks_timeout;

int count_processes(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}; /* of Open MPI, of MPICH */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text != NULL && atoi(text) > 0)
            return atoi(text);
    }
    return 1;
}

/* The plug-in is loaded when it is wanted, so that a program without ranks needs no MPI. It stays until the end. */
static void open_table(const struct program *p, llminf_comm *out)
{
    llminf_status (*fill)(llminf_comm *, int32_t, llminf_error *) = NULL;
    void *plugin = dlopen("libllminf_mpi.so.1", RTLD_NOW | RTLD_GLOBAL); /* MPI loads parts of itself, which look for it */
    void *symbol = plugin != NULL ? dlsym(plugin, "llminf_mpi_comm") : NULL;
    llminf_error error;
    if (symbol == NULL) {
        fprintf(stderr, "%s: %s\n", p->name, dlerror());
        exit(1);
    }
    *(void **)(void *)&fill = symbol; /* as POSIX has it */
    check(p, fill(out, -1, &error), &error);
}

static void serve(const struct program *p, llminf_model *model, const llminf_comm *comm, llminf_options *options)
{
    llminf_error error;
    llminf_status status = llminf_comm_serve(model, comm, options, &error);
    comm->close(comm->state);
    if (status < 0)
        fprintf(stderr, "%s: rank %d: %s (%s)\n", p->name, comm->rank, error.text, llminf_status_name(status));
    llminf_model_close(model);
    exit(status < 0);
}

void serve_ranks(const struct program *p, llminf_model *model, llminf_options *options)
{
    llminf_comm comm;
    open_table(p, &comm);
    serve(p, model, &comm, options);
}

void open_context(const struct program *p, llminf_context **out, llminf_model *model, llminf_options *options)
{
    llminf_comm comm;
    llminf_error error;
    llminf_status status;
    set_option(p, options, "tensor_parallel", ranks_tp);
    set_option(p, options, "pipeline_parallel", ranks_pp);
    set_option(p, options, "comm_timeout_ns", ranks_timeout);
    if ((ranks_tp == NULL && ranks_pp == NULL) || count_processes() == 1) {
        check(p, llminf_context_open(out, model, options, &error), &error);
        return;
    }
    open_table(p, &comm);
    if (comm.rank > 0)
        serve(p, model, &comm, options);
    status = llminf_context_open_parallel(out, model, &comm, options, &error);
    if (status < 0)
        comm.close(comm.state);
    check(p, status, &error);
}
