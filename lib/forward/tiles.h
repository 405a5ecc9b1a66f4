/* forward/tiles.h - how the rows of a step are cut for attention.
 *
 * A tile is some neighbouring rows of one sequence: they see about the same of K and V, which is read once for all of them. A
 * split is 256 positions. Tiles come in two kinds, and which is which changes no bit:
 *
 *     walked    a worker takes a tile and some heads of K and V through all splits, merging as it goes
 *     spread    a tile that would keep one worker busy while the others wait: its splits are computed side by side, in any
 *               order, and merged afterwards. Between the two lie parts, (m, l, o) of a row and a split; as there is room for
 *               a fixed number of them, a long context goes through in windows of splits. */
#ifndef LLI_FORWARD_TILES_H
#define LLI_FORWARD_TILES_H

#include <stddef.h>
#include <stdint.h>

#include "forward/batch.h"
#include "model/config.h"

struct lli_tile {
    uint32_t seq, first_row, n_rows;
    uint32_t first_split, n_splits; /* of all its rows */
    uint32_t heads;                 /* of K and V that one worker takes: in a page they stand behind one another */
    uint32_t spread_row;            /* spread: number of its first row among the spread ones */
};

struct lli_tiling {
    const struct lli_tile *tiles; /* first those that are walked, then those that are spread */
    uint32_t n_walked, n_spread, n_spread_rows;
    uint32_t window, n_windows; /* splits of a spread tile that have parts at a time; how many times */
    uint32_t run, n_runs;       /* splits of a window that one worker takes on end; how many of them */
};

/* The position behind the last that a row sees: behind itself, or behind its sequence's last row, which the step has whole. */
static inline size_t lli_tiles_end(const struct lli_plan *plan, const struct lli_config *config, const struct lli_row *r)
{
    if (config->is_bidirectional) {
        const struct lli_seq *seq = &plan->seqs[r->seq];
        r = &plan->rows[seq->first_row + seq->n_rows - 1];
    }
    return (size_t)r->pos + 1;
}

/* Queries of a tile and one head of K and V, at most. */
size_t lli_tile_queries(const struct lli_config *config);

/* Parts that there is room for. */
size_t lli_tile_parts(size_t n_workers);

/* tiles: memory for as many tiles as the plan has rows. window: of the layers that these are for; 0: none. */
void lli_tiles_cut(struct lli_tiling *out, struct lli_tile *tiles, const struct lli_plan *plan, const struct lli_config *config,
                   uint32_t window, size_t n_workers);

#endif
