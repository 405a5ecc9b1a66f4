/* api/parallel.h - a context whose model is shared by ranks. */
#ifndef LLI_API_PARALLEL_H
#define LLI_API_PARALLEL_H

#include "api/handles.h"
#include "llminf/comm.h"

struct lli_packing_source lli_context_source(const struct llminf_model *model);

/* The weights of the draft model, if the options have one: nobody is told of its packing. */
llminf_status lli_context_take_draft(struct lli_engine_options *options, struct llminf_context *context, llminf_error *err);

/* The same as llminf_context_open; comm NULL: ranks, if the options ask for several, are threads of this process. */
llminf_status lli_context_open_over(llminf_context **out, llminf_model *model, const llminf_comm *comm,
                                    const llminf_options *options, llminf_error *error);

/* Opens the engine over the ranks of comm, or over as many threads: settled options, but for the weights. */
llminf_status lli_parallel_engine(struct llminf_context *context, struct lli_engine_options *options, const llminf_comm *comm,
                                  const struct lli_progress *progress, llminf_error *err);

#endif
