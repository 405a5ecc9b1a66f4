/* forward/layout.h - which layers share a block.
 *
 * Layers form groups: a block holds 16 positions of the layers of one group, and a sequence has a table of blocks for each. All
 * blocks have the same bytes, so that one pool serves all groups; the last group of a kind may leave places of its blocks
 * empty. Groups of layers that see all positions come first.
 *
 * With 29 layers that have a window and 5 that have none: one group of the 5, six of 5 of the others, the last with a place to
 * spare. Of all sizes with at most 8 groups that one is taken with which a timeline of the model's length holds least, its
 * empty places counted; where a window saves nothing all layers are one group that sees all. */
#ifndef LLI_FORWARD_LAYOUT_H
#define LLI_FORWARD_LAYOUT_H

#include <stdint.h>

#include "base/limits.h"
#include "kv/pool.h"
#include "model/config.h"
#include "base/slice.h"

struct lli_layout {
    uint32_t n_groups, n_places;      /* places of a block, one for each layer of a group */
    uint32_t windows[LLI_GROUPS_MAX]; /* positions that a group's layers see; 0: all */
    uint8_t groups[LLI_MAX_LAYERS];   /* of each layer */
    uint16_t places[LLI_MAX_LAYERS];
};

void lli_layout_find(struct lli_layout *out, const struct lli_config *config);

/* Of a model's layout, what a stage with these layers needs, which are counted from its first then. Its groups stay those of
 * the model, so that all stages go by one plan; a block has a place for each layer that the stage has of a group. */
void lli_layout_narrow(struct lli_layout *layout, struct lli_span layers);

#endif
