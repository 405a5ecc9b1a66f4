/* grammar/json_number.c - numbers are written digit by digit: those of one length between two bounds share the digits that the
 * bounds share, and behind the first digit that is between both all others are free. */
#include "grammar/json_number.h"

#include <string.h>

static uint32_t add_range(struct lli_parts *parts, uint32_t parent, uint32_t low, uint32_t high)
{
    struct lli_range range = {low, high};
    return lli_parts_class(parts, parent, &range, 1, 0);
}

static uint32_t add(struct lli_parts *parts, uint32_t parent, uint32_t kind)
{
    return lli_parts_add(parts, parent, kind, 0, 0);
}

static void add_text(struct lli_parts *parts, uint32_t parent, const char *text)
{
    lli_parts_bytes(parts, parent, text, strlen(text));
}

enum { MAX_DIGITS = 16 };

static int write_digits(char out[20], uint64_t value)
{
    char reversed[20];
    int n = 0, len;
    do
        reversed[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (len = 0; len < n; len++)
        out[len] = reversed[n - 1 - len];
    return len;
}

static void free_digits(struct lli_parts *parts, uint32_t parent, int n)
{
    if (n > 0)
        add_range(parts, lli_parts_add(parts, parent, LLI_PART_REPEAT, (uint32_t)n, (uint32_t)n), '0', '9');
}

/* digits[0..n) at least (side 1) or at most (side -1), behind the first `from`, which are equal. */
static void one_side(struct lli_parts *parts, uint32_t choice, const char *digits, int from, int n, int side)
{
    for (int i = from; i <= n; i++) {
        char low = side > 0 ? (char)(digits[i] + 1) : '0', high = side > 0 ? '9' : (char)(digits[i] - 1);
        uint32_t sequence;
        if (i < n && low > high)
            continue;
        sequence = add(parts, choice, LLI_PART_SEQUENCE);
        lli_parts_bytes(parts, sequence, digits + from, (size_t)(i - from));
        if (i < n) {
            add_range(parts, sequence, (uint32_t)low, (uint32_t)high);
            free_digits(parts, sequence, n - i - 1);
        }
    }
}

/* Numbers of n digits from low to high. */
static void between(struct lli_parts *parts, uint32_t choice, const char *low, const char *high, int n)
{
    int same = 0;
    while (same < n && low[same] == high[same])
        same++;
    uint32_t sequence = add(parts, choice, LLI_PART_SEQUENCE), inner;
    lli_parts_bytes(parts, sequence, low, (size_t)same);
    if (same == n)
        return;
    inner = add(parts, sequence, LLI_PART_CHOICE);
    if (low[same] + 1 < high[same]) {
        sequence = add(parts, inner, LLI_PART_SEQUENCE);
        add_range(parts, sequence, (uint32_t)low[same] + 1, (uint32_t)high[same] - 1);
        free_digits(parts, sequence, n - same - 1);
    }
    for (int side = 1; side >= -1; side -= 2) {
        const char *digits = side > 0 ? low : high;
        sequence = add(parts, inner, LLI_PART_SEQUENCE);
        lli_parts_bytes(parts, sequence, digits + same, 1);
        one_side(parts, add(parts, sequence, LLI_PART_CHOICE), digits, same + 1, n, side);
    }
}

/* Whole numbers from low to high without a sign, of MAX_DIGITS digits at most. */
static void magnitudes(struct lli_parts *parts, uint32_t parent, uint64_t low, uint64_t high)
{
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE);
    uint64_t first = 1; /* the least of n digits */
    for (int n = 1; n <= MAX_DIGITS; n++, first *= 10) {
        uint64_t from = n == 1 ? 0 : first, to = first * 10 - 1;
        char a[20], b[20];
        from = from > low ? from : low;
        to = to < high ? to : high;
        if (from > to)
            continue;
        write_digits(a, from);
        write_digits(b, to);
        between(parts, choice, a, b, n);
    }
}

#define MOST ((int64_t)9999999999999999)

/* Bounds as the least and the most of a sign: what is open goes to the next whole number where `whole`. */
struct limits {
    int64_t low, high; /* inside -MOST .. MOST */
    int low_open, high_open;
};

static struct limits find_limits(struct lli_bound low, struct lli_bound high, int whole)
{
    struct limits l = {-MOST, MOST, 0, 0};
    if (low.is_set && low.at > l.low) {
        l.low = low.at < MOST ? low.at : MOST + 1;
        l.low_open = low.is_open;
    }
    if (high.is_set && high.at < l.high) {
        l.high = high.at > -MOST ? high.at : -MOST - 1;
        l.high_open = high.is_open;
    }
    if (whole) {
        l.low += l.low_open;
        l.high -= l.high_open;
    }
    return l;
}

void lli_json_number_integer(struct lli_parts *parts, uint32_t parent, struct lli_bound low, struct lli_bound high)
{
    struct limits l = find_limits(low, high, 1);
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE), sequence;
    if (l.high >= 0 && l.low <= l.high)
        magnitudes(parts, choice, l.low > 0 ? (uint64_t)l.low : 0, (uint64_t)l.high);
    if (l.low < 0 && l.low <= l.high) {
        sequence = add(parts, choice, LLI_PART_SEQUENCE);
        add_text(parts, sequence, "-");
        magnitudes(parts, sequence, l.high < 0 ? (uint64_t)-l.high : 1, (uint64_t)-l.low);
    }
}

/* Behind the whole part `digits`: a point and digits, so many that no two numbers round to one. */
static void add_fraction(struct lli_parts *parts, uint32_t parent, int digits, int is_positive)
{
    uint32_t sequence = add(parts, parent, LLI_PART_SEQUENCE), most = digits < 14 ? (uint32_t)(15 - digits) : 1;
    add_text(parts, sequence, ".");
    if (!is_positive) {
        add_range(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 1, most), '0', '9');
        return;
    }
    add_text(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, most / 2), "0");
    add_range(parts, sequence, '1', '9');
    add_range(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, most / 2), '0', '9');
}

static int n_digits(int64_t value)
{
    char digits[20];
    return write_digits(digits, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Numbers of one sign between two magnitudes; n: digits of the largest bound. */
static void reals(struct lli_parts *parts, uint32_t choice, struct limits m, int n)
{
    char digits[20];
    int n_high = write_digits(digits, (uint64_t)m.high);
    uint32_t sequence, optional;
    if (m.low > m.high || (m.low == m.high && (m.low_open || m.high_open)))
        return;
    if (m.low_open && m.low < m.high) { /* behind the bound itself only what is more */
        char at[20];
        sequence = add(parts, choice, LLI_PART_SEQUENCE);
        lli_parts_bytes(parts, sequence, at, (size_t)write_digits(at, (uint64_t)m.low));
        add_fraction(parts, sequence, n, 1);
        m.low++;
    }
    if (m.low < m.high) {
        sequence = add(parts, choice, LLI_PART_SEQUENCE);
        magnitudes(parts, sequence, (uint64_t)m.low, (uint64_t)m.high - 1);
        optional = lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1);
        add_fraction(parts, optional, n, 0);
    }
    if (!m.high_open) {
        sequence = add(parts, choice, LLI_PART_SEQUENCE);
        lli_parts_bytes(parts, sequence, digits, (size_t)n_high);
        add_text(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1), ".0");
    }
}

static void add_exponent(struct lli_parts *parts, uint32_t parent)
{
    struct lli_range letters[] = {{'e', 'e'}, {'E', 'E'}}, signs[] = {{'+', '+'}, {'-', '-'}};
    uint32_t sequence = add(parts, lli_parts_add(parts, parent, LLI_PART_REPEAT, 0, 1), LLI_PART_SEQUENCE);
    lli_parts_class(parts, sequence, letters, 2, 0);
    lli_parts_class(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1), signs, 2, 0);
    add_range(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 1, 2), '0', '9');
}

static void any_number(struct lli_parts *parts, uint32_t parent)
{
    uint32_t sequence = add(parts, parent, LLI_PART_SEQUENCE);
    add_text(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1), "-");
    magnitudes(parts, sequence, 0, (uint64_t)MOST);
    add_fraction(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1), 1, 0);
    add_exponent(parts, sequence);
}

void lli_json_number_real(struct lli_parts *parts, uint32_t parent, struct lli_bound low, struct lli_bound high)
{
    struct limits l = find_limits(low, high, 0), up = l, down = {-l.high, -l.low, l.high_open, l.low_open};
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE), sequence;
    int n_low = low.is_set ? n_digits(low.at) : 1, n_high = high.is_set ? n_digits(high.at) : 1;
    int n = n_low > n_high ? n_low : n_high;
    if (!low.is_set && !high.is_set) {
        any_number(parts, choice);
        return;
    }
    if (up.low < 0) {
        up.low = 0;
        up.low_open = 0;
    }
    if (up.high >= 0)
        reals(parts, choice, up, n);
    if (down.low < 0 || (down.low == 0 && !down.low_open)) { /* zero has no sign */
        down.low = 0;
        down.low_open = 1;
    }
    if (down.high <= 0)
        return;
    sequence = add(parts, choice, LLI_PART_SEQUENCE);
    add_text(parts, sequence, "-");
    reals(parts, add(parts, sequence, LLI_PART_CHOICE), down, n);
}

/* Behind digits that leave the rest r when divided by n, and of which there may be `left` more. */
static void write_rest(struct lli_parts *parts, uint32_t rule, uint32_t next_rules, uint32_t rest, uint32_t n, int left)
{
    uint32_t choice = add(parts, 0, LLI_PART_CHOICE);
    if (rest == 0)
        add(parts, choice, LLI_PART_SEQUENCE);
    for (uint32_t digit = 0; digit < 10 && left > 0; digit++) {
        uint32_t sequence = add(parts, choice, LLI_PART_SEQUENCE);
        add_range(parts, sequence, '0' + digit, '0' + digit);
        if (parts->status == LLMINF_OK)
            lli_parts_name(parts, sequence, next_rules + (10 * rest + digit) % n);
    }
    if (parts->status == LLMINF_OK)
        lli_parts_define(parts, rule, choice);
}

/* Rules [MAX_DIGITS][n]: digits so far, and the rest that they leave. */
static uint32_t multiple_rules(struct lli_parts *parts, uint32_t n)
{
    uint32_t first = lli_parts_new_rule(parts);
    for (uint32_t i = 1; i < MAX_DIGITS * n && parts->status == LLMINF_OK; i++)
        lli_parts_new_rule(parts);
    for (uint32_t i = 0; i < MAX_DIGITS * n && parts->status == LLMINF_OK; i++) {
        int n_read = (int)(i / n) + 1;
        write_rest(parts, first + i, first + (i / n + 1) * n, i % n, n, MAX_DIGITS - n_read);
    }
    return first;
}

void lli_json_number_multiple(struct lli_parts *parts, uint32_t parent, uint32_t n, int signs)
{
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE), rules = multiple_rules(parts, n);
    if (signs & LLI_NUMBER_ZERO)
        add_text(parts, choice, "0");
    uint32_t sequence = add(parts, choice, LLI_PART_SEQUENCE);
    if (signs & LLI_NUMBER_NEGATIVE)
        add_text(parts, lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, 1), "-");
    uint32_t first = add(parts, sequence, LLI_PART_CHOICE);
    for (uint32_t digit = 1; digit < 10; digit++) {
        sequence = add(parts, first, LLI_PART_SEQUENCE);
        add_range(parts, sequence, '0' + digit, '0' + digit);
        if (parts->status == LLMINF_OK)
            lli_parts_name(parts, sequence, rules + digit % n);
    }
}
