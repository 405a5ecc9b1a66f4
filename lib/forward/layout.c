/* forward/layout.c - see layout.h. */
#include "forward/layout.h"

void lli_layout_find(struct lli_layout *out, const struct lli_config *config)
{
    *out = (struct lli_layout){.n_groups = 1, .n_places = config->n_layers};
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        out->places[layer] = (uint16_t)layer;
}
