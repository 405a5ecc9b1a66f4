/* text/unicode.c - looks characters up in the tables: sorted ranges, found by halving. Hangul goes by arithmetic.
 * (The Unicode Standard, 3.11 and 3.12.) */
#include "text/unicode.h"

#define HANGUL 0xAC00u
#define LEADS 0x1100u
#define VOWELS 0x1161u
#define TAILS 0x11A7u
#define N_LEADS 19u
#define N_VOWELS 21u
#define N_TAILS 28u
#define N_HANGUL (N_LEADS * N_VOWELS * N_TAILS)

#define FIRST_DECOMPOSED 0xA0u /* nothing below is changed by any form */
#define FIRST_MARK 0x300u

/* The index of the range that holds the character, or n. */
static size_t find_range(const struct lli_unicode_range *ranges, size_t n, uint32_t code)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code < ranges[middle].first)
            high = middle;
        else if (code - ranges[middle].first >= ranges[middle].n)
            low = middle + 1;
        else
            return middle;
    }
    return n;
}

static size_t read_units(uint32_t *out, const uint16_t *units, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len < LLI_MAX_DECOMPOSED; len++) {
        uint32_t unit = units[i++];
        if (unit >= 0xD800 && unit < 0xDC00)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (units[i++] - 0xDC00u);
        out[len] = unit;
    }
    return len;
}

static size_t decompose_hangul(uint32_t *out, uint32_t index)
{
    out[0] = LEADS + index / (N_VOWELS * N_TAILS);
    out[1] = VOWELS + index / N_TAILS % N_VOWELS;
    out[2] = TAILS + index % N_TAILS;
    return out[2] == TAILS ? 2 : 3;
}

size_t lli_unicode_decompose(uint32_t out[LLI_MAX_DECOMPOSED], uint32_t code, int compatible)
{
    out[0] = code;
    if (code < FIRST_DECOMPOSED)
        return 1;
    if (code - HANGUL < N_HANGUL)
        return decompose_hangul(out, code - HANGUL);
    if (compatible) {
        size_t k = find_range(lli_unicode_compatible_ranges, lli_unicode_compatible_n, code);
        if (k < lli_unicode_compatible_n) {
            const struct lli_unicode_range *r = &lli_unicode_compatible_ranges[k];
            const uint16_t *start = &lli_unicode_compatible_starts[r->value + (code - r->first)];
            return read_units(out, lli_unicode_compatible_units + start[0], (size_t)(start[1] - start[0]));
        }
    }
    size_t k = find_range(lli_unicode_canonical_ranges, lli_unicode_canonical_n, code);
    if (k == lli_unicode_canonical_n)
        return 1;
    const struct lli_unicode_range *r = &lli_unicode_canonical_ranges[k];
    const uint16_t *start = &lli_unicode_canonical_starts[r->value + (code - r->first)];
    return read_units(out, lli_unicode_canonical_units + start[0], (size_t)(start[1] - start[0]));
}

uint8_t lli_unicode_class(uint32_t code)
{
    size_t k = code < FIRST_MARK ? lli_unicode_n_classes : find_range(lli_unicode_classes, lli_unicode_n_classes, code);
    return k == lli_unicode_n_classes ? 0 : (uint8_t)lli_unicode_classes[k].value;
}

uint32_t lli_unicode_compose(uint32_t first, uint32_t second)
{
    if (first - LEADS < N_LEADS && second - VOWELS < N_VOWELS)
        return HANGUL + ((first - LEADS) * N_VOWELS + (second - VOWELS)) * N_TAILS;
    if (first - HANGUL < N_HANGUL && (first - HANGUL) % N_TAILS == 0 && second - TAILS - 1 < N_TAILS - 1)
        return first + (second - TAILS);
    size_t low = 0, high = lli_unicode_n_pairs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct lli_unicode_pair *p = &lli_unicode_pairs[middle];
        if (p->first == first && p->second == second)
            return p->composed;
        if (p->first < first || (p->first == first && p->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

size_t lli_unicode_lower(uint32_t out[2], uint32_t code)
{
    out[0] = code;
    if (code < 0x80) {
        out[0] = code - 'A' < 26 ? code + ('a' - 'A') : code;
        return 1;
    }
    if (code == 0x130) { /* the one that becomes two: i, and a dot above */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    size_t low = 0, high = lli_unicode_n_lowers;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct lli_unicode_lower *r = &lli_unicode_lowers[middle];
        if (code < r->first) {
            high = middle;
        } else if (code > r->first + (r->n - 1u) * r->step) {
            low = middle + 1;
        } else {
            if ((code - r->first) % r->step == 0)
                out[0] = (uint32_t)((int32_t)code + r->difference);
            return 1;
        }
    }
    return 1;
}

int lli_unicode_is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}
