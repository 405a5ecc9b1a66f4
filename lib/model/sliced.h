/* model/sliced.h - a model as one rank of several sees it: a smaller network whose matrices are parts of the whole one's.
 *
 * Rows and columns are cut by what the sides of a role mean, so no family is named here. What is not cut is whole: norms, the
 * router, biases that are added after a sum, and the embedding, which is read where the file's bytes are. */
#ifndef LLI_MODEL_SLICED_H
#define LLI_MODEL_SLICED_H

#include <stdint.h>

#include "base/alloc.h"
#include "model/config.h"
#include "model/weights.h"
#include "base/slice.h"

struct llminf_error;

/* What lli_slice_make asks for. */
struct lli_slice_sizes lli_sliced_sizes(const struct lli_config *config);

/* The numbers of the slice: its layers, heads, widths and rows of logits. */
void lli_sliced_config(struct lli_config *out, const struct lli_config *config, const struct lli_slice *slice);

/* The file's weights, narrowed; their bytes stay the file's. UNSUPPORTED for a network that cannot be cut so, MEMORY. To be
 * finished with lli_weights_finish. */
int32_t lli_sliced_weights(struct lli_weights *out, struct lli_heap *heap, const struct lli_config *config,
                           const struct lli_weights *weights, const struct lli_slice *slice, struct llminf_error *err);

#endif
