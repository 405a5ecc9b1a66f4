/* forward/layout.c - see layout.h. */
#include "forward/layout.h"

void lli_layout_find(struct lli_layout *out, const struct lli_config *config)
{
    *out = (struct lli_layout){.n_groups = 1, .n_places = config->n_layers};
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        out->places[layer] = (uint16_t)layer;
}

void lli_layout_narrow(struct lli_layout *layout, struct lli_span layers)
{
    uint16_t n[LLI_GROUPS_MAX] = {0};
    layout->n_places = 0;
    for (uint32_t i = 0; i < layers.n; i++) {
        layout->groups[i] = layout->groups[layers.first + i];
        layout->places[i] = n[layout->groups[i]]++;
        if (layout->n_places <= layout->places[i])
            layout->n_places = layout->places[i] + 1u;
    }
}
