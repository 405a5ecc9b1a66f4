/* forward/tiles.c - see tiles.h. */
#include "forward/tiles.h"

#include "backend/kernels.h"

enum {
    QUERIES = 64, /* of a tile: K and V of a split are used that often before they leave the cache */
    PARTS = 32,   /* and more for each worker */
    PARTS_EACH = 8,
    MIN_WINDOW = 2,        /* splits: with fewer at a time spreading gains nothing */
    PIECES = 4,            /* that a worker should find, so that all end together */
    QUERIES_OF_A_READ = 8, /* as many queries of a split cost as much as reading it */
    MAX_RUN = 8
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t group_of(const struct lli_config *config)
{
    return config->n_kv_heads > 0 ? config->n_heads / config->n_kv_heads : 1; /* a rank may own no head */
}

static uint32_t rows_of(const struct lli_config *config)
{
    size_t rows = QUERIES / group_of(config);
    return rows > 0 ? (uint32_t)rows : 1;
}

size_t lli_tile_queries(const struct lli_config *config)
{
    return rows_of(config) * group_of(config);
}

size_t lli_tile_parts(size_t n_workers)
{
    return PARTS + PARTS_EACH * n_workers;
}

/* ---- cutting: at multiples of the tile's rows, so that the rows of one page are stored by one worker */

static void measure(struct lli_tile *tile, const struct lli_plan *plan, const struct lli_config *config, uint32_t window)
{
    uint32_t first = plan->rows[tile->first_row].pos;
    size_t end = lli_tiles_end(plan, config, &plan->rows[tile->first_row + tile->n_rows - 1]);
    first = window > 0 && first >= window ? first + 1 - window : 0;
    tile->first_split = first / LLI_SPLIT_TOKENS;
    tile->n_splits = (uint32_t)((end - 1) / LLI_SPLIT_TOKENS) + 1 - tile->first_split;
}

static uint32_t cut(struct lli_tile *tiles, const struct lli_plan *plan, const struct lli_config *config, uint32_t window)
{
    uint32_t n = 0, most = rows_of(config);
    for (uint32_t row = 0; row < plan->n_rows; row++) {
        const struct lli_row *r = &plan->rows[row];
        struct lli_tile *last = &tiles[n > 0 ? n - 1 : 0];
        if (n > 0 && last->seq == r->seq && plan->rows[last->first_row].pos / most == r->pos / most && last->n_rows < most)
            last->n_rows++;
        else
            tiles[n++] = (struct lli_tile){.seq = r->seq, .first_row = row, .n_rows = 1};
    }
    for (uint32_t i = 0; i < n; i++)
        measure(&tiles[i], plan, config, window);
    return n;
}

/* ---- which are spread */

static uint64_t cost(const struct lli_tile *tile, const struct lli_config *config)
{
    return tile->n_splits * (uint64_t)(tile->n_rows * group_of(config) + QUERIES_OF_A_READ);
}

/* Worth reading K and V for, whatever the order in memory: its heads are pieces of their own. */
static int is_large(const struct lli_tile *tile, const struct lli_config *config)
{
    return tile->n_rows * group_of(config) >= QUERIES / 2;
}

static void swap(struct lli_tile *a, struct lli_tile *b)
{
    struct lli_tile t = *a;
    *a = *b;
    *b = t;
}

/* Spread are tiles of which one piece, walked, is more than a worker's fair share. They go to the end. */
static void part(struct lli_tiling *out, struct lli_tile *tiles, uint32_t n, const struct lli_config *config, size_t n_workers)
{
    uint64_t all = 0;
    size_t room = lli_tile_parts(n_workers) / MIN_WINDOW;
    out->n_walked = n;
    for (uint32_t i = 0; i < n; i++)
        all += cost(&tiles[i], config);
    for (uint32_t i = n; i-- > 0 && n_workers > 1;) {
        uint64_t pieces = is_large(&tiles[i], config) ? config->n_kv_heads : 1;
        if (tiles[i].n_splits < MIN_WINDOW || cost(&tiles[i], config) * PIECES * n_workers <= all * pieces ||
            out->n_spread_rows + tiles[i].n_rows > room)
            continue;
        tiles[i].spread_row = out->n_spread_rows;
        out->n_spread_rows += tiles[i].n_rows;
        swap(&tiles[i], &tiles[--out->n_walked]);
    }
    out->n_spread = n - out->n_walked;
}

/* Heads of a piece, so that n tiles or splits make enough pieces. */
static uint32_t heads_of(const struct lli_config *config, size_t n, size_t n_pieces)
{
    size_t heads = n * config->n_kv_heads / n_pieces;
    return heads < 1 ? 1 : (uint32_t)min_size(heads, config->n_kv_heads);
}

static void set_windows(struct lli_tiling *out, struct lli_tile *tiles, const struct lli_config *config, size_t n_workers)
{
    size_t longest = 0, splits = 0, n_pieces = 2 * PIECES * n_workers, heads, run;
    out->window = (uint32_t)(lli_tile_parts(n_workers) / out->n_spread_rows);
    for (uint32_t i = 0; i < out->n_spread; i++) {
        longest = tiles[i].n_splits > longest ? tiles[i].n_splits : longest;
        splits += min_size(tiles[i].n_splits, out->window);
    }
    out->window = (uint32_t)min_size(out->window, longest);
    out->n_windows = (uint32_t)((longest + out->window - 1) / out->window);
    heads = heads_of(config, splits, n_pieces);
    run = min_size(MAX_RUN, splits * config->n_kv_heads / heads / n_pieces);
    out->run = run > 0 ? (uint32_t)run : 1;
    out->n_runs = (out->window + out->run - 1) / out->run;
    for (uint32_t i = 0; i < out->n_spread; i++)
        tiles[i].heads = (uint32_t)heads;
}

void lli_tiles_cut(struct lli_tiling *out, struct lli_tile *tiles, const struct lli_plan *plan, const struct lli_config *config,
                   uint32_t window, size_t n_workers)
{
    *out = (struct lli_tiling){.tiles = tiles};
    part(out, tiles, cut(tiles, plan, config, window), config, n_workers);
    for (uint32_t i = 0; i < out->n_walked; i++)
        tiles[i].heads = is_large(&tiles[i], config) ? 1 : heads_of(config, out->n_walked, PIECES * n_workers);
    if (out->n_spread > 0)
        set_windows(out, tiles + out->n_walked, config, n_workers);
}
