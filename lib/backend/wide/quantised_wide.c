/* backend/wide/quantised_wide.c - packed, block-quantised weights against q8 activations.
 *
 * A tile is LLI_GROUPS groups of weight rows x some rows of activations. Codes that are quickly unpacked, and all codes where
 * rows are few, are unpacked as they are used, in registers. Else rows share the unpacking: a chunk of K is expanded to the
 * first level of the cache and used by all of them:
 *
 *     chunk: up to LLI_CHUNK blocks of one or two segments: codes [group][8] word rows ([16] where bytes are doubled), scales
 *     sums:  [row][group] so far     ended: of the segment before     parked: [2][row][group] of the tree (docs/numerics.md)
 *
 * While a tile is worked on, the next one is fetched to the second level of the cache, some lines with each block: memory is
 * then read all the time and never waited for (Zen 4, Q4_0, 16 rows: 355 against 270 Gop/s a core). While a chunk is worked on,
 * the next one is fetched to the first level: expanding waits for what it reads (Zen 5, Q6_K, 16 rows: 4 % more). */
#include "backend/wide/planes.h"
#include "backend/wide/tree.h"

enum {
    ROWS = 192,   /* rows of activations that share an expanded chunk */
    AHEAD = 4096, /* bytes of prefetching on the stream of few rows of activations */
    LINE = 64     /* bytes of a cache line */
};

#define ANY SIZE_MAX

/* ---- a format */

/* What a block adds to a sum. */
struct kind {
    int bits, bias; /* of codes */
    int halves;     /* a scale for each 16 elements */
    int offset;     /* and a term m * sx */
    int minima;     /* and a term minima * m */
};

struct room;

/* Packed bytes that are wanted soon: each block asks for some lines of each group, with so many tiles of activations. */
struct wanted {
    const uint8_t *at[LLI_GROUPS];
    size_t lines, parts;
};

/* What is done with a chunk: n blocks of K from `first` on. */
struct piece {
    size_t first, n;
    size_t left; /* the first `left` go on with a segment; the others are the next one, whose sum is added to it */
    int opens;   /* that segment starts here, from +0 */
    struct wanted next;
};

/* Adds the chunk's blocks to the sums of n_rows rows from `row` on. */
typedef void use_fn(struct room *room, const struct lli_product *p, size_t row, size_t n_rows, const struct piece *piece);

struct format {
    struct kind kind;
    use_fn *use; /* of that kind */
    lli_codes_fn *codes;
    lli_scales_fn *scales;
    size_t direct;                   /* rows of activations, up to which codes are unpacked as they are used (measured) */
    size_t unit;                     /* blocks of a unit */
    size_t header, own, codes_bytes; /* bytes a lane: of a unit, of a block before its planes, of its planes */
};

LLI_INLINE size_t block_bytes(const struct format *f)
{
    return (f->own + f->codes_bytes) * LLI_LANES;
}

LLI_INLINE size_t unit_bytes(const struct format *f)
{
    return f->header * LLI_LANES + f->unit * block_bytes(f);
}

LLI_INLINE size_t group_bytes(const struct format *f, size_t n_blocks)
{
    return n_blocks / f->unit * unit_bytes(f);
}

/* Blocks of the weights' first unit that come before the product's. */
LLI_INLINE size_t skipped(const struct lli_product *p, const struct format *f)
{
    return f->unit == 1 ? 0 : p->subtree.skip;
}

/* Blocks of the weights, whole units of them. */
LLI_INLINE size_t packed_blocks(const struct lli_product *p, const struct format *f)
{
    return (skipped(p, f) + p->n_in / LLI_ACT_BLOCK + f->unit - 1) / f->unit * f->unit;
}

/* ---- adding blocks */

/* The terms of block b, for n_x rows of activations. In an expanded chunk it is block i; doubled is NULL elsewhere. */
LLI_INLINE void add_block(lli_floats (*acc)[LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes,
                          const struct lli_scales *scales, const struct kind *kind, const struct lli_q8 *const x[LLI_TILE],
                          size_t b, int n_x, int n_g, const struct lli_doubled *doubled, size_t i)
{
    lli_floats idot[LLI_TILE][LLI_GROUPS];
    if (doubled && lli_doubles(kind->bits))
        lli_dot_doubled(idot, planes, doubled, i, n_x);
    else if (kind->halves)
        lli_dot_halves(idot, planes, codes, scales, kind->bits, kind->bias, x, b, n_x, n_g);
    else
        lli_dot_whole(idot, planes, codes, kind->bits, kind->bias, x, b, n_x, n_g);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        lli_floats dx = lli_floats_of(x[t][b].d);
        LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            acc[t][g] = lli_floats_fma(idot[t][g], scales[g].d * dx, acc[t][g]);
            if (kind->offset)
                acc[t][g] = lli_floats_fma(scales[g].m, lli_floats_of(x[t][b].sx), acc[t][g]);
            if (kind->minima)
                acc[t][g] =
                    lli_floats_fma(lli_floats_int(lli_words_dot_pairs(scales[g].minima, lli_words_of(x[t][b].minus_sums))),
                                   scales[g].m * dx, acc[t][g]);
        }
    }
}

LLI_INLINE void tile_rows(const struct lli_q8 *x[LLI_TILE], const struct lli_product *p, size_t first, int n_x)
{
    LLI_UNROLL for (int t = 0; t < n_x; t++) x[t] = p->q8 + (first + (size_t)t) * (p->n_in / LLI_ACT_BLOCK);
}

/* Tiles of activations, as equal as can be. */
LLI_INLINE size_t tiles_of(size_t n_rows, const struct kind *kind, int is_expanded)
{
    size_t most = (size_t)lli_dot_tile(kind->bits, kind->halves, kind->offset, is_expanded);
    return (n_rows + most - 1) / most;
}

LLI_INLINE size_t tile_at(size_t i, size_t n_rows, size_t n_tiles)
{
    return i * n_rows / n_tiles;
}

/* ---- what is fetched */

/* To the second level: enough lines are under way without using up the first level's buffers (Zen 4: 20 against 15 GB/s). */
LLI_INLINE void prefetch(const uint8_t *at, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++)
        __builtin_prefetch(at + i * LINE, 0, 2);
}

/* Bytes from `at` on of each group, as many as n blocks have, if `n_parts` tiles of activations ask for them in turn. */
LLI_INLINE struct wanted want(const uint8_t *const groups[LLI_GROUPS], size_t at, size_t n, size_t part, size_t n_parts,
                              const struct format *f)
{
    size_t all = block_bytes(f) / LINE + 1, lines = (all + n_parts - 1) / n_parts;
    struct wanted next = {.lines = lines, .parts = (all + lines - 1) / lines};
    for (int g = 0; g < LLI_GROUPS; g++)
        next.at[g] = groups[g] + at + part * n * lines * LINE;
    return next;
}

/* To this level of the cache: the first where it is used next. */
LLI_INLINE void ask(struct wanted *next, int level)
{
    for (size_t i = 0; i < next->lines; i++)
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            if (level == 1)
                __builtin_prefetch(next->at[g], 0, 3);
            else
                __builtin_prefetch(next->at[g], 0, 2);
            next->at[g] += LINE;
        }
}

/* ---- straight from the packed groups */

/* Where a block stands in the stream of its group. */
struct place {
    size_t b, unit, block;
};

LLI_INLINE void go_on(struct place *at, const struct format *f)
{
    at->block += block_bytes(f);
    if (++at->b % f->unit == 0) {
        at->unit += unit_bytes(f);
        at->block += f->header * LLI_LANES;
    }
}

/* A block of n_g groups. */
LLI_INLINE void add_packed(lli_floats (*acc)[LLI_GROUPS], const uint8_t *const groups[LLI_GROUPS], const struct place *at,
                           const struct lli_q8 *const x[LLI_TILE], int n_x, int n_g, const struct format *f)
{
    const uint8_t *planes[LLI_GROUPS];
    struct lli_scales scales[LLI_GROUPS];
    size_t unit = f->unit == 1 ? at->block - f->header * LLI_LANES : at->unit; /* one number less to keep */
    LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        planes[g] = groups[g] + at->block + f->own * LLI_LANES;
        f->scales(&scales[g], groups[g] + unit, groups[g] + at->block);
    }
    add_block(acc, planes, f->codes, scales, &f->kind, x, 0, n_x, n_g, NULL, 0);
}

/* n_g groups and some rows of activations, of which this is one part of `n_parts`. What is wanted next is `next`, or, if NULL,
 * the bytes ahead on the streams of these groups. */
LLI_INLINE void direct(const struct lli_product *p, const struct lli_subtree *subtree, const uint8_t *const groups[LLI_GROUPS],
                       size_t o, size_t n_o, size_t row, int n_x, int n_g, const struct wanted *next, const struct format *f)
{
    const struct lli_q8 *x[LLI_TILE];
    lli_floats acc[LLI_TILE][LLI_GROUPS], parked[3][LLI_TILE][LLI_GROUPS];
    size_t skip = f->unit == 1 ? 0 : subtree->skip, n = lli_subtree_segments(subtree), s = 0;
    struct place at = {.b = skip, .block = f->header * LLI_LANES + skip * block_bytes(f)};
    struct wanted wanted = next ? *next : (struct wanted){.lines = 0};
    tile_rows(x, p, row, n_x);
    do {
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) acc[t][g] = lli_floats_of(0.0f);
        for (size_t last = skip + lli_subtree_at(subtree, p->n_in, s + 1); at.b < last; go_on(&at, f)) {
            if (next)
                ask(&wanted, 2);
            else
                LLI_UNROLL for (int g = 0; g < n_g; g++) prefetch(groups[g] + at.block + AHEAD, block_bytes(f) / LINE + 1);
            add_packed(acc, groups, &at, x, n_x, n_g, f);
            LLI_UNROLL for (int t = 0; t < n_x; t++) x[t]++;
        }
        lli_tree_join(acc, parked, n_x, n_g, s);
    } while (++s < n);
    LLI_UNROLL for (int t = 0; t < n_x; t++) lli_tree_store(p->out + (row + (size_t)t) * p->out_stride + o, acc[t], n_o, n_g);
}

LLI_INLINE void direct_rows(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o,
                            size_t row, int n_x, int n_g, const struct wanted *next, const struct format *f)
{
    direct(p, &p->subtree, groups, o, n_o, row, n_x, n_g, next, f);
}

/* A whole K has code of its own, where the compiler knows its eight segments (Zen 5, Q6_K, 1 row: 4 %). */
LLI_INLINE void direct_few(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o,
                           size_t row, int n_x, int n_g, const struct wanted *next, const struct format *f)
{
    const struct lli_subtree whole = {0};
    (void)next;
    if (p->subtree.n_whole == 0)
        direct(p, &whole, groups, o, n_o, row, n_x, n_g, NULL, f);
    else
        direct(p, &p->subtree, groups, o, n_o, row, n_x, n_g, NULL, f);
}

/* ---- through expanded chunks */

struct expanded_block {
    uint8_t codes[LLI_GROUPS][LLI_CODES_ROWS * WORD_ROW];
    struct lli_scales scales[LLI_GROUPS];
};

struct room {
    struct expanded_block chunk[LLI_CHUNK];
    struct lli_doubled doubled;
    lli_floats sums[ROWS][LLI_GROUPS], ended[ROWS][LLI_GROUPS], parked[2][ROWS][LLI_GROUPS];
};

_Static_assert(sizeof(struct room) <= LLI_MATMUL_SCRATCH, "the room of a product fits its scratch memory");

LLI_INLINE void expand(struct expanded_block *out, const uint8_t *const groups[LLI_GROUPS], size_t first, size_t n,
                       const struct format *f)
{
    for (size_t b = first; b < first + n; b++, out++)
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            const uint8_t *unit = groups[g] + b / f->unit * unit_bytes(f);
            const uint8_t *block = unit + f->header * LLI_LANES + b % f->unit * block_bytes(f);
            LLI_UNROLL for (int i = 0; i < 8; i++)
            {
                lli_words w = f->codes(block + f->own * LLI_LANES, i);
                if (lli_doubles(f->kind.bits))
                    lli_codes_double(out->codes[g], i, w);
                else
                    lli_words_store(out->codes[g] + i * WORD_ROW, w);
            }
            f->scales(&out->scales[g], unit, block);
        }
}

/* Blocks from .. to - 1 of the chunk. */
LLI_INLINE void add_run(lli_floats (*acc)[LLI_GROUPS], const struct room *room, const struct lli_q8 *const x[LLI_TILE],
                        const struct piece *piece, struct wanted *next, size_t from, size_t to, int n_x,
                        const struct kind *kind)
{
    for (size_t b = from; b < to; b++) {
        const uint8_t *planes[LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) planes[g] = room->chunk[b].codes[g];
        ask(next, 1);
        add_block(acc, planes, lli_codes_expanded, room->chunk[b].scales, kind, x, piece->first + b, n_x, LLI_GROUPS,
                  &room->doubled, b);
    }
}

LLI_INLINE void use_chunk(struct room *room, const struct lli_product *p, size_t row, size_t at, const struct piece *piece,
                          int n_x, const struct kind *kind)
{
    lli_floats(*sums)[LLI_GROUPS] = room->sums + at, acc[LLI_TILE][LLI_GROUPS];
    const struct lli_q8 *x[LLI_TILE];
    struct wanted next = piece->next;
    tile_rows(x, p, row + at, n_x);
    if (lli_doubles(kind->bits))
        lli_double(&room->doubled, x, piece->first, piece->n, n_x);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) acc[t][g] =
        piece->opens ? lli_floats_of(0.0f) : sums[t][g];
    add_run(acc, room, x, piece, &next, 0, piece->left, n_x, kind);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) sums[t][g] = acc[t][g];
    if (piece->left == piece->n)
        return;
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) acc[t][g] = lli_floats_of(0.0f);
    add_run(acc, room, x, piece, &next, piece->left, piece->n, n_x, kind);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) sums[t][g] =
        sums[t][g] + acc[t][g];
}

typedef void tile_fn(struct room *room, const struct lli_product *p, size_t row, size_t at, const struct piece *piece);

/* Each asks for its part of what is wanted. */
LLI_INLINE void use_tiles(struct room *room, const struct lli_product *p, size_t row, size_t n_rows, const struct piece *piece,
                          const struct kind *kind, tile_fn *const tiles[])
{
    struct piece own = *piece;
    size_t n_tiles = tiles_of(n_rows, kind, 1);
    for (size_t i = 0; i < n_tiles; i++) {
        size_t at = tile_at(i, n_rows, n_tiles), n_x = tile_at(i + 1, n_rows, n_tiles) - at;
        if (i == piece->next.parts) /* all are under way */
            own.next.lines = 0;
        tiles[n_x](room, p, row, at, &own);
        for (int g = 0; g < LLI_GROUPS; g++)
            own.next.at[g] += piece->n * own.next.lines * LINE;
    }
}

/* A function for each number of rows: what the registers hold is settled when it is compiled. */
#define TILE(name, n_x, ...)                                                                                                   \
    static void name##_##n_x(struct room *room, const struct lli_product *p, size_t row, size_t at, const struct piece *piece) \
    {                                                                                                                          \
        const struct kind kind = {__VA_ARGS__};                                                                                \
        if (n_x <= lli_dot_tile(kind.bits, kind.halves, kind.offset, 1))                                                       \
            use_chunk(room, p, row, at, piece, n_x, &kind);                                                                    \
    }

#define KIND(name, ...)                                                                                                        \
    TILE(name, 1, __VA_ARGS__)                                                                                                 \
    TILE(name, 2, __VA_ARGS__)                                                                                                 \
    TILE(name, 3, __VA_ARGS__)                                                                                                 \
    TILE(name, 4, __VA_ARGS__)                                                                                                 \
    TILE(name, 5, __VA_ARGS__)                                                                                                 \
    TILE(name, 6, __VA_ARGS__)                                                                                                 \
    static void use_##name(struct room *room, const struct lli_product *p, size_t row, size_t n_rows,                          \
                           const struct piece *piece)                                                                          \
    {                                                                                                                          \
        static tile_fn *const tiles[] = {NULL, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6};                    \
        const struct kind kind = {__VA_ARGS__};                                                                                \
        use_tiles(room, p, row, n_rows, piece, &kind, tiles);                                                                  \
    }

/* An offset of the codes that the products of bytes must take off: 8-bit weights are made unsigned where LLI_BYTE_FLIP. */
#define BYTES 8, LLI_BYTE_FLIP ? 128 : 0, 0, 0, 0
#define NIBBLES 4, 8, 0, 0, 0
#define NIBBLES_OFFSET 4, 0, 0, 1, 0
#define FIVE 5, 16, 0, 0, 0
#define FIVE_OFFSET 5, 0, 0, 1, 0
#define SIX_HALVES 6, 32, 1, 0, 0
#define THREE_HALVES 3, 4, 1, 0, 0
#define TWO_MINIMA 2, 0, 1, 0, 1

KIND(bytes, BYTES)
KIND(nibbles, NIBBLES)
KIND(nibbles_offset, NIBBLES_OFFSET)
KIND(five, FIVE)
KIND(five_offset, FIVE_OFFSET)
KIND(six_halves, SIX_HALVES)
KIND(three_halves, THREE_HALVES)
KIND(two_minima, TWO_MINIMA)

/* The sums go up the tree by `levels` levels: each adds what is parked there. They stay in sums, or are parked. */
LLI_INLINE void join_levels(struct room *room, size_t n_rows, size_t levels, lli_floats (*to)[LLI_GROUPS])
{
    for (size_t i = 0; i < n_rows; i++)
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            lli_floats v = room->sums[i][g];
            for (size_t level = 0; level < levels; level++)
                v = room->parked[level][i][g] + v;
            to[i][g] = v;
        }
}

/* The sums are of segments 2 * pair and 2 * pair + 1 of the 2 * n_pairs. */
static void join(struct room *room, size_t n_rows, size_t pair, size_t n_pairs)
{
    size_t levels = pair == 3 ? 2 : pair & 1;
    join_levels(room, n_rows, levels, pair + 1 == n_pairs ? room->sums : room->parked[levels]);
}

LLI_INLINE void use_piece(struct room *room, const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS],
                          struct piece *piece, size_t row, size_t n_rows, const struct format *f)
{
    size_t then = skipped(p, f) + piece->first + piece->n;
    size_t at = then / f->unit * unit_bytes(f) + then % f->unit * block_bytes(f);
    if (piece->first + piece->n == p->n_in / LLI_ACT_BLOCK) /* the next tile's first */
        at = LLI_GROUPS * group_bytes(f, packed_blocks(p, f));
    piece->next = want(groups, at, piece->n, 0, tiles_of(n_rows, &f->kind, 1), f);
    expand(room->chunk, groups, skipped(p, f) + piece->first, piece->n, f);
    f->use(room, p, row, n_rows, piece);
}

/* One segment, chunk by chunk. */
LLI_INLINE void sum_segment(struct room *room, const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS],
                            size_t first, size_t last, size_t row, size_t n_rows, const struct format *f)
{
    if (first == last)
        memset(room->sums, 0, n_rows * sizeof *room->sums);
    for (size_t b = first; b < last; b += LLI_CHUNK) {
        size_t n = last - b < LLI_CHUNK ? last - b : LLI_CHUNK;
        struct piece piece = {.first = b, .n = n, .left = n, .opens = b == first};
        use_piece(room, p, groups, &piece, row, n_rows, f);
    }
}

/* Two segments that fit one chunk. */
LLI_INLINE void sum_both(struct room *room, const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t first,
                         size_t middle, size_t last, size_t row, size_t n_rows, const struct format *f)
{
    struct piece piece = {.first = first, .n = last - first, .left = middle - first, .opens = 1};
    use_piece(room, p, groups, &piece, row, n_rows, f);
}

/* One tile of weight rows x up to ROWS rows of activations. */
LLI_INLINE void expanded(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o, size_t row,
                         size_t n_rows, const struct format *f)
{
    struct room *room = p->scratch;
    size_t n_pairs = lli_subtree_segments(&p->subtree) / 2;
    for (size_t pair = 0; pair < n_pairs; pair++) {
        size_t first = lli_subtree_at(&p->subtree, p->n_in, 2 * pair),
               middle = lli_subtree_at(&p->subtree, p->n_in, 2 * pair + 1);
        size_t last = lli_subtree_at(&p->subtree, p->n_in, 2 * pair + 2);
        if (last - first <= LLI_CHUNK && middle < last) {
            sum_both(room, p, groups, first, middle, last, row, n_rows, f);
        } else {
            sum_segment(room, p, groups, first, middle, row, n_rows, f);
            memcpy(room->ended, room->sums, n_rows * sizeof *room->sums);
            sum_segment(room, p, groups, middle, last, row, n_rows, f);
            for (size_t i = 0; i < n_rows; i++)
                LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) room->sums[i][g] = room->ended[i][g] + room->sums[i][g];
        }
        join(room, n_rows, pair, n_pairs);
    }
    if (n_pairs == 0) /* one segment */
        sum_segment(room, p, groups, 0, p->n_in / LLI_ACT_BLOCK, row, n_rows, f);
    for (size_t i = 0; i < n_rows; i++)
        lli_tree_store(p->out + (row + i) * p->out_stride + o, room->sums[i], n_o, LLI_GROUPS);
}

/* ---- products */

typedef void direct_fn(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o, size_t row,
                       const struct wanted *next);

/* Of a format: so many rows of activations with LLI_FEW_GROUPS groups, and with LLI_GROUPS. */
struct direct {
    direct_fn *few[5], *rows[7];
};

LLI_INLINE void multiply_tile(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o,
                              const struct format *f, const struct direct *direct)
{
    size_t n_tiles = tiles_of(p->n_rows, &f->kind, 0), n_blocks = packed_blocks(p, f);
    if (p->n_rows <= f->direct)
        for (size_t i = 0; i < n_tiles; i++) {
            size_t row = tile_at(i, p->n_rows, n_tiles);
            struct wanted next = want(groups, LLI_GROUPS * group_bytes(f, n_blocks), n_blocks, i, n_tiles, f);
            direct->rows[tile_at(i + 1, p->n_rows, n_tiles) - row](p, groups, o, n_o, row, &next);
        }
    else
        for (size_t row = 0; row < p->n_rows; row += ROWS)
            expanded(p, groups, o, n_o, row, p->n_rows - row < ROWS ? p->n_rows - row : ROWS, f);
}

LLI_INLINE void multiply(const struct lli_product *p, size_t first, size_t last, const struct format *f,
                         const struct direct *direct)
{
    size_t bytes = group_bytes(f, packed_blocks(p, f));
    size_t step = (p->n_rows <= LLI_FEW ? LLI_FEW_GROUPS : LLI_GROUPS) * LLI_LANES;
    for (size_t o = first; o < last; o += step) {
        const uint8_t *groups[LLI_GROUPS];
        size_t n_o = last - o < step ? last - o : step;
        lli_tile_groups(groups, (const uint8_t *)p->weights + o / LLI_LANES * bytes, bytes, n_o);
        if (p->n_rows <= LLI_FEW)
            direct->few[p->n_rows](p, groups, o, n_o, 0, NULL);
        else
            multiply_tile(p, groups, o, n_o, f, direct);
    }
}

#define DIRECT(name, most, n_x, n_g, call, ...)                                                                                \
    static void name(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o, size_t row,   \
                     const struct wanted *next)                                                                                \
    {                                                                                                                          \
        const struct format format = {__VA_ARGS__};                                                                            \
        if (n_x <= most)                                                                                                       \
            call(p, groups, o, n_o, row, n_x, n_g, next, &format);                                                             \
    }
#define FEW(type, n_x, ...) DIRECT(type##_few_##n_x, LLI_FEW, n_x, LLI_FEW_GROUPS, direct_few, __VA_ARGS__)
#define ROWS_OF(type, n_x, ...)                                                                                                \
    DIRECT(type##_##n_x, lli_dot_tile(format.kind.bits, format.kind.halves, format.kind.offset, 0), n_x, LLI_GROUPS,           \
           direct_rows, __VA_ARGS__)

#define QUANTISED_TYPE(type, kind, use, ...)                                                                                   \
    FEW(type, 1, {kind}, use, __VA_ARGS__)                                                                                     \
    FEW(type, 2, {kind}, use, __VA_ARGS__)                                                                                     \
    FEW(type, 3, {kind}, use, __VA_ARGS__)                                                                                     \
    FEW(type, 4, {kind}, use, __VA_ARGS__)                                                                                     \
    ROWS_OF(type, 1, {kind}, use, __VA_ARGS__)                                                                                 \
    ROWS_OF(type, 2, {kind}, use, __VA_ARGS__)                                                                                 \
    ROWS_OF(type, 3, {kind}, use, __VA_ARGS__)                                                                                 \
    ROWS_OF(type, 4, {kind}, use, __VA_ARGS__)                                                                                 \
    ROWS_OF(type, 5, {kind}, use, __VA_ARGS__)                                                                                 \
    ROWS_OF(type, 6, {kind}, use, __VA_ARGS__)                                                                                 \
    void LLI_WIDE(matmul_##type)(const struct lli_product *p, size_t first, size_t last)                                       \
    {                                                                                                                          \
        static const struct direct direct = {{NULL, type##_few_1, type##_few_2, type##_few_3, type##_few_4},                   \
                                             {NULL, type##_1, type##_2, type##_3, type##_4, type##_5, type##_6}};              \
        const struct format format = {{kind}, use, __VA_ARGS__};                                                               \
        multiply(p, first, last, &format, &direct);                                                                            \
    }

/*                                                codes            scales       direct, unit, header, own, codes' bytes */
QUANTISED_TYPE(q8_0, BYTES, use_bytes, lli_codes_b8, lli_scales_d, LLI_DIRECT_BYTES, 1, 2, 0, 32)
QUANTISED_TYPE(q4_0, NIBBLES, use_nibbles, lli_codes_n4, lli_scales_d, ANY, 1, 2, 0, 16)
QUANTISED_TYPE(q4_1, NIBBLES_OFFSET, use_nibbles_offset, lli_codes_n4, lli_scales_d_m, ANY, 1, 4, 0, 16)
QUANTISED_TYPE(q5_0, FIVE, use_five, lli_codes_n4_h1, lli_scales_d, 16, 1, 2, 0, 20)
QUANTISED_TYPE(q5_1, FIVE_OFFSET, use_five_offset, lli_codes_n4_h1, lli_scales_d_m, 16, 1, 4, 0, 20)
QUANTISED_TYPE(iq4_nl, BYTES, use_bytes, lli_codes_table, lli_scales_d, 8, 1, 2, 0, 16)
QUANTISED_TYPE(mxfp4, BYTES, use_bytes, lli_codes_mxfp4, lli_scales_bf16, 8, 1, 2, 0, 16)
QUANTISED_TYPE(iq4_xs, BYTES, use_bytes, lli_codes_table, lli_scales_iq4_xs, 8, 8, 2, 1, 16)
QUANTISED_TYPE(q4_k, NIBBLES_OFFSET, use_nibbles_offset, lli_codes_n4, lli_scales_q4_k, 32, 8, 4, 2, 16)
QUANTISED_TYPE(q5_k, FIVE_OFFSET, use_five_offset, lli_codes_n4_h1, lli_scales_q4_k, 8, 8, 4, 2, 20)
QUANTISED_TYPE(q6_k, SIX_HALVES, use_six_halves, lli_codes_n4_h2, lli_scales_q6_k, 8, 8, 2, 2, 24)
QUANTISED_TYPE(q3_k, THREE_HALVES, use_three_halves, lli_codes_h2_h1, lli_scales_q6_k, 8, 8, 2, 2, 12)
QUANTISED_TYPE(q2_k, TWO_MINIMA, use_two_minima, lli_codes_h2, lli_scales_q2_k, 16, 8, 4, 2, 8)
