/* The polynomials are Taylor's: their coefficients are quotients of small integers, which every compiler rounds alike, and a
 * few terms more than a minimax one needs cost nothing here. Where one double is not enough a value is the sum of two. */
#include "base/mathx.h"

struct pair {
    double high, low; /* |low| <= ulp(high) / 2 */
};

static const struct pair ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
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

static double nearest(double x)
{
    return (x + 0x1.8p52) - 0x1.8p52;
}

static struct pair add(double a, double b)
{
    double s = a + b, part = s - a;
    return (struct pair){s, (a - (s - part)) + (b - part)};
}

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

/* Horner by fma, highest coefficient first. */
static double polynomial(const double *c, int n, double x)
{
    double y = c[0];
    for (int i = 1; i < n; i++)
        y = lli_fma_f64(y, x, c[i]);
    return y;
}

/* exp(r), |r| <= ln(2) / 2: the sum of r^k / k! up to k = 14. */
static const double exp_terms[] = {
    1 / 87178291200.0, 1 / 6227020800.0, 1 / 479001600.0, 1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, 1 / 40320.0, 1 / 5040.0,
    1 / 720.0,         1 / 120.0,        1 / 24.0,        1 / 6.0,        0.5,           1.0,          1.0};

double lli_exp_f64(double x)
{
    double n, r;
    int half;
    if (x != x)
        return x;
    if (x > 709.8)
        return __builtin_inf();
    if (x < -745.2)
        return 0;
    n = nearest(x / ln2.high);
    r = lli_fma_f64(-n, ln2.high, x);
    r = lli_fma_f64(-n, ln2.low, r);
    half = (int)n / 2; /* in two steps: 2^n alone may be no normal number */
    return polynomial(exp_terms, 15, r) * power_of_2(half) * power_of_2((int)n - half);
}

/* log(m) = 2 atanh(s) = 2 (s + s^3 (1/3 + s^2 (1/5 + ...))), s = (m - 1) / (m + 1), |s| < 0.172. */
static const double atanh_terms[] = {1 / 27.0, 1 / 25.0, 1 / 23.0, 1 / 21.0, 1 / 19.0, 1 / 17.0,
                                     1 / 15.0, 1 / 13.0, 1 / 11.0, 1 / 9.0,  1 / 7.0,  1 / 5.0};

static struct pair log_pair(double x)
{
    static const struct pair third = {1 / 3.0, 0x1.5555555555555p-56};
    int exponent = 0;
    struct pair s, square, denominator, tail, e;
    double m, numerator;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    exponent += (int)(bits_of(x) >> 52) - 1023;
    m = from_bits((bits_of(x) & 0xfffffffffffff) | (uint64_t)1023 << 52);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    numerator = m - 1; /* exact */
    denominator = add(m, 1);
    s.high = numerator / denominator.high;
    s.low = (lli_fma_f64(-s.high, denominator.high, numerator) - s.high * denominator.low) / denominator.high;
    square = multiply_pairs(s, s);
    tail = add_pairs(third, (struct pair){square.high * polynomial(atanh_terms, 12, square.high), 0});
    tail = multiply_pairs(multiply_pairs(s, square), tail);
    s = add_pairs(s, tail);
    e = multiply(exponent, ln2.high);
    e.low += exponent * ln2.low;
    return add_pairs(e, (struct pair){2 * s.high, 2 * s.low});
}

double lli_log_f64(double x)
{
    struct pair y;
    if (!(x > 0) || x > 0x1.fffffffffffffp1023)
        return x == 0 ? -__builtin_inf() : x > 0 ? x : __builtin_nan("");
    y = log_pair(x);
    return y.high + y.low;
}

double lli_pow_f64(double x, double y)
{
    struct pair l = log_pair(x), p = multiply(y, l.high);
    double e;
    p = add(p.high, p.low + y * l.low);
    e = lli_exp_f64(p.high);
    return e > 0x1.fffffffffffffp1023 ? e : lli_fma_f64(e, p.low, e);
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
    double tail = lli_fma_f64(r.high * square, polynomial(sin_terms, 9, square), r.low * (1 - square / 2));
    return r.high + tail;
}

static double cos_of(struct pair r)
{
    struct pair square = multiply(r.high, r.high), one = add(1, -square.high / 2);
    double tail = square.high * square.high * polynomial(cos_terms, 8, square.high);
    return one.high + (one.low + (tail - (square.low / 2 + r.high * r.low)));
}

void lli_sincos_f64(double *sin_out, double *cos_out, double x)
{
    double n, s, c;
    struct pair far, r;
    if (!(x >= -0x1p31 && x <= 0x1p31)) {
        *sin_out = *cos_out = __builtin_nan("");
        return;
    }
    n = nearest(x / half_pi[0]);
    x = lli_fma_f64(-n, half_pi[0], x); /* exact: a multiple of 2^-53 below 1, or x itself */
    far = multiply(-n, half_pi[1]);
    r = add(x, far.high);
    r = add(r.high, r.low + lli_fma_f64(-n, half_pi[2], far.low));
    s = sin_of(r);
    c = cos_of(r);
    switch ((int64_t)n & 3) {
    case 0:
        *sin_out = s, *cos_out = c;
        break;
    case 1:
        *sin_out = c, *cos_out = -s;
        break;
    case 2:
        *sin_out = -s, *cos_out = -c;
        break;
    default:
        *sin_out = -c, *cos_out = s;
    }
}
