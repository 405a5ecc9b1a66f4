/* model/packing.h - the matrices of a model in the layouts of backend/pack.h, made once for each number of lanes and kept as
 * long as the model. Vectors stay the file's. */
#ifndef LLI_MODEL_PACKING_H
#define LLI_MODEL_PACKING_H

#include <pthread.h>
#include <stdint.h>

#include "base/workers.h"
#include "file/mapping.h"
#include "model/config.h"
#include "model/weights.h"

struct llminf_error;
struct lli_packing;

/* Packs the matrices of `file` for `lanes` rows a group into memory of out's own; a tied output shares the embedding's. Pages
 * of `mapping` (NULL: none) are released behind it. Progress is told on the calling thread, rising, 1 at the end. NUMERIC
 * with the name of the first tensor that is not finite, CALLBACK, MEMORY: then out is zero. To be finished with
 * lli_weights_finish. */
int32_t lli_packing_make(struct lli_weights *out, struct lli_heap *heap, const struct lli_config *config,
                         const struct lli_weights *file, const struct lli_mapping *mapping, uint32_t lanes,
                         struct lli_workers *workers, const struct lli_progress *progress, struct llminf_error *err);

/* The packings of a model. */
struct lli_packings {
    struct lli_heap *heap;
    pthread_mutex_t lock; /* held while one is made: who asks for the same meanwhile waits for it */
    int has_lock;
    struct lli_packing *newest;
};

/* What a model's packings are made from. */
struct lli_packing_source {
    const struct lli_config *config; /* these outlive the packings */
    const struct lli_weights *file;
    const struct lli_mapping *mapping;
};

int32_t lli_packings_init(struct lli_packings *packings, struct lli_heap *heap, struct llminf_error *err);
void lli_packings_finish(struct lli_packings *packings); /* accepts a zeroed struct */

/* The weights for so many lanes: the file's for 1, else packed, by n_threads threads that end with the call, unless they were
 * before. Any thread. The errors of lli_packing_make, or IO for a thread. Nothing is kept of one that fails. */
int32_t lli_packings_take(const struct lli_weights **out, struct lli_packings *packings,
                          const struct lli_packing_source *source, uint32_t lanes, int n_threads,
                          const struct lli_progress *progress, struct llminf_error *err);

#endif
