/* model/packings.h - the packings of a model: one for each number of lanes and each slice, made when it is first wanted and
 * kept as long as the model; and who uses the file's rows as they are. */
#ifndef LLI_MODEL_PACKINGS_H
#define LLI_MODEL_PACKINGS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "model/packing.h"

struct llminf_error;
struct lli_packing;

struct lli_packings {
    struct lli_heap *heap;
    pthread_mutex_t lock; /* held while one is made: who asks for the same meanwhile waits for it */
    int has_lock;
    struct lli_packing *newest, *newest_slice; /* of the whole model; of a rank's part */
    int is_lost;                               /* of the file's matrices pages were lost; the packings have them */
    int n_holds; /* of the file's matrices, counted where pages can be lost: none are released meanwhile */
};

int32_t lli_packings_init(struct lli_packings *packings, struct lli_heap *heap, struct llminf_error *err);
void lli_packings_finish(struct lli_packings *packings); /* accepts a zeroed struct */

/* The weights for so many lanes: the file's for 1, held for ever, else packed, by n_threads threads that end with the call,
 * unless they were before. Any thread. The errors of lli_packing_make, or IO for a thread. Nothing is kept of one that
 * fails. What the source points to outlives the packings; `older` is not looked at. */
int32_t lli_packings_take(const struct lli_weights **out, struct lli_packings *packings,
                          const struct lli_packing_source *source, uint32_t lanes, int n_threads,
                          const struct lli_progress *progress, struct llminf_error *err);

/* The same for what a rank holds. The embedding stays the file's, whose matrices are held for ever where pages can be lost.
 * Also the errors of lli_sliced_weights. */
int32_t lli_packings_take_slice(const struct lli_weights **out, struct lli_packings *packings,
                                const struct lli_packing_source *source, const struct lli_slice *slice, uint32_t lanes,
                                int n_threads, const struct lli_progress *progress, struct llminf_error *err);

/* Bytes of matrices that weights for so many lanes have, and of heap that the first take of them keeps. MEMORY. */
int32_t lli_packings_bytes(size_t *matrices_out, size_t *heap_out, struct lli_heap *heap,
                           const struct lli_packing_source *source, uint32_t lanes, struct llminf_error *err);

/* From here on the file's matrices are as the file has them, until let_go is called as often. MEMORY, or IO for a thread. */
int32_t lli_packings_hold(struct lli_packings *packings, const struct lli_packing_source *source, int n_threads,
                          struct llminf_error *err);
void lli_packings_let_go(struct lli_packings *packings, const struct lli_packing_source *source);

#endif
