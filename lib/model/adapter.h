/* model/adapter.h - a low-rank adapter (LoRA; Hu et al. 2021): what a session has on top of some of a model's matrices,
 *
 *     y = W x + scale * (alpha / rank) * B (A x)        A [rank, n_in], B [n_out, rank]
 *
 * read from a GGUF file of the type "adapter" or a folder of PEFT, and checked against the model. The bytes stay the file's;
 * what a backend multiplies with is packed when it is first wanted and kept as long as the adapter. */
#ifndef LLI_MODEL_ADAPTER_H
#define LLI_MODEL_ADAPTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "file/files.h"
#include "file/gguf.h"
#include "model/config.h"
#include "model/weights.h"

struct llminf_error;

/* Of one matrix of the model. */
struct lli_low_rank {
    struct lli_matrix a, b;
    uint32_t rank;
    double factor; /* alpha / rank */
};

/* All of them for a number of lanes. */
struct lli_low_ranks {
    struct lli_low_ranks *older;
    const uint32_t *index; /* [n_layers * LLI_N_ROLES] by the site of the model's matrix: 1 + place in at; 0: it has none */
    struct lli_low_rank *at;
    uint32_t lanes;
    uint8_t *packed; /* owned; NULL: the data are the file's */
};

struct lli_adapter {
    struct lli_heap *heap;
    _Atomic uint32_t refs;
    int32_t id;           /* the owner's; never used again */
    uint64_t fingerprint; /* tells adapters apart, as that of a model does */
    uint32_t rank;        /* the largest */
    size_t n;             /* matrices of the model that it adds to */
    uint32_t *index;
    struct lli_low_rank *at; /* [n] as in the file */
    struct lli_files files;
    struct lli_gguf gguf;
    pthread_mutex_t lock; /* guards newest; held while a packing is made */
    int has_lock;
    struct lli_low_ranks *newest;
};

struct lli_adapter_options {
    const struct lli_config *config;   /* of the model; outlives the call */
    const struct lli_weights *weights; /* the file's, for their shapes */
    uint32_t rank_limit;
    int64_t header_limit_bytes;
    int load;                            /* enum lli_mapping_mode */
    int verify_all;                      /* NaN and Inf are looked for at once */
    const struct lli_progress *progress; /* NULL: none */
};

/* With one reference. MISMATCH for one of another architecture, layer or shape; LIMIT over rank_limit; UNSUPPORTED with the
 * name of what is not known; NUMERIC; FORMAT, IO, MEMORY, CALLBACK. */
int32_t lli_adapter_open(struct lli_adapter **out, struct lli_heap *heap, const char *path,
                         const struct lli_adapter_options *options, struct llminf_error *err);
void lli_adapter_ref(struct lli_adapter *adapter);
void lli_adapter_unref(struct lli_adapter *adapter); /* NULL does nothing */

/* The pairs for so many lanes, valid as long as the adapter. Any thread. NUMERIC with the tensor that is not finite; MEMORY. */
int32_t lli_adapter_take(const struct lli_low_ranks **out, struct lli_adapter *adapter, uint32_t lanes,
                         struct llminf_error *err);

/* What is added to the model's matrix of that site; NULL: nothing. */
static inline const struct lli_low_rank *lli_adapter_find(const struct lli_low_ranks *all, uint32_t site)
{
    return all->index[site] > 0 ? &all->at[all->index[site] - 1] : NULL;
}

#endif
