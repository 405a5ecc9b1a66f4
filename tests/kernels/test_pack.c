/* Packed weights: they give back the file's bytes, and stand where pack.h draws them. The test reads codes and scales element
 * by element from the file's blocks and from the drawing, so that it shares nothing with the code that moves them. */
#include "backend/pack.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/support.h"

enum {
    F32 = 0,
    F16 = 1,
    Q4_0,
    Q4_1,
    Q5_0 = 6,
    Q5_1,
    Q8_0,
    Q2_K = 10,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    NL = 20,
    XS = 23,
    BF16 = 30,
    MX = 39
};

/* The drawing: what a unit and its blocks of 32 have, in this order. */
static const struct plan {
    struct lli_dtype type;
    int halves, scales; /* f16 of a unit, bytes of a block */
    const char *planes; /* of a block: B8, N4, H2, H1 by their digit */
    int scale_at[2], n_in[3];
} PLANS[] = {
    {{F32, "f32", 1, 4, {2, -1}, 0x7f80, 1}, 0, 0, "", {0, 0}, {1, 37, 256}},
    {{F16, "f16", 1, 2, {0, -1}, 0x7c00, 1}, 0, 0, "", {0, 0}, {1, 37, 256}},
    {{BF16, "bf16", 1, 2, {0, -1}, 0x7f80, 1}, 0, 0, "", {0, 0}, {1, 37, 256}},
    {{Q8_0, "q8_0", 32, 34, {0, -1}, 0x7c00, 0}, 1, 0, "8", {0, 0}, {32, 96, 288}},
    {{Q4_0, "q4_0", 32, 18, {0, -1}, 0x7c00, 0}, 1, 0, "4", {0, 0}, {32, 96, 288}},
    {{NL, "iq4_nl", 32, 18, {0, -1}, 0x7c00, 0}, 1, 0, "4", {0, 0}, {32, 96, 288}},
    {{MX, "mxfp4", 32, 17, {0, -1}, 0x00ff, 0}, 1, 0, "4", {0, 0}, {32, 96, 288}},
    {{Q4_1, "q4_1", 32, 20, {0, 2}, 0x7c00, 0}, 2, 0, "4", {0, 2}, {32, 96, 288}},
    {{Q5_0, "q5_0", 32, 22, {0, -1}, 0x7c00, 0}, 1, 0, "41", {0, 0}, {32, 96, 288}},
    {{Q5_1, "q5_1", 32, 24, {0, 2}, 0x7c00, 0}, 2, 0, "41", {0, 2}, {32, 96, 288}},
    {{Q4_K, "q4_k", 256, 144, {0, 2}, 0x7c00, 0}, 2, 2, "4", {0, 2}, {256, 512, 1280}},
    {{Q5_K, "q5_k", 256, 176, {0, 2}, 0x7c00, 0}, 2, 2, "41", {0, 2}, {256, 512, 1280}},
    {{Q6_K, "q6_k", 256, 210, {208, -1}, 0x7c00, 0}, 1, 2, "42", {208, 0}, {256, 512, 1280}},
    {{Q3_K, "q3_k", 256, 110, {108, -1}, 0x7c00, 0}, 1, 2, "21", {108, 0}, {256, 512, 1280}},
    {{Q2_K, "q2_k", 256, 84, {80, 82}, 0x7c00, 0}, 2, 2, "2", {80, 82}, {256, 512, 1280}},
    {{XS, "iq4_xs", 256, 136, {0, -1}, 0x7c00, 0}, 1, 1, "4", {0, 0}, {256, 512, 1280}},
};

enum { N_PLANS = sizeof PLANS / sizeof *PLANS };

/* ---- the file's blocks: the code of element e (no offset taken off), and byte `which` of scales of block b of 32 */

static int nibble(const uint8_t *bytes, int i)
{
    return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4;
}

static int bit(const uint8_t *bytes, int i)
{
    return bytes[i / 8] >> i % 8 & 1;
}

/* 32 bytes with the bits `shift` .. of elements 0 .. 31. */
static int field(const uint8_t *bytes, int i, int shift, int mask)
{
    return bytes[i] >> shift & mask;
}

static int code_in_file(uint32_t type, const uint8_t *block, int e)
{
    int b = e / 32, i = e % 32, half = e / 128;
    switch (type) {
    case Q8_0:
        return block[2 + e];
    case Q4_0:
    case NL:
        return nibble(block + 2, e);
    case MX:
        return nibble(block + 1, e);
    case Q4_1:
        return nibble(block + 4, e);
    case Q5_0:
        return nibble(block + 6, e) | bit(block + 2, e) << 4;
    case Q5_1:
        return nibble(block + 8, e) | bit(block + 4, e) << 4;
    case Q4_K:
        return field(block + 16 + 32 * (b / 2), i, 4 * (b % 2), 15);
    case Q5_K:
        return field(block + 48 + 32 * (b / 2), i, 4 * (b % 2), 15) | field(block + 16, i, b, 1) << 4;
    case Q6_K:
        return field(block + 64 * half + 32 * (b % 2), i, b % 4 < 2 ? 0 : 4, 15) |
               field(block + 128 + 32 * half, i, 2 * (b % 4), 3) << 4;
    case Q3_K:
        return field(block + 32 + 32 * half, i, 2 * (b % 4), 3) | field(block, i, b, 1) << 2;
    case Q2_K:
        return field(block + 16 + 32 * half, i, 2 * (b % 4), 3);
    default:
        return nibble(block + 8 + 16 * b, i);
    }
}

static uint8_t scale_in_file(uint32_t type, const uint8_t *block, int b, int which)
{
    const uint8_t *s = block + 4;
    int i = 2 * b + which;
    switch (type) {
    case Q4_K:
    case Q5_K:
        if (b < 4)
            return s[b + 4 * which] & 63;
        return (uint8_t)((which ? s[b + 4] >> 4 : s[b + 4] & 15) | s[b - 4 + 4 * which] >> 6 << 4);
    case Q6_K:
        return block[192 + i];
    case Q3_K:
        s = block + 96;
        return (uint8_t)(((i < 8 ? s[i] & 15 : s[i - 8] >> 4) | (s[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32);
    case Q2_K:
        return block[i];
    default:
        return (uint8_t)(((s[b / 2] >> 4 * (b % 2) & 15) | (block[2 + b / 4] >> 2 * (b % 4) & 3) << 4) - 32);
    }
}

/* ---- the drawing */

/* Byte j of word w of a lane of a plane. */
static int plane_byte(const uint8_t *plane, int lanes, int lane, int w, int j)
{
    return plane[4 * (w * lanes + lane) + j];
}

/* The part of element i's code in a plane of so many bits. */
static int plane_code(const uint8_t *plane, char bits, int lanes, int lane, int i)
{
    switch (bits) {
    case '8':
        return plane_byte(plane, lanes, lane, i / 4, i % 4);
    case '4':
        return plane_byte(plane, lanes, lane, i % 16 / 4, i % 4) >> (i < 16 ? 0 : 4) & 15;
    case '2':
        return plane_byte(plane, lanes, lane, i / 16, i % 4) >> 2 * (i % 16 / 4) & 3;
    default:
        return plane_byte(plane, lanes, lane, 0, i % 4) >> i / 4 & 1;
    }
}

static int plane_size(char bits, int lanes)
{
    return (bits - '0') * 4 * lanes;
}

/* The scale of MXFP4, a byte e, is 2^(e - 128) as a BF16. */
static void check_power(const uint8_t *at, uint8_t e)
{
    uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 24;
    float power;
    memcpy(&power, &bits, sizeof power);
    assert_true((double)power == ldexp(1, e - 128));
}

/* Compares a unit's lane with the block it came from; gives the unit's end. */
static const uint8_t *check_unit(const struct plan *p, const uint8_t *at, int lanes, int lane, const uint8_t *block)
{
    for (int h = 0; h < p->halves; h++, at += 2 * lanes)
        if (p->type.id == MX)
            check_power(at + 2 * lane, block[0]);
        else
            assert_memory_equal(at + 2 * lane, block + p->scale_at[h], 2);
    for (int b = 0; b < (int)p->type.block / 32; b++) {
        int codes[32] = {0}, shift = 0;
        for (int s = 0; s < p->scales; s++, at += lanes)
            assert_int_equal(at[lane], scale_in_file(p->type.id, block, b, s));
        for (const char *bits = p->planes; *bits; shift += *bits - '0', at += plane_size(*bits, lanes), bits++)
            for (int i = 0; i < 32; i++)
                codes[i] |= plane_code(at, *bits, lanes, lane, i) << shift;
        for (int i = 0; i < 32; i++)
            assert_int_equal(codes[i], code_in_file(p->type.id, block, 32 * b + i));
    }
    return at;
}

static void check_lane(const struct plan *p, const uint8_t *group, int lanes, int lane, const uint8_t *row, size_t n_in)
{
    const uint8_t *at = group;
    size_t size = p->type.block_bytes;
    if (p->type.block == 1) {
        for (size_t k = 0; k < n_in; k++)
            assert_memory_equal(group + (k * (size_t)lanes + (size_t)lane) * size, row + k * size, size);
        return;
    }
    for (size_t i = 0; i < n_in / p->type.block; i++)
        at = check_unit(p, at, lanes, lane, row + i * size);
    assert_int_equal(at - group, lli_pack_group_bytes(&p->type, (size_t)lanes, n_in));
}

/* n values of so many bytes are zero in a lane; gives their end. */
static const uint8_t *check_zero(const uint8_t *at, size_t n, size_t size, size_t lanes, size_t lane)
{
    static const uint8_t zeros[4];
    for (size_t i = 0; i < n; i++, at += size * lanes)
        assert_memory_equal(at + size * lane, zeros, size);
    return at;
}

static void check_padding(const struct plan *p, const uint8_t *group, size_t lanes, size_t lane, size_t n_in)
{
    if (p->type.block == 1) {
        check_zero(group, n_in, p->type.block_bytes, lanes, lane);
        return;
    }
    for (size_t i = 0; i < n_in / p->type.block; i++) {
        group = check_zero(group, (size_t)p->halves, 2, lanes, lane);
        for (size_t b = 0; b < p->type.block / 32; b++) {
            group = check_zero(group, (size_t)p->scales, 1, lanes, lane);
            for (const char *bits = p->planes; *bits; bits++)
                group = check_zero(group, (size_t)(*bits - '0'), 4, lanes, lane);
        }
    }
}

/* ---- matrices */

static uint64_t seed = 1;

/* A scale that is finite: the lowest bit of the exponent is off. */
static void tame(const struct plan *p, uint8_t *rows, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += p->type.block_bytes)
        for (int h = 0; h < 2 && p->type.scale_at[h] >= 0; h++)
            if (p->type.id == MX)
                rows[at] = rows[at] == 255 ? 254 : rows[at];
            else
                rows[at + (size_t)p->type.scale_at[h] + (p->type.exponent == 0x7c00)] &=
                    p->type.exponent == 0x7c00 ? 0xfb : 0x7f;
}

static uint8_t *random_rows(const struct plan *p, size_t n_out, size_t n_in)
{
    size_t bytes = n_out * lli_dtype_row_bytes(&p->type, n_in);
    uint8_t *rows = malloc(bytes);
    assert_non_null(rows);
    for (size_t i = 0; i < bytes; i++)
        rows[i] = (uint8_t)support_random(&seed);
    tame(p, rows, bytes);
    return rows;
}

static void check_matrix(const struct plan *p, size_t lanes, size_t n_out, size_t n_in)
{
    size_t row_bytes = lli_dtype_row_bytes(&p->type, n_in), groups = lli_pack_groups(lanes, n_out);
    size_t group_bytes = lli_pack_group_bytes(&p->type, lanes, n_in), bytes = groups * group_bytes;
    uint8_t *rows = random_rows(p, n_out, n_in), *packed = malloc(bytes + 16), *back = malloc(row_bytes + 16);
    assert_non_null(packed);
    assert_non_null(back);
    memset(packed, 0xa5, bytes + 16);
    /* in two ranges, the later one first */
    assert_true(lli_pack_rows(packed, &p->type, lanes, rows, lli_dtype_row_bytes(&p->type, n_in), n_out, n_in, groups / 2,
                              groups) == -1);
    for (size_t i = 0; i < groups / 2 * group_bytes; i++)
        assert_int_equal(packed[i], 0xa5);
    assert_true(lli_pack_rows(packed, &p->type, lanes, rows, lli_dtype_row_bytes(&p->type, n_in), n_out, n_in, 0, groups / 2) ==
                -1);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(packed[bytes + i], 0xa5);
    for (size_t row = 0; row < n_out; row++) {
        check_lane(p, packed + row / lanes * group_bytes, (int)lanes, (int)(row % lanes), rows + row * row_bytes, n_in);
        memset(back, 0x5a, row_bytes + 16);
        lli_pack_row(back, &p->type, lanes, packed, n_in, row);
        assert_memory_equal(back, rows + row * row_bytes, row_bytes);
        assert_int_equal(back[row_bytes], 0x5a);
    }
    for (size_t row = n_out; row < groups * lanes; row++)
        check_padding(p, packed + (groups - 1) * group_bytes, lanes, row % lanes, n_in);
    free(back);
    free(packed);
    free(rows);
}

static void every_type(void **state)
{
    (void)state;
    static const size_t n_outs[] = {1, 5, 8, 16, 19, 33, 47};
    for (size_t i = 0; i < N_PLANS; i++)
        for (size_t lanes = 4; lanes <= 16; lanes *= 2)
            for (size_t j = 0; j < sizeof n_outs / sizeof *n_outs; j++)
                for (size_t k = 0; k < 3; k++)
                    check_matrix(&PLANS[i], lanes, n_outs[j], (size_t)PLANS[i].n_in[k]);
}

/* The table of types may know more than the test, never less or otherwise. */
static void types_are_known(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < 64; id++) {
        const struct lli_dtype *type = lli_dtype_find(id);
        size_t i = 0;
        while (type && i < N_PLANS && PLANS[i].type.id != id)
            i++;
        if (!type)
            continue;
        assert_true(i < N_PLANS);
        assert_int_equal(type->block, PLANS[i].type.block);
        assert_int_equal(type->block_bytes, PLANS[i].type.block_bytes);
        assert_int_equal(type->scale_at[0], PLANS[i].type.scale_at[0]);
        assert_int_equal(type->scale_at[1], PLANS[i].type.scale_at[1]);
        assert_int_equal(type->exponent, PLANS[i].type.exponent);
    }
}

/* The first row that is not finite is told, whichever of its scales, minima or elements it is; not those of other ranges. */
static void not_finite_is_found(void **state)
{
    (void)state;
    enum { N_OUT = 21 };
    for (size_t i = 0; i < N_PLANS; i++) {
        const struct plan *p = &PLANS[i];
        size_t n_in = (size_t)p->n_in[2], row_bytes = lli_dtype_row_bytes(&p->type, n_in), n = n_in / p->type.block;
        size_t block = p->type.block_bytes, n_fields = p->type.scale_at[1] < 0 ? 1 : 2;
        uint8_t *rows = random_rows(p, N_OUT, n_in), *copy = malloc(N_OUT * row_bytes);
        uint8_t *packed = malloc(3 * lli_pack_group_bytes(&p->type, 8, n_in));
        assert_non_null(packed);
        assert_non_null(copy);
        for (size_t row = 0; row < N_OUT; row += 5) {
            for (size_t field = 0; field < 3 * n_fields; field++) {
                size_t b = field / n_fields == 0 ? 0 : field / n_fields == 1 ? n / 2 : n - 1;
                size_t at = row * row_bytes + b * block + (size_t)p->type.scale_at[field % n_fields];
                uint16_t word;
                memcpy(copy, rows, N_OUT * row_bytes);
                memcpy(&word, copy + at, 2);
                word |= p->type.exponent;
                memcpy(copy + at, &word, 2);
                assert_true(lli_pack_rows(packed, &p->type, 8, copy, row_bytes, N_OUT, n_in, 0, 3) == (int64_t)row);
                if (row + 3 < N_OUT) { /* another, later */
                    memcpy(copy + at + 3 * row_bytes, &word, 2);
                    assert_true(lli_pack_rows(packed, &p->type, 8, copy, row_bytes, N_OUT, n_in, 0, 3) == (int64_t)row);
                    memcpy(copy + at + 3 * row_bytes, rows + at + 3 * row_bytes, 2);
                }
                for (size_t g = 0; g < 3; g++)
                    assert_true(lli_pack_rows(packed, &p->type, 8, copy, row_bytes, N_OUT, n_in, g, g + 1) ==
                                (row / 8 == g ? (int64_t)row : -1));
            }
        }
        free(packed);
        free(copy);
        free(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(types_are_known),
        cmocka_unit_test(not_finite_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
