/* base/decimal.c - fixed-point decimals in limbs of nine digits; a binary exponent is a run of doublings or halvings.
 *
 * Halving drops what falls out below the lowest place into `below`, and that is still exact where it matters: rounding
 * compares a fraction with one half, and a half is a multiple of the lowest place. Between calls the first and the last limb
 * of [low, end) are not 0, so short numbers cost little. */
#include "base/decimal.h"

#include <string.h>

#define LIMB 1000000000u
#define LIMB_PLACES 9
#define UNIT_LIMB (-LLI_DECIMAL_LOW / LIMB_PLACES) /* holds the places 0 to 8 */
#define MAX_DOUBLE_BITS 29                         /* so that a limb and its carry fit 64 bits */
#define MAX_HALVE_BITS 9                           /* 10^9 = 2^9 * 5^9: a remainder passes whole to the next limb */
#define MANTISSA_BITS 53
#define MIN_EXPONENT (-1074)

_Static_assert(UNIT_LIMB *LIMB_PLACES == -LLI_DECIMAL_LOW, "place 0 begins a limb");
_Static_assert(LLI_DECIMAL_LIMBS *LIMB_PLACES == LLI_DECIMAL_HIGH + 1 - LLI_DECIMAL_LOW, "limbs are full");

static const uint32_t power10[LIMB_PLACES] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

static int limb_of(int64_t place)
{
    return (int)((place - LLI_DECIMAL_LOW) / LIMB_PLACES);
}

static uint32_t unit_of(int64_t place)
{
    return power10[(place - LLI_DECIMAL_LOW) % LIMB_PLACES];
}

static void widen(struct lli_decimal *d, int limb)
{
    if (d->low == d->end) {
        d->low = limb;
        d->end = limb + 1;
    }
    if (d->low > limb)
        d->low = limb;
    if (d->end <= limb)
        d->end = limb + 1;
}

static void trim(struct lli_decimal *d)
{
    while (d->low < d->end && d->limbs[d->end - 1] == 0)
        d->end--;
    while (d->low < d->end && d->limbs[d->low] == 0)
        d->low++;
}

/* d * 2^bits, bits <= MAX_DOUBLE_BITS; the product must fit. */
static void multiply(struct lli_decimal *d, int bits)
{
    uint64_t carry = 0;
    for (int i = d->low; i < d->end; i++) {
        uint64_t v = ((uint64_t)d->limbs[i] << bits) + carry;
        d->limbs[i] = (uint32_t)(v % LIMB);
        carry = v / LIMB;
    }
    if (carry)
        d->limbs[d->end++] = (uint32_t)carry;
    trim(d);
}

/* d / 2^bits, bits <= MAX_HALVE_BITS. */
static void divide(struct lli_decimal *d, int bits)
{
    uint32_t remainder = 0, step = LIMB >> bits;
    for (int i = d->end; i-- > d->low;) {
        uint32_t v = d->limbs[i];
        d->limbs[i] = (v >> bits) + remainder * step;
        remainder = v & ((1u << bits) - 1);
    }
    if (remainder && d->low > 0)
        d->limbs[--d->low] = remainder * step;
    else
        d->below |= remainder != 0;
    trim(d);
}

/* d * 2^exponent. */
static void scale(struct lli_decimal *d, int exponent)
{
    for (int bits; exponent > 0; exponent -= bits) {
        bits = exponent < MAX_DOUBLE_BITS ? exponent : MAX_DOUBLE_BITS;
        multiply(d, bits);
    }
    for (int bits; exponent < 0; exponent += bits) {
        bits = -exponent < MAX_HALVE_BITS ? -exponent : MAX_HALVE_BITS;
        divide(d, bits);
    }
}

void lli_decimal_from(struct lli_decimal *d, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t mantissa = bits & ((1ull << (MANTISSA_BITS - 1)) - 1);
    int exponent = (int)(bits >> (MANTISSA_BITS - 1) & 0x7FF);
    if (exponent != 0)
        mantissa |= 1ull << (MANTISSA_BITS - 1);
    else
        exponent = 1;
    *d = (struct lli_decimal){0};
    d->limbs[UNIT_LIMB] = (uint32_t)(mantissa % LIMB);
    d->limbs[UNIT_LIMB + 1] = (uint32_t)(mantissa / LIMB);
    d->low = UNIT_LIMB;
    d->end = UNIT_LIMB + 2;
    trim(d);
    scale(d, exponent - 1 + MIN_EXPONENT);
}

/* The part before the point, which must be below 10^18. */
static uint64_t whole_part(const struct lli_decimal *d)
{
    return (uint64_t)d->limbs[UNIT_LIMB + 1] * LIMB + d->limbs[UNIT_LIMB];
}

static int bit_length(uint64_t v)
{
    return v ? 64 - __builtin_clzll(v) : 0;
}

/* < 0, 0, > 0: the part behind the point is less than, equal to, more than one half. */
static int compare_half(const struct lli_decimal *d)
{
    uint32_t first = d->limbs[UNIT_LIMB - 1];
    if (first != LIMB / 2)
        return first < LIMB / 2 ? -1 : 1;
    for (int i = d->low; i < UNIT_LIMB - 1; i++) {
        if (d->limbs[i] != 0)
            return 1;
    }
    return d->below ? 1 : 0;
}

/* Scales d until its whole part is the mantissa (53 bits, fewer for a subnormal); returns the exponent that this took. */
static int normalise(struct lli_decimal *d)
{
    if (d->low == d->end)
        return MIN_EXPONENT;
    int exponent = 0;
    for (; d->end > UNIT_LIMB + 2; exponent += MAX_HALVE_BITS)
        divide(d, MAX_HALVE_BITS);
    int length = bit_length(whole_part(d));
    while (length < MANTISSA_BITS && exponent > MIN_EXPONENT) {
        int bits = MANTISSA_BITS - length;
        bits = bits < MAX_DOUBLE_BITS ? bits : MAX_DOUBLE_BITS;
        bits = bits < exponent - MIN_EXPONENT ? bits : exponent - MIN_EXPONENT;
        multiply(d, bits);
        exponent -= bits;
        length = bit_length(whole_part(d));
    }
    if (length > MANTISSA_BITS) {
        divide(d, length - MANTISSA_BITS);
        exponent += length - MANTISSA_BITS;
    }
    return exponent;
}

double lli_decimal_to(struct lli_decimal *d)
{
    int exponent = normalise(d);
    uint64_t mantissa = whole_part(d);
    int half = compare_half(d);
    mantissa += half > 0 || (half == 0 && (mantissa & 1));
    /* The mantissa's leading bit adds 1 to the exponent's field, and so does a carry of the rounding. */
    uint64_t bits = ((uint64_t)(exponent - MIN_EXPONENT) << (MANTISSA_BITS - 1)) + mantissa;
    if (bits > 0x7FFull << (MANTISSA_BITS - 1)) /* no place is high enough to overflow the field itself */
        bits = 0x7FFull << (MANTISSA_BITS - 1);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void lli_decimal_put(struct lli_decimal *d, int64_t place, unsigned digit)
{
    if (digit == 0)
        return;
    if (place < LLI_DECIMAL_LOW) {
        d->below = 1;
        return;
    }
    int limb = limb_of(place);
    widen(d, limb);
    d->limbs[limb] += digit * unit_of(place);
}

unsigned lli_decimal_digit(const struct lli_decimal *d, int64_t place)
{
    if (place < LLI_DECIMAL_LOW || place > LLI_DECIMAL_HIGH)
        return 0;
    return d->limbs[limb_of(place)] / unit_of(place) % 10;
}

int lli_decimal_top(const struct lli_decimal *d)
{
    if (d->low == d->end)
        return 0;
    int place = d->end * LIMB_PLACES - 1 + LLI_DECIMAL_LOW;
    while (lli_decimal_digit(d, place) == 0)
        place--;
    return place;
}

/* Anything non-zero under this place? */
static int has_below(const struct lli_decimal *d, int64_t place)
{
    if (d->below || d->limbs[limb_of(place)] % unit_of(place) != 0)
        return 1;
    for (int i = d->low; i < limb_of(place); i++) {
        if (d->limbs[i] != 0)
            return 1;
    }
    return 0;
}

void lli_decimal_round(struct lli_decimal *d, int64_t place)
{
    if (place <= LLI_DECIMAL_LOW)
        return;
    unsigned next = lli_decimal_digit(d, place - 1), odd = lli_decimal_digit(d, place) & 1;
    int up = next > 5 || (next == 5 && (odd || has_below(d, place - 1)));

    int limb = limb_of(place);
    d->limbs[limb] -= d->limbs[limb] % unit_of(place);
    for (int i = d->low; i < limb; i++)
        d->limbs[i] = 0;
    d->below = 0;
    for (uint32_t add = up ? unit_of(place) : 0; add != 0; limb++) {
        widen(d, limb);
        d->limbs[limb] += add;
        add = d->limbs[limb] >= LIMB;
        d->limbs[limb] -= add ? LIMB : 0;
    }
    trim(d);
}
