/* base/mathx.c - exp, log, pow, sin and cos of binary64. An argument is reduced to a small one without loss that matters,
 * which goes through a polynomial of Taylor: its coefficients are quotients of integers, which every compiler rounds alike,
 * and a few terms more than a minimax polynomial has cost nothing here. Where one double is not enough a value is the sum of
 * two (Dekker, "A floating-point technique for extending the available precision", 1971). */
#include "base/mathx.h"

#include <float.h>

struct pair {
    double high, low; /* |low| <= ulp(high) / 2 */
};

static const struct pair ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const struct pair ln2_short = {0x1.62e42feep-1, 0x1.a39ef35793c76p-33}; /* n * high is exact below n = 2^20 */
static const double half_pi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for a normal result. */
static double power_of_2(int n)
{
    return from_bits((uint64_t)(n + 1023) << 52);
}

/* The nearest integer, ties to even, |x| < 2^51. */
static double nearest(double x)
{
    return (x + 0x1.8p52) - 0x1.8p52;
}

/* Error-free. */
static struct pair add(double a, double b)
{
    double s = a + b, part = s - a;
    return (struct pair){s, (a - (s - part)) + (b - part)};
}

/* Error-free. */
static struct pair multiply(double a, double b)
{
    double p = a * b;
    return (struct pair){p, lli_fma_f64(a, b, -p)};
}

static struct pair add_pairs(struct pair a, struct pair b)
{
    struct pair s = add(a.high, b.high);
    return add(s.high, s.low + (a.low + b.low));
}

static struct pair multiply_pairs(struct pair a, struct pair b)
{
    struct pair p = multiply(a.high, b.high);
    return add(p.high, p.low + (a.high * b.low + a.low * b.high));
}

/* Horner, highest coefficient first. */
static double polynomial(const double *c, int n, double x)
{
    double y = c[0];
    for (int i = 1; i < n; i++)
        y = y * x + c[i];
    return y;
}

#define TERMS(table) (int)(sizeof(table) / sizeof(table)[0])

/* exp(r) = 1 + (r + r^2 (1/2! + r/3! + ...)), |r| <= ln(2) / 2. */
static const double exp_terms[] = {1 / 87178291200.0, 1 / 6227020800.0, 1 / 479001600.0, 1 / 39916800.0, 1 / 3628800.0,
                                   1 / 362880.0,      1 / 40320.0,      1 / 5040.0,      1 / 720.0,      1 / 120.0,
                                   1 / 24.0,          1 / 6.0,          1 / 2.0};

double lli_exp_f64(double x)
{
    if (x != x)
        return x;
    if (x > 709.8)
        return __builtin_inf();
    if (x < -745.2)
        return 0;
    double n = nearest(x * 0x1.71547652b82fep+0);
    double r = (x - n * ln2_short.high) - n * ln2_short.low;
    double y = 1 + (r + r * r * polynomial(exp_terms, TERMS(exp_terms), r));
    int half = (int)n / 2; /* in two steps: 2^n alone may be no normal number */
    return y * power_of_2(half) * power_of_2((int)n - half);
}

/* log(m) = 2 atanh(s) = 2 (s + s^3 (1/3 + s^2 (1/5 + ...))), s = (m - 1) / (m + 1), |s| < 0.172. */
static const struct pair third = {1 / 3.0, 0x1.5555555555555p-56};
static const double atanh_terms[] = {1 / 27.0, 1 / 25.0, 1 / 23.0, 1 / 21.0, 1 / 19.0, 1 / 17.0,
                                     1 / 15.0, 1 / 13.0, 1 / 11.0, 1 / 9.0,  1 / 7.0,  1 / 5.0};

static struct pair atanh_of(struct pair s)
{
    struct pair square = multiply_pairs(s, s), tail;
    tail = add_pairs(third, (struct pair){square.high * polynomial(atanh_terms, TERMS(atanh_terms), square.high), 0});
    return add_pairs(s, multiply_pairs(multiply_pairs(s, square), tail));
}

/* Finite x > 0. */
static struct pair log_of(double x)
{
    int exponent = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        exponent = -54;
    }
    exponent += (int)(bits_of(x) >> 52) - 1023;
    double m = from_bits((bits_of(x) & 0xfffffffffffff) | bits_of(1));
    if (m > 0x1.6a09e667f3bcdp+0) { /* sqrt(2) */
        m *= 0.5;
        exponent++;
    }
    double up = m - 1; /* exact */
    struct pair down = add(m, 1), s = {up / down.high, 0};
    s.low = (lli_fma_f64(-s.high, down.high, up) - s.high * down.low) / down.high;
    struct pair y = atanh_of(s), whole = multiply(exponent, ln2.high);
    whole.low += exponent * ln2.low;
    return add_pairs(whole, (struct pair){2 * y.high, 2 * y.low});
}

double lli_log_f64(double x)
{
    if (!(x > 0))
        return x == 0 ? -__builtin_inf() : __builtin_nan("");
    return x > DBL_MAX ? x : log_of(x).high;
}

double lli_pow_f64(double x, double y)
{
    if (!(x > 0 && x <= DBL_MAX))
        return __builtin_nan("");
    struct pair l = log_of(x), p = multiply(y, l.high);
    double e = lli_exp_f64(p.high);
    return e > 0 && e <= DBL_MAX ? e + e * (p.low + y * l.low) : e;
}

/* sin(r) = r + r^3 * (...), cos(r) = 1 - r^2 / 2 + r^4 * (...), |r| <= pi / 4. */
static const double sin_terms[] = {-1 / 121645100408832000.0,
                                   1 / 355687428096000.0,
                                   -1 / 1307674368000.0,
                                   1 / 6227020800.0,
                                   -1 / 39916800.0,
                                   1 / 362880.0,
                                   -1 / 5040.0,
                                   1 / 120.0,
                                   -1 / 6.0};
static const double cos_terms[] = {-1 / 6402373705728000.0, 1 / 20922789888000.0, -1 / 87178291200.0, 1 / 479001600.0,
                                   -1 / 3628800.0,          1 / 40320.0,          -1 / 720.0,         1 / 24.0};

static double sin_of(struct pair r)
{
    double square = r.high * r.high;
    double tail = r.high * square * polynomial(sin_terms, TERMS(sin_terms), square);
    return r.high + (tail + r.low * (1 - square / 2));
}

static double cos_of(struct pair r)
{
    struct pair square = multiply(r.high, r.high), one = add(1, -square.high / 2);
    double tail = square.high * square.high * polynomial(cos_terms, TERMS(cos_terms), square.high);
    return one.high + (one.low + (tail - (square.low / 2 + r.high * r.low)));
}

/* x - n * pi / 2 with three doubles of pi (Cody, Waite, "Software manual for the elementary functions", 1980): the first
 * difference is exact, since it is below 1 and a multiple of the last bit of x or of pi / 2, and what is left behind the third
 * is below 2^-130. No double up to 2^31 is nearer than about 2^-60 to a multiple of pi / 2. */
static struct pair reduce(double x, double n)
{
    struct pair far = multiply(-n, half_pi[1]), r = add(lli_fma_f64(-n, half_pi[0], x), far.high);
    return add(r.high, r.low + lli_fma_f64(-n, half_pi[2], far.low));
}

void lli_sincos_f64(double *sin_out, double *cos_out, double x)
{
    if (!(x >= -0x1p31 && x <= 0x1p31)) {
        *sin_out = *cos_out = __builtin_nan("");
        return;
    }
    double n = nearest(x * 0x1.45f306dc9c883p-1);
    struct pair r = reduce(x, n);
    double s = sin_of(r), c = cos_of(r);
    unsigned quarter = (unsigned)((int64_t)n & 3);
    *sin_out = quarter & 1 ? c : s;
    *cos_out = quarter & 1 ? s : c;
    if (quarter >= 2)
        *sin_out = -*sin_out;
    if (quarter == 1 || quarter == 2)
        *cos_out = -*cos_out;
}
