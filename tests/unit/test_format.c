/* Formatting and number reading, against the C library as oracle. */
#include "base/format.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support.h"

#define BIG 2048

/* The formats of these tables are data on purpose. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

/* Both texts and their lengths, whole and cut. The arguments are evaluated more than once. */
#define SAME(...)                                                                                                              \
    do {                                                                                                                       \
        char ours[BIG], theirs[BIG], cut[9];                                                                                   \
        int n = snprintf(theirs, sizeof theirs, __VA_ARGS__);                                                                  \
        assert_int_equal(lli_format(ours, sizeof ours, __VA_ARGS__), n);                                                       \
        assert_string_equal(ours, theirs);                                                                                     \
        assert_int_equal(lli_format(cut, sizeof cut, __VA_ARGS__), n);                                                         \
        theirs[sizeof cut - 1] = '\0';                                                                                         \
        assert_string_equal(cut, theirs);                                                                                      \
    } while (0)

static double random_double(uint64_t *seed)
{
    uint64_t bits = support_random(seed);
    double value;
    switch (support_random(seed) % 8) {
    case 0: /* subnormal */
        bits &= ~(0x7FFull << 52);
        break;
    case 1: /* ties in decimal */
        return (double)(int64_t)(bits % 200001 - 100000) / 16;
    case 2: /* what people write */
        return (double)(int64_t)(bits % 20000001 - 10000000) / 1000;
    case 3:
        return (double)(bits >> 11) * 0x1p-53;
    default:
        break;
    }
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 1.5;
}

static void integers(void **state)
{
    (void)state;
    static const char *const int_formats[] = {"%d",     "%i",  "%5d",  "%-5d|", "%05d",   "%.3d", "%8.3d", "%-8.3d|",
                                              "%08.3d", "%hd", "%hhd", "%.0d",  "%-05d|", "%15d", "[%1d]"};
    static const char *const unsigned_formats[] = {"%u", "%x", "%08x", "%-8x|", "%.5x", "%hu", "%hhx", "%.0u", "%3u"};
    static const int ints[] = {0, 1, -1, 9, 10, -10, 42, 127, 128, -129, 32768, 123456, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        for (size_t f = 0; f < sizeof int_formats / sizeof *int_formats; f++)
            SAME(int_formats[f], ints[i]);
        for (size_t f = 0; f < sizeof unsigned_formats / sizeof *unsigned_formats; f++)
            SAME(unsigned_formats[f], (unsigned)ints[i]);
    }
    SAME("%ld %lld %jd %zd", LONG_MIN, LLONG_MIN, INTMAX_MAX, (ptrdiff_t)-7);
    SAME("%lu %llu %ju %zu %llx", ULONG_MAX, ULLONG_MAX, UINTMAX_MAX, SIZE_MAX, 0xDEADBEEFCAFEull);
    SAME("%*d|%-*d|%*d|%.*d|%.*d|", 6, 42, 6, 42, -6, 42, 4, 42, -1, 42);
    SAME("%p", (void *)(uintptr_t)0xABCDEF);
}

static void strings(void **state)
{
    (void)state;
    SAME("plain");
    SAME("100%% %c%c", 'a', 'z');
    SAME("%s|%5s|%-5s|%.2s|%5.1s|%.0s|", "abc", "abc", "abc", "abc", "abc", "abc");
    SAME("%.*s|%.*s", 2, "xyz", -1, "xyz");
    SAME("%-4c|%4c", 'x', 'y');
    const char unterminated[3] = {'a', 'b', 'c'}; /* a precision bounds what is read */
    char out[8];
    assert_int_equal(lli_format(out, sizeof out, "%.3s", unterminated), 3);
    assert_string_equal(out, "abc");
    const char *volatile nothing = NULL; /* volatile: compilers would see through it and object */
    assert_int_equal(lli_format(out, sizeof out, "%s", nothing), 6);
    assert_string_equal(out, "(null)");
}

static void capacities(void **state)
{
    (void)state;
    char out[4] = {'?', '?', '?', '?'};
    assert_int_equal(lli_format(NULL, 0, "%d", 12345), 5);
    assert_int_equal(lli_format(out, 1, "%d", 12345), 5);
    assert_int_equal(out[0], '\0');
    assert_int_equal(out[1], '?');
    assert_int_equal(lli_format(out, 3, "%s", "abcdef"), 6);
    assert_string_equal(out, "ab");
    assert_int_equal(out[3], '?');
    const char *odd = "50%"; /* a format that ends too early shows itself */
    assert_int_equal(lli_format(out, sizeof out, odd), 3);
    assert_string_equal(out, "50%");
    assert_int_equal(lli_format(NULL, 0, "%1000000d", 1), 1000000);
}

static void floats(void **state)
{
    (void)state;
    static const char *const formats[] = {"%g",    "%f",      "%.17g", "%.0f",    "%.1f",     "%.3f",
                                          "%.1g",  "%.0g",    "%.9g",  "%20.5g|", "%-20.2f|", "%020f",
                                          "%012g", "%-012g|", "%.40g", "%.60f",   "%.800g",   "%.1100f"};
    static const double fixed[] = {0.0,
                                   -0.0,
                                   1,
                                   -1,
                                   0.5,
                                   1.5,
                                   2.5,
                                   0.1,
                                   9.995,
                                   9.9999995,
                                   99999.95,
                                   999999.5,
                                   1e5,
                                   1e6,
                                   123456,
                                   1e-4,
                                   9.9999e-5,
                                   1e15,
                                   1e16,
                                   1e21,
                                   1e22,
                                   1e23,
                                   1e100,
                                   DBL_MAX,
                                   DBL_MIN,
                                   DBL_EPSILON,
                                   5e-324,
                                   0x1.fffffffffffffp-1023,
                                   0.000123456789,
                                   1e-307};
    uint64_t seed = 1;
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
            SAME(formats[f], fixed[i]);
        for (int i = 0; i < 300; i++) {
            double value = random_double(&seed);
            SAME(formats[f], value);
        }
    }
    SAME("%f %g %5.1f|%-8g|%08f|%8g", (double)INFINITY, -(double)INFINITY, (double)INFINITY, (double)INFINITY, (double)INFINITY,
         (double)NAN);
}

static double read(const char *text)
{
    double value = -12345;
    assert_int_equal(lli_format_read_float(&value, text, strlen(text)), 0);
    return value;
}

static void assert_same_bits(double ours, double theirs, const char *text)
{
    if (memcmp(&ours, &theirs, sizeof ours) != 0)
        fail_msg("%s: %a, want %a", text, ours, theirs);
}

static void assert_reads(const char *text)
{
    assert_same_bits(read(text), strtod(text, NULL), text);
}

static void floats_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        double value = random_double(&seed);
        char text[40];
        lli_format(text, sizeof text, "%.17g", value);
        assert_same_bits(read(text), value, text);
    }
}

static void floats_read_as_strtod(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "+0",
        "0.0e5",
        "1",
        "+1",
        "-1.5",
        ".5",
        "5.",
        "00012",
        "1e0",
        "1E+5",
        "1e-5",
        "1e00005",
        "0e999999999999999999999",
        "0.1",
        "0.3",
        "3.14159265358979323846264338327950288",
        "123456789012345678901234567890",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0000000000000000000000000001",
        "9007199254740992.9999999999999999999999999999",
        "9007199254740995",
        "1e22",
        "1e23",
        "8.5e22",
        "6.02214076e23",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.225073858507201136e-308",
        "4.9406564584124654e-324",
        "5e-324",
        "3e-324",
        "2.4703282292062328e-324",
        "2.4703282292062327e-324",
        "2e-324",
        "1e-400",
        "1e-99999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "179769313486231580793728971405301e276",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000001e81",
        "10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000e-94",
        "7.2057594037927933e16",
        "7.2057594037927945e16",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "6929495644600919.5",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.1897654329e-300",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reads(texts[i]);

    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        unsigned n_digits = 1 + (unsigned)(support_random(&seed) % 30), at = 0,
                 point = (unsigned)(support_random(&seed) % n_digits);
        for (unsigned j = 0; j < n_digits; j++) {
            if (j == point)
                text[at++] = '.';
            text[at++] = (char)('0' + support_random(&seed) % 10);
        }
        int exponent = (int)(support_random(&seed) % 600) - 330;
        snprintf(text + at, sizeof text - at, "e%d", exponent > 270 ? 5 : exponent);
        assert_reads(text);
    }
}

/* Exactly half way between two neighbours, and one digit 1 far behind it, on both sides of it. */
static void floats_half_way(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int i = 0; i < 1000; i++) {
        uint64_t bits = support_random(&seed) >> 1;
        if (i % 4 == 0)
            bits &= (1ull << 53) - 1; /* the smallest */
        if (bits >= 0x7FEull << 52)
            continue;
        double value, next;
        memcpy(&value, &bits, sizeof value);
        bits++;
        memcpy(&next, &bits, sizeof next);
        double even = bits & 1 ? value : next;
        char text[2 * BIG];
        long double middle = (long double)value + ((long double)next - (long double)value) / 2; /* 64 bits: exact */
        size_t n = (size_t)snprintf(text, BIG, "%.1100Lf", middle);
        assert_same_bits(read(text), even, text);
        memset(text + n, '0', 900);
        strcpy(text + n + 900, "1");
        assert_same_bits(read(text), next, text);
        text[n + 900] = '0';
        assert_same_bits(read(text), even, text);
    }
}

static void overflow_and_nonsense(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "1 ",
                                      " 1",
                                      "+",
                                      "-",
                                      ".",
                                      "e5",
                                      "1e",
                                      "1e+",
                                      "--1",
                                      "+-1",
                                      "1.2.3",
                                      "nan",
                                      "inf",
                                      "-inf",
                                      "NaN",
                                      "Infinity",
                                      "0x10",
                                      "1,5",
                                      "1f",
                                      "1e5.0",
                                      ".e1",
                                      "1_000",
                                      "\xd9\xa1",
                                      "1e309",
                                      "-1e309",
                                      "1.7976931348623159e308",
                                      "1e99999999999999999999",
                                      "2e308",
                                      "1e1000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 77;
        if (lli_format_read_float(&value, bad[i], strlen(bad[i])) != -1 || value != 77)
            fail_msg("%s was read as %g", bad[i], value);
    }
    double value = 0;
    assert_int_equal(lli_format_read_float(&value, "12garbage", 2), 0); /* no more than n bytes */
    assert_true(value == 12);
    assert_int_equal(lli_format_read_float(&value, "1\0", 2), -1);

    /* A megabyte of digits: linear, and the last one still counts. */
    size_t n = 1 << 20;
    char *text = malloc(n);
    memset(text, '0', n);
    memcpy(text, "9007199254740993.", 17);
    assert_int_equal(lli_format_read_float(&value, text, n), 0);
    assert_true(value == 9007199254740992.0);
    text[n - 1] = '1';
    assert_int_equal(lli_format_read_float(&value, text, n), 0);
    assert_true(value == 9007199254740994.0);
    /* Nor is one lost in the last decimal place that is kept whole, where halving drops it. */
    memset(text + 17, '0', n - 17);
    text[17 + 1079] = '1';
    assert_int_equal(lli_format_read_float(&value, text, n), 0);
    assert_true(value == 9007199254740994.0);
    free(text);
}

static void integers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"-7", -7},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"-9223372036854775807", -INT64_MAX}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "1a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 99;
        assert_int_equal(lli_format_read_int(&value, good[i].text, strlen(good[i].text)), 0);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 99;
        assert_int_equal(lli_format_read_int(&value, bad[i], strlen(bad[i])), -1);
        assert_true(value == 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),          cmocka_unit_test(strings),
        cmocka_unit_test(capacities),        cmocka_unit_test(floats),
        cmocka_unit_test(floats_round_trip), cmocka_unit_test(floats_read_as_strtod),
        cmocka_unit_test(floats_half_way),   cmocka_unit_test(overflow_and_nonsense),
        cmocka_unit_test(integers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
