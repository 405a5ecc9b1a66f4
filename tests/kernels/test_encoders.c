/* The encoders: how far what they write is from what they were given, on ordinary and on extreme weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/encode/encoders.h"
#include "backend/scalar/scalar.h"
#include "support/support.h"

enum { N = 256 * 64 };

/* Largest root mean square error, relative to that of the weights: of normal ones, and of ones with a heavy tail. llama.cpp's
 * quantiser without importance matrix has 0.086 and 0.116 for q4_0, 0.296 and 0.344 for q2_k, 0.0712 and 0.0868 for q4_k. */
static const struct {
    uint32_t type;
    double normal, heavy;
} ROWS[] = {
    {LLI_F32, 0, 0},           {LLI_F16, 2.2e-4, 2.2e-4},   {LLI_BF16, 1.8e-3, 1.8e-3},  {LLI_Q8_0, 0.0055, 0.0073},
    {LLI_Q4_0, 0.0819, 0.116}, {LLI_Q4_1, 0.0697, 0.086},   {LLI_Q5_0, 0.0405, 0.0585},  {LLI_Q5_1, 0.0336, 0.0415},
    {LLI_Q2_K, 0.262, 0.300},  {LLI_Q3_K, 0.145, 0.182},    {LLI_Q4_K, 0.0702, 0.0870},  {LLI_Q5_K, 0.0346, 0.0428},
    {LLI_Q6_K, 0.0167, 0.022}, {LLI_IQ4_NL, 0.0741, 0.094}, {LLI_IQ4_XS, 0.0747, 0.095},
};

enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

static struct lli_kernels kernels;
static uint64_t seed;
static float x[N], back[N];
static uint8_t blocks[N * 4 + 1];

static double normal(void)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (double)support_random_float(&seed);
    return sum / 2;
}

/* Weights as networks have them: of some 0.02. */
static void fill(int is_heavy)
{
    for (size_t i = 0; i < N; i++) {
        double v = normal(), chi = 0;
        for (int k = 0; k < 4 && is_heavy; k++) {
            double u = normal();
            chi += u * u / 4;
        }
        x[i] = (float)(0.02 * (is_heavy ? v / sqrt(chi) : v));
    }
}

/* Encodes x[n], one byte off any alignment, checks that the blocks are finite, and decodes them. */
static void around(const struct lli_dtype *type, size_t n)
{
    size_t bytes = lli_dtype_row_bytes(type, n);
    memset(blocks, 0xa5, sizeof blocks);
    lli_encoders_find(type->id)(blocks + 1, x, n);
    assert_int_equal(blocks[0], 0xa5);
    if (1 + bytes < sizeof blocks)
        assert_int_equal(blocks[1 + bytes], 0xa5);
    assert_true(lli_dtype_check(type, blocks + 1, n / type->block) == -1);
    kernels.dequant[type->id](back, blocks + 1, n);
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(back[i]));
}

static double error(size_t n)
{
    double errors = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double e = (double)back[i] - (double)x[i];
        errors += e * e;
        squares += (double)x[i] * (double)x[i];
    }
    return sqrt(errors / squares);
}

static int set_up(void **state)
{
    (void)state;
    lli_fill_scalar(&kernels);
    return 0;
}

static void test_every_type_has_one(void **state)
{
    size_t n = 0;
    (void)state;
    for (uint32_t id = 0; id < 100; id++) {
        assert_int_equal(lli_encoders_find(id) != NULL, lli_dtype_find(id) != NULL && id != LLI_MXFP4); /* is read only */
        n += lli_encoders_find(id) != NULL;
    }
    assert_int_equal(n, N_ROWS);
}

static void test_errors(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_ROWS; r++)
        for (int is_heavy = 0; is_heavy < 2; is_heavy++) {
            const struct lli_dtype *type = lli_dtype_find(ROWS[r].type);
            double most = is_heavy ? ROWS[r].heavy : ROWS[r].normal, found;
            seed = 7;
            fill(is_heavy);
            around(type, N);
            found = error(N);
            if (found > most || found < most * 0.9)
                fail_msg("%s: error %.5f, want at most %.5f and near it", type->name, found, most);
        }
}

/* What a type holds exactly comes back: its own weights, one more time around. */
static void test_own_weights(void **state)
{
    (void)state;
    seed = 8;
    for (size_t r = 0; r < N_ROWS; r++) {
        const struct lli_dtype *type = lli_dtype_find(ROWS[r].type);
        fill(0);
        around(type, N);
        memcpy(x, back, sizeof x);
        around(type, N);
        if (error(N) > ROWS[r].normal / 3)
            fail_msg("%s: error %.5f of its own weights", type->name, error(N));
    }
}

/* A block does not see its neighbours. */
static void test_blocks_are_apart(void **state)
{
    static uint8_t alone[1024];
    (void)state;
    seed = 9;
    fill(1);
    for (size_t r = 0; r < N_ROWS; r++) {
        const struct lli_dtype *type = lli_dtype_find(ROWS[r].type);
        around(type, 8 * 256);
        for (size_t i = 0; i < 8 * 256; i += 256) {
            lli_encoders_find(type->id)(alone, x + i, 256);
            assert_memory_equal(alone, blocks + 1 + lli_dtype_row_bytes(type, i), lli_dtype_row_bytes(type, 256));
        }
    }
}

/* Weights that leave a search nothing to search for, or lie beyond what blocks hold. Kind by kind, the largest error allowed
 * relative to the largest weight; 0: none is asked for, the blocks shall only be finite. */
static const char *extreme(int kind, double *allowed)
{
    float one = support_random_float(&seed);
    *allowed = 0;
    for (size_t i = 0; i < 256; i++) {
        float v = support_random_float(&seed);
        switch (kind) {
        case 0:
            x[i] = i % 2 ? 0.0f : -0.0f;
            break;
        case 1:
            x[i] = one;
            break;
        case 2:
            x[i] = i < 32 ? 0.0f : i == 77 ? one : 0.0f;
            break;
        case 3:
            x[i] = v * 0x1p-140f;
            break;
        case 4:
            x[i] = v * 3.4e38f;
            break;
        case 5:
            x[i] = i % 3 ? v * 1e-30f : v * 1e30f;
            break;
        case 6:
            x[i] = v * 0x1p-22f;
            break;
        case 7:
            x[i] = one + v * 0x1p-20f;
            break;
        case 8:
            x[i] = i % 16 ? v * 1e-20f : v;
            break;
        case 9:
            x[i] = i < 128 ? v * 1e-38f : v;
            break;
        case 10:
            x[i] = v < 0 ? one : -one;
            break;
        default:
            return NULL;
        }
    }
    *allowed = kind == 4 || kind == 5 ? 0 : kind == 3 || kind == 6 ? 1.5 : 0.34;
    return "";
}

static void test_extremes(void **state)
{
    double allowed;
    (void)state;
    seed = 10;
    for (int kind = 0; extreme(kind, &allowed) != NULL; kind++)
        for (size_t r = 0; r < N_ROWS; r++) {
            const struct lli_dtype *type = lli_dtype_find(ROWS[r].type);
            float largest = 0;
            around(type, 256);
            for (size_t i = 0; i < 256; i++)
                largest = fmaxf(largest, fabsf(x[i]));
            for (size_t i = 0; i < 256 && allowed > 0; i++)
                if (fabs((double)back[i] - (double)x[i]) > allowed * (double)largest)
                    fail_msg("%s, kind %d, element %zu: %g became %g", type->name, kind, i, (double)x[i], (double)back[i]);
            for (size_t i = 0; i < 256 && kind == 0; i++)
                assert_true(back[i] == 0);
        }
}

/* What is too large becomes the largest of its sign. */
static void test_saturation(void **state)
{
    (void)state;
    for (size_t i = 0; i < 256; i++)
        x[i] = i % 2 ? 3.4e38f : -3.4e38f;
    around(lli_dtype_find(LLI_F16), 256);
    assert_true(back[0] == -65504 && back[1] == 65504);
    around(lli_dtype_find(LLI_BF16), 256);
    assert_true(back[0] == -0x1.fep127f && back[1] == 0x1.fep127f);
    around(lli_dtype_find(LLI_Q8_0), 256);
    assert_true(back[0] == -65504.0f * 127 && back[1] == 65504.0f * 127);
    around(lli_dtype_find(LLI_Q6_K), 256);
    assert_true(back[0] < -65504.0f * 31 * 127 && back[1] > 65504.0f * 31 * 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_has_one), cmocka_unit_test(test_errors),   cmocka_unit_test(test_own_weights),
        cmocka_unit_test(test_blocks_are_apart),   cmocka_unit_test(test_extremes), cmocka_unit_test(test_saturation),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
