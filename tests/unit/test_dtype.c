/* The table of types, and the two 16-bit floats over all their patterns. */
#include "base/dtype.h"
#include "base/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    uint32_t id;
    const char *name;
    uint32_t block, bytes;
    int scale, minimum; /* places of F16 fields; -1: none */
} known[] = {
    {0, "f32", 1, 4, -1, -1},      {1, "f16", 1, 2, -1, -1},        {2, "q4_0", 32, 18, 0, -1},
    {3, "q4_1", 32, 20, 0, 2},     {6, "q5_0", 32, 22, 0, -1},      {7, "q5_1", 32, 24, 0, 2},
    {8, "q8_0", 32, 34, 0, -1},    {10, "q2_k", 256, 84, 80, 82},   {11, "q3_k", 256, 110, 108, -1},
    {12, "q4_k", 256, 144, 0, 2},  {13, "q5_k", 256, 176, 0, 2},    {14, "q6_k", 256, 210, 208, -1},
    {20, "iq4_nl", 32, 18, 0, -1}, {23, "iq4_xs", 256, 136, 0, -1}, {30, "bf16", 1, 2, -1, -1},
    {39, "mxfp4", 32, 17, 0, -1},
};

#define N_KNOWN (sizeof known / sizeof *known)

static void table(void **state)
{
    (void)state;
    unsigned n_found = 0;
    for (uint32_t id = 0; id < 1000; id++)
        n_found += lli_dtype_find(id) != NULL;
    assert_int_equal(n_found, N_KNOWN);
    assert_null(lli_dtype_find(UINT32_MAX));
    assert_null(lli_dtype_named("q4_2"));
    assert_null(lli_dtype_named(""));
    for (size_t i = 0; i < N_KNOWN; i++) {
        const struct lli_dtype *t = lli_dtype_find(known[i].id);
        assert_non_null(t);
        assert_ptr_equal(lli_dtype_named(known[i].name), t);
        assert_string_equal(t->name, known[i].name);
        assert_int_equal(t->block, known[i].block);
        assert_int_equal(t->block_bytes, known[i].bytes);
        assert_int_equal(t->is_float, known[i].block == 1);
        assert_int_equal(lli_dtype_row_bytes(t, 512), 512 / known[i].block * known[i].bytes);
    }
}

static void put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

/* Quants of all ones are no scale; each scale in each block is seen, whatever its sign or payload. */
static void bad_scales_are_found(void **state)
{
    (void)state;
    static const uint16_t bad[] = {0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF},
                          good[] = {0, 0x8000, 0x0001, 0x7BFF, 0xFBFF, 0x3C00};
    uint8_t blocks[5 * 210];
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (known[i].block == 1 || known[i].id == LLI_MXFP4)
            continue;
        const struct lli_dtype *t = lli_dtype_find(known[i].id);
        memset(blocks, 0xFF, sizeof blocks);
        for (unsigned b = 0; b < 5; b++) {
            put16(blocks + b * t->block_bytes + known[i].scale, good[b]);
            if (known[i].minimum >= 0)
                put16(blocks + b * t->block_bytes + known[i].minimum, good[b + 1]);
        }
        assert_true(lli_dtype_check(t, blocks, 5) == -1);
        assert_true(lli_dtype_check(t, blocks, 0) == -1);
        for (unsigned b = 0; b < 5; b++) {
            for (int field = 0; field < 2; field++) {
                int place = field ? known[i].minimum : known[i].scale;
                if (place < 0)
                    continue;
                put16(blocks + b * t->block_bytes + place, bad[b]);
                assert_true(lli_dtype_check(t, blocks, 5) == b);
                assert_true(lli_dtype_check(t, blocks, b) == -1);
                put16(blocks + b * t->block_bytes + place, 0);
            }
        }
    }
}

/* MXFP4 has a byte of exponent, and only 255 is no number, whatever stands behind it. */
static void bad_exponents_are_found(void **state)
{
    uint8_t blocks[3 * 17];
    (void)state;
    for (unsigned e = 0; e < 256; e++) {
        memset(blocks, e % 2 ? 0xFF : 0, sizeof blocks);
        blocks[0] = blocks[34] = 127;
        blocks[17] = (uint8_t)e;
        assert_true(lli_dtype_check(lli_dtype_find(LLI_MXFP4), blocks, 3) == (e == 255 ? 1 : -1));
    }
}

static void bad_floats_are_found(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t half[3] = {0x3C00, (uint16_t)i, 0x7BFF}, brain[3] = {0x3F80, (uint16_t)i, 0x7F7F};
        assert_true(lli_dtype_check(lli_dtype_find(LLI_F16), half, 3) == ((i & 0x7C00) == 0x7C00 ? 1 : -1));
        assert_true(lli_dtype_check(lli_dtype_find(LLI_BF16), brain, 3) == ((i & 0x7F80) == 0x7F80 ? 1 : -1));
    }
    static const float bad[] = {INFINITY, -INFINITY, NAN}, good[] = {0, -0.0f, 0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        float values[4] = {1, 2, 3, bad[i]};
        assert_true(lli_dtype_check(lli_dtype_find(LLI_F32), values, 4) == 3);
        assert_true(lli_dtype_check(lli_dtype_find(LLI_F32), values, 3) == -1);
        uint8_t odd[17]; /* no alignment is asked for */
        memcpy(odd + 1, values, sizeof values);
        assert_true(lli_dtype_check(lli_dtype_find(LLI_F32), odd + 1, 4) == 3);
    }
    assert_true(lli_dtype_check(lli_dtype_find(LLI_F32), good, 5) == -1);
}

/* What the bits say, by the C library. */
static double value_of(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 0x3FF;
    double magnitude = exponent == 31  ? (mantissa ? (double)NAN : (double)INFINITY)
                       : exponent == 0 ? ldexp(mantissa, -24)
                                       : ldexp(1024 + mantissa, exponent - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

static void every_half(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        float f = lli_half_to_f32((uint16_t)i);
        double want = value_of((uint16_t)i);
        assert_int_equal(lli_half_from_f32(f), i);
        assert_true(isnan(want) ? isnan(f) : (double)f == want && !signbit(f) == !signbit(want));
    }
}

/* Between each pair of neighbours: the mid-point to the even one, its own neighbours to the nearer. */
static void half_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7C00; i++) {
        double low = value_of((uint16_t)i), high = i == 0x7BFF ? 65536 : value_of((uint16_t)(i + 1));
        float middle = (float)((low + high) / 2);
        assert_true(middle == (low + high) / 2);
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            float s = sign ? -1.0f : 1.0f;
            assert_int_equal(lli_half_from_f32(s * middle), sign | (i + (i & 1)));
            assert_int_equal(lli_half_from_f32(s * nextafterf(middle, 0)), sign | i);
            assert_int_equal(lli_half_from_f32(s * nextafterf(middle, INFINITY)), sign | (i + 1));
        }
    }
    assert_int_equal(lli_half_from_f32(0x1.fffffep127f), 0x7C00);
    assert_int_equal(lli_half_from_f32(-1e6f), 0xFC00);
    assert_int_equal(lli_half_from_f32(0x1p-149f), 0);
    assert_int_equal(lli_half_from_f32(-0x1p-149f), 0x8000);
    assert_int_equal(lli_half_from_f32(NAN) & 0x7E00, 0x7E00);
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void brain_floats(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        assert_int_equal(lli_bf16_from_f32(lli_bf16_to_f32((uint16_t)i)), i);
        if ((i & 0x7F80) == 0x7F80)
            continue;
        assert_int_equal(lli_bf16_from_f32(float_of(i << 16 | 0x7FFF)), i);
        assert_int_equal(lli_bf16_from_f32(float_of(i << 16 | 0x8000)), i + (i & 1));
        assert_int_equal(lli_bf16_from_f32(float_of(i << 16 | 0x8001)), i + 1);
    }
    assert_true(isnan(lli_bf16_to_f32(lli_bf16_from_f32(float_of(0x7F800001))))); /* its payload does not fit */
    assert_true(isnan(lli_half_to_f32(lli_half_from_f32(float_of(0xFF800001)))));
    assert_int_equal(lli_bf16_from_f32(0x1.fffffep127f), 0x7F80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(bad_scales_are_found),
        cmocka_unit_test(bad_exponents_are_found),
        cmocka_unit_test(bad_floats_are_found),
        cmocka_unit_test(every_half),
        cmocka_unit_test(half_rounds_to_nearest_even),
        cmocka_unit_test(brain_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
