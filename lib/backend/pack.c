/* backend/pack.c - the table of packed formats: a row per quantised type says which planes its blocks have, and how they are
 * made from a block of the file and turned back. Float types have no codes: their elements are only interleaved.
 *
 * Codes change places by exchanging bits between words: the file keeps what belongs together in one byte, a plane in one
 * lane's word. Layouts of the file's blocks: ggml-common.h and ggml-quants.c of ggml. */
#include "backend/pack.h"

#include <string.h>

/* A block of the file taken apart: for all types at most two halves, and for each 32 elements two scales and 8 words. */
struct unit {
    uint16_t halves[2];
    uint8_t scales[2][8];
    uint32_t words[8][8]; /* the planes of a block of 32, in their order */
};

typedef void load_fn(struct unit *out, const uint8_t *block);
typedef void store_fn(uint8_t *block, const struct unit *unit);

struct format {
    uint32_t id;
    uint8_t n_blocks;          /* of 32 elements in a unit */
    uint8_t n_halves;          /* of a unit */
    uint8_t n_scales, n_words; /* of a block */
    load_fn *load;
    store_fn *store;
};

/* ---- bits between words; each of these undoes itself */

/* Bits of x under mask << shift and bits of y under mask. */
static inline void exchange(uint32_t *x, uint32_t *y, int shift, uint32_t mask)
{
    uint32_t t = (*x >> shift ^ *y) & mask;
    *y ^= t;
    *x ^= t << shift;
}

/* Field i of 4 of a byte of word j, and field j of the same byte of word i. */
static inline void turn_twos(uint32_t w[4])
{
    for (size_t i = 0; i < 2; i++)
        exchange(&w[i], &w[i + 2], 4, 0x0f0f0f0f);
    for (size_t i = 0; i < 4; i += 2)
        exchange(&w[i], &w[i + 1], 2, 0x33333333);
}

/* Bit i of a byte of word j, and bit j of the same byte of word i. */
static inline void turn_bits(uint32_t w[8])
{
    for (size_t i = 0; i < 4; i++)
        exchange(&w[i], &w[i + 4], 4, 0x0f0f0f0f);
    for (size_t i = 0; i < 2; i++) {
        exchange(&w[i], &w[i + 2], 2, 0x33333333);
        exchange(&w[i + 4], &w[i + 6], 2, 0x33333333);
    }
    for (size_t i = 0; i < 8; i += 2)
        exchange(&w[i], &w[i + 1], 1, 0x55555555);
}

/* ---- parts of blocks, to planes and back */

/* 32 bytes: their low nibbles are the block `low`, their high nibbles the block `high`. */
static inline void split_nibbles(uint32_t *low, uint32_t *high, const uint8_t *bytes)
{
    memcpy(low, bytes, 16);
    memcpy(high, bytes + 16, 16);
    for (size_t i = 0; i < 4; i++)
        exchange(&low[i], &high[i], 4, 0x0f0f0f0f);
}

static inline void join_nibbles(uint8_t *bytes, const uint32_t *low, const uint32_t *high)
{
    uint32_t w[8];
    memcpy(w, low, 16);
    memcpy(w + 4, high, 16);
    for (size_t i = 0; i < 4; i++)
        exchange(&w[i], &w[i + 4], 4, 0x0f0f0f0f);
    memcpy(bytes, w, sizeof w);
}

/* 32 bytes: their pairs of bits are four blocks; to words at, at + 1 of each. */
static inline void split_twos(uint32_t (*blocks)[8], size_t at, const uint8_t *bytes)
{
    for (size_t g = 0; g < 2; g++) {
        uint32_t w[4];
        memcpy(w, bytes + 16 * g, sizeof w);
        turn_twos(w);
        for (size_t b = 0; b < 4; b++)
            blocks[b][at + g] = w[b];
    }
}

static inline void join_twos(uint8_t *bytes, const uint32_t (*blocks)[8], size_t at)
{
    for (size_t g = 0; g < 2; g++) {
        uint32_t w[4];
        for (size_t b = 0; b < 4; b++)
            w[b] = blocks[b][at + g];
        turn_twos(w);
        memcpy(bytes + 16 * g, w, sizeof w);
    }
}

/* 32 bytes: their bits are eight blocks; to word `at` of each. */
static inline void split_bits(uint32_t (*blocks)[8], size_t at, const uint8_t *bytes)
{
    uint32_t w[8];
    memcpy(w, bytes, sizeof w);
    turn_bits(w);
    for (size_t b = 0; b < 8; b++)
        blocks[b][at] = w[b];
}

static inline void join_bits(uint8_t *bytes, const uint32_t (*blocks)[8], size_t at)
{
    uint32_t w[8];
    for (size_t b = 0; b < 8; b++)
        w[b] = blocks[b][at];
    turn_bits(w);
    memcpy(bytes, w, sizeof w);
}

/* Bits i of w with bit `high` of i clear and bit `low` set, and those with both the other way. */
static inline uint32_t swap_index(uint32_t w, int high, int low, uint32_t mask)
{
    int shift = (1 << high) - (1 << low);
    uint32_t t = (w >> shift ^ w) & mask;
    return w ^ t ^ t << shift;
}

/* 32 bits in the order of their elements: an element's number is 4c + j, its place in H1 is 8j + c. */
static inline uint32_t split_fifths(const uint8_t *bytes)
{
    uint32_t w;
    memcpy(&w, bytes, sizeof w);
    w = swap_index(w, 4, 1, 0x0000cccc);
    w = swap_index(w, 3, 0, 0x00aa00aa);
    w = swap_index(w, 2, 1, 0x0c0c0c0c);
    return swap_index(w, 1, 0, 0x22222222);
}

static inline void join_fifths(uint8_t *bytes, uint32_t w)
{
    w = swap_index(w, 1, 0, 0x22222222);
    w = swap_index(w, 2, 1, 0x0c0c0c0c);
    w = swap_index(w, 3, 0, 0x00aa00aa);
    w = swap_index(w, 4, 1, 0x0000cccc);
    memcpy(bytes, &w, sizeof w);
}

/* 16 scales, two of each block. */
static inline void split_pairs(uint8_t (*scales)[8], const uint8_t *bytes)
{
    for (size_t b = 0; b < 8; b++) {
        scales[0][b] = bytes[2 * b];
        scales[1][b] = bytes[2 * b + 1];
    }
}

static inline void join_pairs(uint8_t *bytes, const uint8_t (*scales)[8])
{
    for (size_t b = 0; b < 8; b++) {
        bytes[2 * b] = scales[0][b];
        bytes[2 * b + 1] = scales[1][b];
    }
}

/* Four bytes of 0 .. 63 less 32 each, and back: bit 7 keeps a byte from borrowing of the next. */
static inline uint32_t less_32(uint32_t w)
{
    return ((w | 0x80808080) - 0x20202020) ^ 0x80808080;
}

static inline uint32_t plus_32(uint32_t w)
{
    return ((w ^ 0x80808080) + 0x20202020) ^ 0x80808080;
}

/* ---- blocks of 32 */

static void load_q8_0(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block, 2);
    memcpy(out->words, block + 2, 32);
}

static void store_q8_0(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 2);
    memcpy(block + 2, unit->words, 32);
}

/* Also IQ4_NL: a code's worth is not asked here. */
static void load_q4_0(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block, 2);
    memcpy(out->words, block + 2, 16);
}

static void store_q4_0(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 2);
    memcpy(block + 2, unit->words, 16);
}

static void load_q4_1(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block, 4);
    memcpy(out->words, block + 4, 16);
}

static void store_q4_1(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 4);
    memcpy(block + 4, unit->words, 16);
}

static void load_q5_0(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block, 2);
    memcpy(out->words, block + 6, 16);
    out->words[0][4] = split_fifths(block + 2);
}

static void store_q5_0(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 2);
    join_fifths(block + 2, unit->words[0][4]);
    memcpy(block + 6, unit->words, 16);
}

static void load_q5_1(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block, 4);
    memcpy(out->words, block + 8, 16);
    out->words[0][4] = split_fifths(block + 4);
}

static void store_q5_1(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 4);
    join_fifths(block + 4, unit->words[0][4]);
    memcpy(block + 8, unit->words, 16);
}

/* ---- blocks of 256 */

/* d, dmin, and 12 bytes: six bits of scale 0 .. 3 each with two of 4 .. 7 above, the minima so, low nibbles of scale 4 .. 7
 * and in the upper nibbles of the minima. */
static inline void load_scales_k(struct unit *out, const uint8_t *block)
{
    uint32_t w[3];
    memcpy(out->halves, block, 4);
    memcpy(w, block + 4, sizeof w);
    for (size_t i = 0; i < 2; i++) {
        uint32_t first = w[i] & 0x3f3f3f3f, rest = (w[2] >> 4 * i & 0x0f0f0f0f) | (w[i] >> 2 & 0x30303030);
        memcpy(out->scales[i], &first, sizeof first);
        memcpy(out->scales[i] + 4, &rest, sizeof rest);
    }
}

static inline void store_scales_k(uint8_t *block, const struct unit *unit)
{
    uint32_t w[3] = {0};
    for (size_t i = 0; i < 2; i++) {
        uint32_t first, rest;
        memcpy(&first, unit->scales[i], sizeof first);
        memcpy(&rest, unit->scales[i] + 4, sizeof rest);
        w[i] = first | (rest & 0x30303030) << 2;
        w[2] |= (rest & 0x0f0f0f0f) << 4 * i;
    }
    memcpy(block, unit->halves, 4);
    memcpy(block + 4, w, sizeof w);
}

static void load_q4_k(struct unit *out, const uint8_t *block)
{
    load_scales_k(out, block);
    for (size_t i = 0; i < 4; i++)
        split_nibbles(out->words[2 * i], out->words[2 * i + 1], block + 16 + 32 * i);
}

static void store_q4_k(uint8_t *block, const struct unit *unit)
{
    store_scales_k(block, unit);
    for (size_t i = 0; i < 4; i++)
        join_nibbles(block + 16 + 32 * i, unit->words[2 * i], unit->words[2 * i + 1]);
}

static void load_q5_k(struct unit *out, const uint8_t *block)
{
    load_scales_k(out, block);
    split_bits(out->words, 4, block + 16);
    for (size_t i = 0; i < 4; i++)
        split_nibbles(out->words[2 * i], out->words[2 * i + 1], block + 48 + 32 * i);
}

static void store_q5_k(uint8_t *block, const struct unit *unit)
{
    store_scales_k(block, unit);
    join_bits(block + 16, unit->words, 4);
    for (size_t i = 0; i < 4; i++)
        join_nibbles(block + 48 + 32 * i, unit->words[2 * i], unit->words[2 * i + 1]);
}

/* low[128], high[64], scales[16], d; by halves of four blocks, the nibbles of blocks 0, 2 and 1, 3 in the same bytes. */
static void load_q6_k(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block + 208, 2);
    split_pairs(out->scales, block + 192);
    for (size_t h = 0; h < 2; h++) {
        uint32_t(*blocks)[8] = out->words + 4 * h;
        split_nibbles(blocks[0], blocks[2], block + 64 * h);
        split_nibbles(blocks[1], blocks[3], block + 64 * h + 32);
        split_twos(blocks, 4, block + 128 + 32 * h);
    }
}

static void store_q6_k(uint8_t *block, const struct unit *unit)
{
    memcpy(block + 208, unit->halves, 2);
    join_pairs(block + 192, unit->scales);
    for (size_t h = 0; h < 2; h++) {
        const uint32_t(*blocks)[8] = unit->words + 4 * h;
        join_nibbles(block + 64 * h, blocks[0], blocks[2]);
        join_nibbles(block + 64 * h + 32, blocks[1], blocks[3]);
        join_twos(block + 128 + 32 * h, blocks, 4);
    }
}

/* mask[32], twos[64], scales[12], d: of scale i the low nibble stands in byte i % 8, two bits above them in byte 8 + i % 4. */
static void load_q3_k(struct unit *out, const uint8_t *block)
{
    uint32_t w[3], scales[4];
    memcpy(w, block + 96, sizeof w);
    for (size_t i = 0; i < 4; i++)
        scales[i] = less_32((w[i % 2] >> i / 2 * 4 & 0x0f0f0f0f) | (w[2] >> 2 * i & 0x03030303) << 4);
    memcpy(out->halves, block + 108, 2);
    split_pairs(out->scales, (const uint8_t *)scales);
    for (size_t h = 0; h < 2; h++)
        split_twos(out->words + 4 * h, 0, block + 32 + 32 * h);
    split_bits(out->words, 2, block);
}

static void store_q3_k(uint8_t *block, const struct unit *unit)
{
    uint32_t w[3] = {0}, scales[4];
    join_pairs((uint8_t *)scales, unit->scales);
    for (size_t i = 0; i < 4; i++) {
        uint32_t scale = plus_32(scales[i]);
        w[i % 2] |= (scale & 0x0f0f0f0f) << i / 2 * 4;
        w[2] |= (scale >> 4 & 0x03030303) << 2 * i;
    }
    memcpy(block + 96, w, sizeof w);
    memcpy(block + 108, unit->halves, 2);
    for (size_t h = 0; h < 2; h++)
        join_twos(block + 32 + 32 * h, unit->words + 4 * h, 0);
    join_bits(block, unit->words, 2);
}

/* scales[16], twos[64], d, dmin. */
static void load_q2_k(struct unit *out, const uint8_t *block)
{
    memcpy(out->halves, block + 80, 4);
    split_pairs(out->scales, block);
    for (size_t h = 0; h < 2; h++)
        split_twos(out->words + 4 * h, 0, block + 16 + 32 * h);
}

static void store_q2_k(uint8_t *block, const struct unit *unit)
{
    memcpy(block + 80, unit->halves, 4);
    join_pairs(block, unit->scales);
    for (size_t h = 0; h < 2; h++)
        join_twos(block + 16 + 32 * h, unit->words + 4 * h, 0);
}

/* d, upper two bits of 8 scales in 16, their low nibbles, then the codes of each block as in IQ4_NL. */
static void load_iq4_xs(struct unit *out, const uint8_t *block)
{
    unsigned high = block[2] | (unsigned)block[3] << 8;
    memcpy(out->halves, block, 2);
    for (size_t b = 0; b < 8; b++) {
        unsigned scale = (block[4 + b / 2] >> 4 * (b % 2) & 15) | (high >> 2 * b & 3) << 4;
        out->scales[0][b] = (uint8_t)(scale - 32);
        memcpy(out->words[b], block + 8 + 16 * b, 16);
    }
}

static void store_iq4_xs(uint8_t *block, const struct unit *unit)
{
    memcpy(block, unit->halves, 2);
    memset(block + 2, 0, 6);
    for (size_t b = 0; b < 8; b++) {
        unsigned scale = (uint8_t)(unit->scales[0][b] + 32);
        block[2 + b / 4] |= (uint8_t)((scale >> 4) << 2 * (b % 4));
        block[4 + b / 2] |= (uint8_t)((scale & 15) << 4 * (b % 2));
        memcpy(block + 8 + 16 * b, unit->words[b], 16);
    }
}

/* The exponent e becomes 2^(e - 128) as a BF16; e = 255 is no scale and becomes a NaN that has all ones where e has. */
static void load_mxfp4(struct unit *out, const uint8_t *block)
{
    unsigned e = block[0];
    out->halves[0] = (uint16_t)(e == 255 ? 0x7fffu : e < 2 ? 0x40u >> (1 - e) : (e - 1) << 7);
    memcpy(out->words, block + 1, 16);
}

static void store_mxfp4(uint8_t *block, const struct unit *unit)
{
    unsigned d = unit->halves[0];
    block[0] = (uint8_t)(d == 0x7fff ? 255 : d < 0x80 ? d >> 6 : (d >> 7) + 1);
    memcpy(block + 1, unit->words, 16);
}

/* ---- the table */

static const struct format formats[] = {
    /* blocks, halves, scales, words: N4 is 4, B8 8, H2 2, H1 1 */
    {LLI_Q8_0, 1, 1, 0, 8, load_q8_0, store_q8_0},    {LLI_Q4_0, 1, 1, 0, 4, load_q4_0, store_q4_0},
    {LLI_IQ4_NL, 1, 1, 0, 4, load_q4_0, store_q4_0},  {LLI_Q4_1, 1, 2, 0, 4, load_q4_1, store_q4_1},
    {LLI_Q5_0, 1, 1, 0, 5, load_q5_0, store_q5_0},    {LLI_Q5_1, 1, 2, 0, 5, load_q5_1, store_q5_1},
    {LLI_Q4_K, 8, 2, 2, 4, load_q4_k, store_q4_k},    {LLI_Q5_K, 8, 2, 2, 5, load_q5_k, store_q5_k},
    {LLI_Q6_K, 8, 1, 2, 6, load_q6_k, store_q6_k},    {LLI_Q3_K, 8, 1, 2, 3, load_q3_k, store_q3_k},
    {LLI_Q2_K, 8, 2, 2, 2, load_q2_k, store_q2_k},    {LLI_IQ4_XS, 8, 1, 1, 4, load_iq4_xs, store_iq4_xs},
    {LLI_MXFP4, 1, 1, 0, 4, load_mxfp4, store_mxfp4},
};

/* NULL: a float type. */
static const struct format *format_of(const struct lli_dtype *type)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i].id == type->id)
            return &formats[i];
    }
    return NULL;
}

/* Bytes of a unit, of one lane. */
static inline size_t unit_bytes(const struct format *f)
{
    return 2u * f->n_halves + f->n_blocks * (f->n_scales + 4u * f->n_words);
}

size_t lli_pack_group_bytes(const struct lli_dtype *type, size_t lanes, size_t n_in)
{
    const struct format *f = format_of(type);
    return n_in / type->block * lanes * (f ? unit_bytes(f) : type->block_bytes);
}

/* ---- units and lanes */

static inline void put_unit(uint8_t *out, const struct format *f, size_t lanes, size_t lane, const struct unit *u)
{
    for (size_t i = 0; i < f->n_halves; i++, out += 2 * lanes)
        memcpy(out + 2 * lane, &u->halves[i], 2);
    for (size_t b = 0; b < f->n_blocks; b++) {
        for (size_t i = 0; i < f->n_scales; i++, out += lanes)
            out[lane] = u->scales[i][b];
        for (size_t i = 0; i < f->n_words; i++, out += 4 * lanes)
            memcpy(out + 4 * lane, &u->words[b][i], 4);
    }
}

static inline void take_unit(struct unit *u, const struct format *f, size_t lanes, size_t lane, const uint8_t *packed)
{
    for (size_t i = 0; i < f->n_halves; i++, packed += 2 * lanes)
        memcpy(&u->halves[i], packed + 2 * lane, 2);
    for (size_t b = 0; b < f->n_blocks; b++) {
        for (size_t i = 0; i < f->n_scales; i++, packed += lanes)
            u->scales[i][b] = packed[lane];
        for (size_t i = 0; i < f->n_words; i++, packed += 4 * lanes)
            memcpy(&u->words[b][i], packed + 4 * lane, 4);
    }
}

/* Non-zero if a scale or minimum is not finite. */
static inline int unit_is_bad(const struct unit *u, const struct format *f, uint16_t exponent)
{
    int bad = (u->halves[0] & exponent) == exponent;
    return f->n_halves == 2 ? bad | ((u->halves[1] & exponent) == exponent) : bad;
}

/* A group of n_rows, unit by unit, so that what is written stays in the nearest cache. Bits of the lanes that are not
 * finite. */
static uint32_t pack_units(uint8_t *out, const struct lli_dtype *type, const struct format *f, size_t lanes,
                           const uint8_t *rows, size_t row_bytes, size_t n_rows, size_t n_in)
{
    size_t bytes = lanes * unit_bytes(f);
    uint32_t bad = 0;
    for (size_t i = 0; i < n_in / type->block; i++, out += bytes, rows += type->block_bytes) {
        for (size_t lane = 0; lane < n_rows; lane++) {
            struct unit u;
            f->load(&u, rows + lane * row_bytes);
            bad |= (uint32_t)unit_is_bad(&u, f, type->exponent) << lane;
            put_unit(out, f, lanes, lane, &u);
        }
    }
    return bad;
}

/* Elements of 2 or 4 bytes. */
static inline uint32_t pack_elements(uint8_t *out, const struct lli_dtype *type, size_t size, size_t lanes, const uint8_t *rows,
                                     size_t row_bytes, size_t n_rows, size_t n_in)
{
    enum { STEP = 32 };
    uint32_t bad = 0;
    for (size_t k = 0; k < n_in; k += STEP) {
        size_t n = n_in - k < STEP ? n_in - k : STEP;
        for (size_t lane = 0; lane < n_rows; lane++) {
            const uint8_t *row = rows + lane * row_bytes + k * size;
            for (size_t i = 0; i < n; i++)
                memcpy(out + ((k + i) * lanes + lane) * size, row + i * size, size);
            bad |= (uint32_t)(lli_dtype_check(type, row, n) >= 0) << lane;
        }
    }
    return bad;
}

static uint32_t pack_floats(uint8_t *out, const struct lli_dtype *type, size_t lanes, const uint8_t *rows, size_t row_bytes,
                            size_t n_rows, size_t n_in)
{
    if (type->block_bytes == 2)
        return pack_elements(out, type, 2, lanes, rows, row_bytes, n_rows, n_in);
    return pack_elements(out, type, 4, lanes, rows, row_bytes, n_rows, n_in);
}

int64_t lli_pack_rows(uint8_t *out, const struct lli_dtype *type, size_t lanes, const uint8_t *rows, size_t row_bytes,
                      size_t n_out, size_t n_in, size_t first, size_t last)
{
    const struct format *f = format_of(type);
    size_t bytes = lli_pack_group_bytes(type, lanes, n_in);
    for (size_t g = first; g < last; g++) {
        size_t row = g * lanes, n_rows = n_out - row < lanes ? n_out - row : lanes;
        const uint8_t *from = rows + row * row_bytes;
        uint8_t *to = out + g * bytes;
        if (n_rows < lanes)
            memset(to, 0, bytes);
        uint32_t bad = f ? pack_units(to, type, f, lanes, from, row_bytes, n_rows, n_in)
                         : pack_floats(to, type, lanes, from, row_bytes, n_rows, n_in);
        if (bad)
            return (int64_t)(row + (size_t)__builtin_ctz(bad));
    }
    return -1;
}

void lli_pack_row(uint8_t *out, const struct lli_dtype *type, size_t lanes, const uint8_t *packed, size_t n_in, size_t row)
{
    const struct format *f = format_of(type);
    const uint8_t *group = packed + row / lanes * lli_pack_group_bytes(type, lanes, n_in);
    size_t lane = row % lanes, size = type->block_bytes;
    if (!f) {
        for (size_t k = 0; k < n_in; k++)
            memcpy(out + k * size, group + (k * lanes + lane) * size, size);
        return;
    }
    for (size_t i = 0; i < n_in / type->block; i++) {
        struct unit u;
        take_unit(&u, f, lanes, lane, group + i * lanes * unit_bytes(f));
        f->store(out + i * size, &u);
    }
}
