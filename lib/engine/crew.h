/* engine/crew.h - rank 0 of a model that ranks share: it tells them each plan, computes its own part and gathers the logits.
 *
 * The others run engine/worker.h. One plan is under way at a time. While there is none, a thread tells the others from time to
 * time that rank 0 is there, so that each knows within its limit who is lost, and a host may take its time between steps.
 *
 * Invariant: the communicator is its lock's; after the first error of it nothing is computed any more. */
#ifndef LLI_ENGINE_CREW_H
#define LLI_ENGINE_CREW_H

#include <pthread.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "engine/division.h"
#include "engine/executor.h"
#include "engine/mates.h"
#include "engine/meeting.h"
#include "engine/wire.h"
#include "parallel/comm.h"

struct lli_forward;

struct lli_crew {
    struct lli_heap *heap;
    const struct lli_config *config;
    struct lli_wire_hello hello;
    struct lli_comm comm;
    struct lli_meeting meeting;
    struct lli_mates *mates; /* ranks that are threads here; NULL: none */
    int owns_table;          /* its close is called */

    struct lli_forward *forward; /* rank 0's part; the engine's */
    struct lli_buffer message;
    uint8_t *result; /* of a rank */
    float *part;     /* [max_logits, widest slice] of a rank; NULL: none is narrower than the vocabulary */
    float *logits;   /* [max_logits, n_vocab]; NULL: all are in the forward */
    uint64_t number; /* of the last plan */

    pthread_t pulse;
    pthread_mutex_t lock;
    pthread_cond_t stop; /* on the monotonic clock */
    int has_lock, has_pulse, is_stopping;
    int64_t told_ns; /* when the others heard something last */
};

/* Greets the ranks of the table: they begin to get ready, as this one now does. config and table.state outlive it. hello:
 * its timeout_ns is that between steps. COMM, MEMORY, IO. */
int32_t lli_crew_new(struct lli_crew **out, struct lli_heap *heap, const struct lli_config *config,
                     const struct llminf_comm *table, const struct lli_wire_hello *hello, struct llminf_error *err);

/* This rank is ready, or failed: `status` with *err. Waits for the others: 0, and the crew computes plans with the forward; the
 * own error; or COMM with that of another rank. err is not NULL. */
int32_t lli_crew_meet(struct lli_crew *crew, struct lli_forward *forward, int32_t status, struct llminf_error *err);

/* The communicator of the forward. */
static inline struct lli_comm *lli_crew_comm(struct lli_crew *crew)
{
    return &crew->comm;
}

/* Final hidden states come about on rank 0 too. */
static inline int lli_crew_ends_here(const struct lli_crew *crew)
{
    return crew->hello.division.pp == 1;
}

/* What computes plans; after meet. */
void lli_crew_executor(struct lli_executor *out, struct lli_crew *crew);

/* Sends the others home, waits for those that are threads here, and closes the table if that is the crew's. NULL does nothing.
 * The forward is not used any more. */
void lli_crew_free(struct lli_crew *crew);

#endif
