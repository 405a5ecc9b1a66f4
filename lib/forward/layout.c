/* forward/layout.c - see layout.h. */
#include "forward/layout.h"

/* What a window holds beyond what it sees: the rows of a step, and a block that is seen in part. */
#define SLACK (3 * (uint64_t)LLI_BLOCK_TOKENS)

static uint32_t groups_of(uint32_t n_layers, uint32_t n_places)
{
    return (n_layers + n_places - 1) / n_places;
}

/* Places for positions that a timeline of the model's length holds, empty places too, in groups of n layers. 0: too many
 * groups. */
static uint64_t price(const struct lli_config *c, uint32_t n_global, uint32_t n_local, uint32_t n)
{
    uint64_t length = c->train_length, seen = c->window + SLACK;
    uint32_t n_wide = groups_of(n_global, n), n_narrow = groups_of(n_local, n);
    if (n_wide + n_narrow > LLI_GROUPS_MAX)
        return 0;
    return n * (n_wide * length + n_narrow * (seen < length ? seen : length));
}

/* The layers of a group that hold least; of equal ones the most, which makes the fewest groups. 0: a window would save
 * nothing. */
static uint32_t find_places(const struct lli_config *c, uint32_t n_global, uint32_t n_local)
{
    uint64_t least = (uint64_t)c->n_layers * c->train_length;
    uint32_t found = 0;
    for (uint32_t n = c->n_layers; n_local > 0 && n > 0; n--) {
        uint64_t held = price(c, n_global, n_local, n);
        if (held > 0 && held < least) {
            least = held;
            found = n;
        }
    }
    return found;
}

void lli_layout_find(struct lli_layout *out, const struct lli_config *config)
{
    uint32_t n_local = 0, n_seen[2] = {0};
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        n_local += (uint32_t)lli_config_is_local(config, layer);
    uint32_t n_global = config->n_layers - n_local, n_places = find_places(config, n_global, n_local);
    int is_split = n_places > 0;
    uint32_t n_wide = is_split ? groups_of(n_global, n_places) : 1;
    *out = (struct lli_layout){.n_groups = n_wide, .n_places = is_split ? n_places : config->n_layers};
    for (uint32_t layer = 0; layer < config->n_layers; layer++) {
        int is_local = is_split && lli_config_is_local(config, layer);
        uint32_t i = n_seen[is_local]++;
        out->groups[layer] = (uint8_t)((is_local ? n_wide : 0) + i / out->n_places);
        out->places[layer] = (uint16_t)(i % out->n_places);
    }
    for (uint32_t i = 0; is_split && i < groups_of(n_local, n_places); i++)
        out->windows[out->n_groups++] = config->window;
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
