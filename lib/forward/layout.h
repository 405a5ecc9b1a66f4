/* forward/layout.h - which layers share a block.
 *
 * Layers form groups: a block holds 16 positions of the layers of one group, and a sequence has a table of blocks for each. All
 * blocks have the same bytes, so that one pool serves all groups; the last group of a kind may leave places of its blocks
 * empty. Groups of layers that see all positions come first. */
#ifndef LLI_FORWARD_LAYOUT_H
#define LLI_FORWARD_LAYOUT_H

#include <stdint.h>

#include "base/limits.h"
#include "kv/pool.h"
#include "model/config.h"

struct lli_layout {
    uint32_t n_groups, n_places;      /* places of a block, one for each layer of a group */
    uint32_t windows[LLI_GROUPS_MAX]; /* positions that a group's layers see; 0: all */
    uint8_t groups[LLI_MAX_LAYERS];   /* of each layer */
    uint16_t places[LLI_MAX_LAYERS];
};

void lli_layout_find(struct lli_layout *out, const struct lli_config *config);

#endif
