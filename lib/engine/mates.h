/* engine/mates.h - ranks that are threads of this process. */
#ifndef LLI_ENGINE_MATES_H
#define LLI_ENGINE_MATES_H

#include <stdint.h>

#include "engine/worker.h"

struct lli_mates;

/* A thread for each of tables[n], which it serves and then closes; the options' CPUs are those of rank 0 too, and are shared
 * out. What the options point to outlives them. IO, MEMORY: then those that were started have ended, and all tables are
 * closed. */
int32_t lli_mates_start(struct lli_mates **out, const struct lli_worker_options *options, const struct llminf_comm *tables,
                        int32_t n, struct llminf_error *err);

/* Waits for their end, which comes by itself. NULL does nothing. */
void lli_mates_join(struct lli_mates *mates);

#endif
