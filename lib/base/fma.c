/* base/fma.c - fused multiply-add of binary64. Without the instruction the product and the addend are integers of 128 bits,
 * aligned to each other; a bit that falls off at the right end stays as the last one, which is far below the rounding. */
#include "base/fma.h"

#if LLI_FMA_INSTRUCTION

double lli_fma_f64(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}

#else

__extension__ typedef unsigned __int128 wide;

#define SIGN (UINT64_C(1) << 63)
#define INFINITE (UINT64_C(0x7ff) << 52)
#define HIDDEN (UINT64_C(1) << 52)

/* mantissa * 2^exponent; the mantissa has 53 bits or is 0. */
struct parts {
    uint64_t mantissa;
    int exponent;
};

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static struct parts parts_of(double x)
{
    uint64_t bits = bits_of(x), fraction = bits & (HIDDEN - 1);
    int field = (int)(bits >> 52 & 0x7ff);
    if (field != 0)
        return (struct parts){fraction | HIDDEN, field - 1075};
    if (fraction == 0)
        return (struct parts){0, -1074};
    int shift = __builtin_clzll(fraction) - 11;
    return (struct parts){fraction << shift, -1074 - shift};
}

static int is_finite(double x)
{
    return (bits_of(x) & INFINITE) != INFINITE;
}

/* v / 2^n; what is cut off sets the last bit. */
static wide shift_right(wide v, int n)
{
    if (n <= 0)
        return v;
    if (n > 127)
        return v != 0;
    return v >> n | (v << (128 - n) != 0);
}

static int leading_zeros(wide v)
{
    uint64_t high = (uint64_t)(v >> 64);
    return high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)v);
}

/* The double nearest to v * 2^exponent, ties to even; v is not 0. */
static double round_to_double(uint64_t sign, wide v, int exponent)
{
    int zeros = leading_zeros(v), field = exponent + 127 - zeros + 1023;
    uint64_t bits, rest;
    double x;
    v = shift_right(v << zeros, field < 1 ? 1 - field : 0); /* subnormal: fewer bits are left */
    field = field < 1 ? 1 : field;
    bits = (uint64_t)(v >> 75);
    rest = (uint64_t)(v >> 11) | ((v & 0x7ff) != 0); /* of the 75 bits below, the upper 64 */
    bits += rest > SIGN || (rest == SIGN && (bits & 1) != 0);
    bits += (uint64_t)(field - 1) << 52; /* a carry out of the mantissa is the next exponent */
    bits = (bits >= INFINITE ? INFINITE : bits) | sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double lli_fma_f64(double a, double b, double c)
{
    if (!is_finite(c) && is_finite(a) && is_finite(b))
        return c + c; /* a product that overflows has no say against it */
    if (!is_finite(a) || !is_finite(b) || a == 0 || b == 0)
        return a * b + c; /* the product is exact */

    struct parts x = parts_of(a), y = parts_of(b), z = parts_of(c);
    uint64_t sign = (bits_of(a) ^ bits_of(b)) & SIGN;
    int subtracts = ((bits_of(c) & SIGN) != sign);
    /* Both fill the upper bits and leave one free for the carry, so that only the much smaller one can lose bits. */
    wide product = (wide)x.mantissa * y.mantissa << 20, addend = (wide)z.mantissa << 72;
    int exponent = x.exponent + y.exponent - 20, ahead = z.exponent - 72 - exponent;
    if (addend == 0)
        return round_to_double(sign, product, exponent);
    if (ahead > 0) {
        product = shift_right(product, ahead);
        exponent += ahead;
    } else {
        addend = shift_right(addend, -ahead);
    }
    if (!subtracts)
        return round_to_double(sign, product + addend, exponent);
    if (product == addend)
        return 0;
    return product > addend ? round_to_double(sign, product - addend, exponent)
                            : round_to_double(sign ^ SIGN, addend - product, exponent);
}

#endif
