/* forward/forward.h - one step: a plan in, logits out. Owns the bytes of K and V and the scratch memory.
 *
 * Nothing above this header touches weights, K, V or activations. A GPU is later a second implementation of it. */
#ifndef LLI_FORWARD_FORWARD_H
#define LLI_FORWARD_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/workers.h"
#include "forward/batch.h"
#include "model/config.h"
#include "model/weights.h"

struct llminf_error;
struct lli_backend;
struct lli_adapter;
struct lli_comm;
struct lli_forward;

enum lli_kv_type { LLI_KV_F16, LLI_KV_F32, LLI_KV_Q8_0 };

struct lli_forward_options {
    const struct lli_backend *backend; /* from backend/registry.h */
    struct lli_workers *workers;       /* outlives the forward */
    int kv_type;                       /* enum lli_kv_type */
    uint32_t n_blocks;                 /* KV blocks, the null block included */
    uint32_t max_rows;                 /* rows of a plan at most */
    uint32_t max_logits;               /* rows with logits at most */
    uint32_t max_pos;                  /* positions are below this */
    int prefault;                      /* take the memory of all blocks from the system now */
    struct lli_comm *comm;             /* of weights that are a slice: to the other ranks; room for sums is reserved */
};

/* Bytes of one block: 16 positions of K and V, all layers; or those layers and heads that a rank has. 0 if it does not fit a
 * size_t. */
size_t lli_forward_block_bytes(const struct lli_config *config, int kv_type);
size_t lli_forward_slice_bytes(const struct lli_config *config, const struct lli_slice *slice, int kv_type);

/* Bytes that a forward takes: the KV pool, and all else; of that the rows of logits. */
struct lli_forward_size {
    size_t kv_bytes, scratch_bytes, logits_bytes;
};

/* Of the options the numbers and the type count, with n_workers for the workers. weights NULL: without its vectors. 0, or -1:
 * it does not fit a size_t. */
int lli_forward_size(struct lli_forward_size *out, const struct lli_config *config, const struct lli_weights *weights,
                     const struct lli_forward_options *options, int n_workers);

/* Reserves everything; a step allocates nothing. config, of the whole model, and weights, which may be a slice, outlive it. NaN
 * or Inf in weights that every token meets (norms, scales) is NUMERIC here or at the first token. */
int32_t lli_forward_new(struct lli_forward **out, struct lli_heap *heap, const struct lli_config *config,
                        const struct lli_weights *weights, const struct lli_forward_options *options, struct llminf_error *err);
void lli_forward_free(struct lli_forward *f); /* NULL does nothing */

/* Bytes held: the KV pool, and all else. */
size_t lli_forward_kv_bytes(const struct lli_forward *f);
size_t lli_forward_scratch_bytes(const struct lli_forward *f);

/* The adapter, ready for sequences of this forward's plans; it holds a reference on it. Any thread, also while a plan runs.
 * unseat: not while a plan has it. UNSUPPORTED where ranks share the model; MEMORY, NUMERIC. */
int32_t lli_forward_seat(struct lli_seat **out, struct lli_forward *f, struct lli_adapter *adapter, struct llminf_error *err);
void lli_forward_unseat(struct lli_seat *seat);

/* Nobody needs the bytes of this block: its pages may go back to the system. Not while a plan with it runs. */
void lli_forward_forget(struct lli_forward *f, uint32_t block);

/* The bytes of a block as they are saved: layer by layer K, then V, head by head, the same on every backend and for every
 * number of threads; of a slice, how many those of the whole model are, and no more. For a block all of whose positions are
 * stored, and that no step writes meanwhile. */
size_t lli_forward_saved_bytes(const struct lli_forward *f);
void lli_forward_save_block(const struct lli_forward *f, uint32_t block, void *out);
void lli_forward_load_block(struct lli_forward *f, uint32_t block, const void *bytes);

/* Computes the plan. Every sequence gets its status; the others are not harmed by one that fails. Of several ranks each runs
 * the same plan, and a sequence has failed where one of them says so; if the communicator has an error, nothing counts. */
void lli_forward_run(struct lli_forward *f, struct lli_plan *plan);

/* After a run: n_vocab logits of the i-th row flagged LOGITS, in the plan's order; of a slice of the last stage, those of its
 * rows of the LM head. Valid until the next run. */
const float *lli_forward_logits(const struct lli_forward *f, uint32_t i);

#endif
