/* model/packing.h - the matrices of a model in the layouts of backend/pack.h. Vectors stay the file's.
 *
 * The pages of the file's bytes are released as they are packed. Where they are lost by that (file/files.h), the file's rows
 * come out of the packing again, to the bit: before another packing is made, or when they are wanted as they are. */
#ifndef LLI_MODEL_PACKING_H
#define LLI_MODEL_PACKING_H

#include <stddef.h>
#include <stdint.h>

#include "base/workers.h"
#include "file/files.h"
#include "model/config.h"
#include "model/weights.h"

struct llminf_error;

struct lli_packing_source {
    const struct lli_config *config;
    const struct lli_weights *file;
    const struct lli_files *files; /* their pages are released; NULL: none are */
    const struct lli_weights *older;   /* a packing that has what was lost of the file; NULL: nothing was */
};

/* Packs the matrices of the source's file for `lanes` rows a group into memory of out's own; a tied output shares the
 * embedding's. Of a slice (model/sliced.h) tables stay where they are, and the output is a matrix of its own. Progress is told
 * on the calling thread, rising, 1 at the end. NUMERIC with the name of the first tensor that is not finite, CALLBACK, MEMORY:
 * then out is zero, and the file's matrices are there as far as they were before. To be finished with lli_weights_finish. */
int32_t lli_packing_make(struct lli_weights *out, struct lli_heap *heap, const struct lli_packing_source *source,
                         uint32_t lanes, struct lli_workers *workers, const struct lli_progress *progress,
                         struct llminf_error *err);

/* Bytes of such a packing: of its matrices, and of all that it holds. MEMORY. */
int32_t lli_packing_bytes(size_t *matrices_out, size_t *all_out, struct lli_heap *heap, const struct lli_packing_source *source,
                          uint32_t lanes, struct llminf_error *err);

/* Writes the file's matrices anew out of the older packing. MEMORY. */
int32_t lli_packing_restore(struct lli_heap *heap, const struct lli_packing_source *source, struct lli_workers *workers,
                            struct llminf_error *err);

#endif
