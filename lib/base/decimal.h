/* base/decimal.h - the exact decimal expansion of a binary64, and back: what base/format rounds and reads by.
 *
 * A fixed-point number >= 0 in decimal places LLI_DECIMAL_LOW .. LLI_DECIMAL_HIGH (place p counts 10^p), wide enough for
 * every binary64 and every mid-point between two of them. What is below the lowest place is remembered as one bit. */
#ifndef LLI_BASE_DECIMAL_H
#define LLI_BASE_DECIMAL_H

#include <stdint.h>

#define LLI_DECIMAL_LOW (-1080)
#define LLI_DECIMAL_HIGH 314
#define LLI_DECIMAL_LIMBS 155 /* of nine places */

struct lli_decimal {                   /* zeroed: the number 0 */
    uint32_t limbs[LLI_DECIMAL_LIMBS]; /* below 10^9 each, the least first */
    int low, end;                      /* limbs outside [low, end) are 0 */
    int below;                         /* something non-zero lies below the lowest place */
};

/* value: finite; its sign is dropped. */
void lli_decimal_from(struct lli_decimal *d, double value);

/* The nearest binary64, ties to even; infinite if there is none. Uses d up. */
double lli_decimal_to(struct lli_decimal *d);

/* Adds digit * 10^place to a number that has none there; place <= LLI_DECIMAL_HIGH. */
void lli_decimal_put(struct lli_decimal *d, int64_t place, unsigned digit);

/* 0 outside the places. */
unsigned lli_decimal_digit(const struct lli_decimal *d, int64_t place);

/* The highest place that is not 0; 0 for the number 0. */
int lli_decimal_top(const struct lli_decimal *d);

/* To the nearest multiple of 10^place, ties to the even digit. place <= LLI_DECIMAL_HIGH. */
void lli_decimal_round(struct lli_decimal *d, int64_t place);

#endif
