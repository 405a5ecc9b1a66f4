/* llminf/comm.h - what a communicator plug-in provides: how the ranks of a context that is spread over them speak.
 *
 * A table of functions moves bytes between ranks; it adds no numbers. The library sums what was gathered in its own fixed
 * order, so the bits of a result hang on no transport. Who fills a table sets `size` to its own sizeof; slots are only ever
 * appended, and what lies behind `size` counts as NULL.
 *
 * - Each rank has a table and a state of its own. One thread at a time calls a rank's slots, not always the same one; `fail`
 *   alone may be called beside another call. Ranks call from threads or processes of their own, at the same time.
 * - The collective slots (all_gather, broadcast, group_gather, window) are called by each rank that takes part, with the
 *   same numbers in the same order. Between two ranks, messages of send and of broadcast arrive in the order in which they
 *   were sent; there are no tags, and the receiver knows the size.
 * - A call returns when its memory may be used again. `send`, and `broadcast` at its root, take at least one message for
 *   each receiver without waiting until that receiver asks for it.
 * - Times are nanoseconds. Every wait ends at timeout_ns (>= 0) at the latest, also if a rank died; -1 is not used.
 * - LLMINF_OK, or an error: LLMINF_E_COMM if a rank failed or did not answer in time, LLMINF_E_MEMORY, LLMINF_E_IO. After
 *   an error of a slot only fail, lost and close are called (`window` apart: see there).
 * - No slot ends the process, changes its signal handlers, or throws. */
#ifndef LLMINF_COMM_H
#define LLMINF_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LLMINF_COMM_ABI = 1 };

typedef struct llminf_comm {
    size_t size;      /* bytes of this table, by its filler's sizeof */
    int32_t abi;      /* LLMINF_COMM_ABI */
    int32_t rank;     /* own number, 0 .. n_ranks - 1 */
    int32_t n_ranks;  /* 1 and more; the same on every rank */
    int32_t reserved; /* 0 */
    void *state;      /* first argument of every slot; owned by the transport until close */

    /* out[i * bytes ...]: what rank i gave as `in`; out has n_ranks * bytes and does not overlap `in`. */
    llminf_status (*all_gather)(void *state, const void *in, size_t bytes, void *out, int64_t timeout_ns);
    /* data[bytes] of rank `root` goes to the data of every rank. */
    llminf_status (*broadcast)(void *state, int32_t root, void *data, size_t bytes, int64_t timeout_ns);
    /* One message to, or from, another rank. A message of another size than `bytes` is LLMINF_E_COMM. */
    llminf_status (*send)(void *state, int32_t to, const void *data, size_t bytes, int64_t timeout_ns);
    llminf_status (*receive)(void *state, int32_t from, void *data, size_t bytes, int64_t timeout_ns);
    /* Ends the waits of all ranks with LLMINF_E_COMM, as far as they can be reached; returns at once. */
    void (*fail)(void *state);
    /* Releases the rank's state; the last call. Does not wait for ranks that are lost. */
    void (*close)(void *state);

    /* all_gather among ranks first .. first + count - 1, the caller one of them: out has count * bytes. NULL: a context has
     * one pipeline stage. */
    llminf_status (*group_gather)(void *state, int32_t first, int32_t count, const void *in, size_t bytes, void *out,
                                  int64_t timeout_ns);
    /* Memory that these ranks share, zeroed, aligned to 64: base_out[i] is the part of rank first + i, `bytes` long, mapped
     * until close. It is coherent: C11 atomics work across ranks. An error other than LLMINF_E_COMM means that there is
     * none for this rank, and harms nothing else. NULL: no shared memory. */
    llminf_status (*window)(void *state, int32_t first, int32_t count, size_t bytes, void **base_out, int64_t timeout_ns);
    /* After an error: the rank that did not answer or failed; -1 if it is not known. NULL: it never is. */
    int32_t (*lost)(void *state);
} llminf_comm;

/* ---- a model that ranks share ------------------------------------------------------------------------------------
 *
 * Each rank opens the same model. Rank 0 opens a context over them and is the host's; the others serve. Each keeps in memory
 * what is its part alone. The ranks are tensor_parallel x pipeline_parallel, and come to these calls within comm_timeout_ns of
 * one another. The outcome has the same bits for any number of ranks. */

struct llminf_context;
struct llminf_model;
struct llminf_options;

/* Rank 0: a context as of llminf_context_open, with the options "tensor_parallel", "pipeline_parallel" and "comm_timeout_ns";
 * "kv_budget_bytes" is of each rank. Waits until all ranks are ready. The table is copied, and closed with the context; after
 * an error it is still the caller's to close. A rank that is lost or fails later ends the generations of all sessions with
 * LLMINF_E_COMM, and each that is asked for from then on; their tokens can still be read and saved. OPTION for a model that
 * cannot be shared so; COMM with the rank and its text; else as llminf_context_open. */
LLMINF_API llminf_status llminf_context_open_parallel(struct llminf_context **out, struct llminf_model *model,
                                                      const llminf_comm *comm, const struct llminf_options *options,
                                                      llminf_error *error);

/* Any other rank: computes its part until rank 0 closes its context, then LLMINF_OK. Of the options, kind "context", count
 * "backend", "threads", "spin_ns", "kv_prefault", "comm_timeout_ns", and "kv_budget_bytes" as the most that its part may take;
 * the others are rank 0's. COMM if a rank is lost, another model is open there, or what comes is wrong. The table stays the
 * caller's to close. */
LLMINF_API llminf_status llminf_comm_serve(struct llminf_model *model, const llminf_comm *comm,
                                           const struct llminf_options *options, llminf_error *error);

#ifdef __cplusplus
}
#endif

#endif
