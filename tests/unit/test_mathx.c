/* Functions in our own bits against the C library's, in long double; fma against its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/fenv.h"
#include "base/mathx.h"
#include "support/support.h"

static uint64_t seed = 7;

/* Uniform between low and high. */
static double between(double low, double high)
{
    return low + (high - low) * ((double)(support_random(&seed) >> 11) * 0x1p-53);
}

static double ulps(double got, long double want, int digits, int least)
{
    int exponent;
    frexpl(want, &exponent);
    exponent = exponent - digits > least ? exponent - digits : least;
    return (double)(fabsl((long double)got - want) / ldexpl(1, exponent));
}

static double ulps_f64(double got, long double want)
{
    return ulps(got, want, 53, -1074);
}

static void test_exp_f32(void **state)
{
    double worst = 0;
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        float x = (float)between(-64, 88.7);
        worst = fmax(worst, ulps(lli_exp_f32(x), expl(x), 24, -149));
    }
    assert_true(worst <= 1);
    assert_true(lli_exp_f32(0.0f) == 1 && lli_exp_f32(-0.0f) == 1);
    assert_true(lli_exp_f32(-64.0f) > 0 && lli_exp_f32(-64.00001f) == 0);
    assert_true(isfinite(lli_exp_f32(88.7f)) && isinf(lli_exp_f32(88.70001f)));
    assert_true(lli_exp_f32(-INFINITY) == 0 && lli_exp_f32(INFINITY) == INFINITY && isnan(lli_exp_f32(NAN)));
}

static void test_tanh_f32(void **state)
{
    double worst = 0;
    (void)state;
    for (int i = 0; i < 500000; i++) {
        float x = (float)between(-12, 12), small = (float)(between(-1, 1) * exp(between(-100, 0)));
        worst = fmax(worst, ulps(lli_tanh_f32(x), tanhl(x), 24, -149));
        worst = fmax(worst, ulps(lli_tanh_f32(small), tanhl(small), 24, -149));
        assert_true(lli_tanh_f32(-x) == -lli_tanh_f32(x));
    }
    assert_true(worst <= 1.5);
    assert_true(lli_tanh_f32(50.0f) == 1 && lli_tanh_f32(-INFINITY) == -1 && isnan(lli_tanh_f32(NAN)));
    assert_true(lli_tanh_f32(0.0f) == 0 && signbit(lli_tanh_f32(-0.0f)) && lli_tanh_f32(0x1p-149f) == 0x1p-149f);
}

static void test_exp_log_pow(void **state)
{
    double exp_worst = 0, log_worst = 0, pow_worst = 0;
    (void)state;
    for (int i = 0; i < 300000; i++) {
        double x = between(-745, 709), base = exp(between(0, 27.6)), y = between(-1, 0);
        exp_worst = fmax(exp_worst, ulps_f64(lli_exp_f64(x), expl(x)));
        x = exp(between(-740, 700));
        log_worst = fmax(log_worst, ulps_f64(lli_log_f64(x), logl(x)));
        x = between(0.9, 1.1);
        log_worst = fmax(log_worst, ulps_f64(lli_log_f64(x), logl(x)));
        pow_worst = fmax(pow_worst, ulps_f64(lli_pow_f64(base, y), powl(base, y)));
    }
    assert_true(exp_worst <= 2);
    assert_true(log_worst <= 2);
    assert_true(pow_worst <= 2);
    assert_true(lli_exp_f64(0) == 1 && lli_exp_f64(-1e300) == 0 && lli_exp_f64(-INFINITY) == 0 && isinf(lli_exp_f64(1e300)));
    assert_true(lli_log_f64(1) == 0 && isinf(lli_log_f64(0)) && isnan(lli_log_f64(-1)) && isnan(lli_log_f64(NAN)));
    assert_true(lli_log_f64(INFINITY) == INFINITY);
    assert_true(isnan(lli_pow_f64(-2, 1)) && isnan(lli_pow_f64(0, 1)) && isnan(lli_pow_f64(NAN, 1)));
    assert_true(lli_pow_f64(10000, 0) == 1 && lli_pow_f64(10000, -0.5) == 0.01 && lli_pow_f64(1, -0.3) == 1);
}

static void test_sincos(void **state)
{
    double worst = 0, s, c;
    (void)state;
    for (int i = 0; i < 600000; i++) {
        double x = i % 3 == 0 ? between(-4, 4) : i % 3 == 1 ? floor(between(0, 0x1p28)) : between(-0x1p31, 0x1p31);
        lli_sincos_f64(&s, &c, x);
        worst = fmax(worst, fmax(ulps_f64(s, sinl(x)), ulps_f64(c, cosl(x))));
    }
    for (int n = 1; n < 100000; n++) { /* where one of them nearly vanishes */
        double x = n * 1.5707963267948966;
        lli_sincos_f64(&s, &c, x);
        worst = fmax(worst, fmax(ulps_f64(s, sinl(x)), ulps_f64(c, cosl(x))));
    }
    assert_true(worst <= 2);
    lli_sincos_f64(&s, &c, 0);
    assert_true(s == 0 && c == 1);
    lli_sincos_f64(&s, &c, 1e10);
    assert_true(isnan(s) && isnan(c));
}

static float float_of(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float x;
    memcpy(&x, &word, sizeof x);
    return x;
}

static int same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void test_fma(void **state)
{
    (void)state;
    for (int i = 0; i < 2000000; i++) {
        float a = float_of(support_random(&seed)), b = float_of(support_random(&seed)), c = float_of(support_random(&seed));
        if (i % 2)
            c = -(a * b) * (float)between(1 - 1e-6, 1 + 1e-6); /* where nearly all cancels */
        if (!same(lli_fma_f32(a, b, c), fmaf(a, b, c)))
            fail_msg("fma(%a, %a, %a)", (double)a, (double)b, (double)c);
    }
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check_fma_f64(double a, double b, double c)
{
    double got = lli_fma_f64(a, b, c), want = fma(a, b, c);
    if (!(isnan(got) && isnan(want)) && memcmp(&got, &want, sizeof got) != 0)
        fail_msg("fma(%a, %a, %a) is %a, want %a", a, b, c, got, want);
}

static void test_fma_f64(void **state)
{
    static const double special[] = {0.0,
                                     -0.0,
                                     1.0,
                                     -1.0,
                                     0x1p-1074,
                                     -0x1p-1074,
                                     0x1p-1022,
                                     3.0,
                                     INFINITY,
                                     -INFINITY,
                                     NAN,
                                     0x1p-537,
                                     0x1.fffffffffffffp1023,
                                     -0x1p1023,
                                     0.5,
                                     0x1p537,
                                     0x1p-53,
                                     0x1p-106,
                                     0x1p970,
                                     -0x1.8p-1074};
    enum { N_SPECIAL = sizeof special / sizeof special[0] };
    (void)state;
    for (int i = 0; i < N_SPECIAL * N_SPECIAL * N_SPECIAL; i++)
        check_fma_f64(special[i % N_SPECIAL], special[i / N_SPECIAL % N_SPECIAL], special[i / N_SPECIAL / N_SPECIAL]);
    for (int i = 0; i < 600000; i++) { /* any bits; products near the smallest numbers; such of nearly equal size */
        double a = double_of(support_random(&seed)), b = double_of(support_random(&seed)), c = double_of(support_random(&seed));
        check_fma_f64(a, b, c);
        a = between(-1, 1) * exp(between(-372, -368));
        b = between(-1, 1) * exp(between(-372, -368));
        check_fma_f64(a, b, (double)(int)(support_random(&seed) % 64) * 0x1p-1074);
        a = between(-1, 1) * exp(between(-40, 40));
        b = between(-1, 1) * exp(between(-40, 40));
        check_fma_f64(a, b, -(a * b) * between(1 - 1e-15, 1 + 1e-15));
        check_fma_f64(a, b, a * b * between(-1, 1) * ldexp(1, (int)(support_random(&seed) % 240) - 120));
    }
}

/* The states that a host may have set do not reach the arithmetic, and come back. */
static void test_fenv(void **state)
{
    volatile float tiny = 0x1p-149f;
    uint64_t before = lli_fenv_enter(), inside = lli_fenv_enter();
    (void)state;
    assert_true(tiny * 1.0f != 0);
    lli_fenv_leave(inside);
    lli_fenv_leave(before);
    assert_true(lli_fenv_enter() == before);
    lli_fenv_leave(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_f32), cmocka_unit_test(test_tanh_f32), cmocka_unit_test(test_exp_log_pow),
        cmocka_unit_test(test_sincos),  cmocka_unit_test(test_fma),      cmocka_unit_test(test_fma_f64),
        cmocka_unit_test(test_fenv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
