/* base/format.c - a subset of printf over a sink that counts on when it is full, and numbers read from text. Floating
 * point goes through base/decimal, so each digit is that of the exact value, correctly rounded. */
#include "base/format.h"

#include <float.h>
#include <limits.h>
#include <string.h>

#include "base/decimal.h"

/* ---- the sink ---- */

struct sink {
    char *out;
    size_t cap, len; /* len counts what does not fit too */
};

static void put(struct sink *s, const char *bytes, size_t n)
{
    size_t room = s->len < s->cap ? s->cap - s->len : 0, kept = n < room ? n : room;
    if (kept)
        memcpy(s->out + s->len, bytes, kept);
    s->len += n;
}

static void fill(struct sink *s, char c, int64_t n)
{
    if (n <= 0)
        return;
    size_t room = s->len < s->cap ? s->cap - s->len : 0, kept = (uint64_t)n < room ? (size_t)n : room;
    if (kept)
        memset(s->out + s->len, c, kept);
    s->len += (size_t)n;
}

/* ---- one conversion ---- */

enum length { LENGTH_HH, LENGTH_H, LENGTH_INT, LENGTH_L, LENGTH_LL, LENGTH_Z, LENGTH_J };

struct spec {
    int left, zeros;
    int64_t width, precision; /* precision < 0: not given */
    enum length length;
    char conversion;
};

/* Reads digits at *at; what is beyond int stays there. */
static int64_t read_digits(const char **at)
{
    int64_t v = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        v = v > INT_MAX ? v : v * 10 + (**at - '0');
    return v > INT_MAX ? INT_MAX : v;
}

static enum length read_length(const char **at)
{
    static const struct {
        const char *text;
        enum length length;
    } rows[] = {{"hh", LENGTH_HH}, {"h", LENGTH_H}, {"ll", LENGTH_LL}, {"l", LENGTH_L}, {"z", LENGTH_Z}, {"j", LENGTH_J}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].text);
        if (strncmp(*at, rows[i].text, n) == 0) {
            *at += n;
            return rows[i].length;
        }
    }
    return LENGTH_INT;
}

/* Begins a field of n bytes with `sign` in front of them; returns the spaces that close it. Zeros go behind the sign. */
static int64_t begin_field(struct sink *s, const struct spec *spec, const char *sign, int64_t n)
{
    int64_t padding = spec->width - (int64_t)strlen(sign) - n;
    if (spec->left) {
        put(s, sign, strlen(sign));
        return padding;
    }
    if (!spec->zeros)
        fill(s, ' ', padding);
    put(s, sign, strlen(sign));
    if (spec->zeros)
        fill(s, '0', padding);
    return 0;
}

static void put_text(struct sink *s, const struct spec *spec, const char *text, size_t n)
{
    struct spec spaced = *spec;
    spaced.zeros = 0;
    int64_t closing = begin_field(s, &spaced, "", (int64_t)n);
    put(s, text, n);
    fill(s, ' ', closing);
}

static void put_string(struct sink *s, const struct spec *spec, const char *text)
{
    if (!text)
        text = "(null)";
    put_text(s, spec, text, spec->precision < 0 ? strlen(text) : strnlen(text, (size_t)spec->precision));
}

static void put_integer(struct sink *s, const struct spec *spec, const char *sign, uint64_t v, unsigned base)
{
    char digits[20], *at = digits + sizeof digits;
    for (; v != 0; v /= base)
        *--at = "0123456789abcdef"[v % base];
    int64_t n = digits + sizeof digits - at, least = spec->precision < 0 ? 1 : spec->precision;
    struct spec field = *spec;
    field.zeros = spec->zeros && spec->precision < 0; /* a precision turns the flag off, as in C */
    int64_t closing = begin_field(s, &field, sign, n > least ? n : least);
    fill(s, '0', least - n);
    put(s, at, (size_t)n);
    fill(s, ' ', closing);
}

/* ---- floating point ---- */

/* The places that are shown: first down to last, with a point behind `point` if any follow, and what comes after. */
struct layout {
    int64_t first, last, point;
    char suffix[6]; /* "e+308" */
};

static struct layout layout_f(struct lli_decimal *d, int64_t precision)
{
    lli_decimal_round(d, -precision);
    int64_t top = lli_decimal_top(d);
    return (struct layout){.first = top > 0 ? top : 0, .last = -precision};
}

static void write_exponent(char suffix[6], int64_t exponent)
{
    unsigned v = (unsigned)(exponent < 0 ? -exponent : exponent);
    *suffix++ = 'e';
    *suffix++ = exponent < 0 ? '-' : '+';
    if (v >= 100)
        *suffix++ = (char)('0' + v / 100);
    *suffix++ = (char)('0' + v / 10 % 10);
    *suffix = (char)('0' + v % 10);
}

static struct layout layout_g(struct lli_decimal *d, int64_t precision)
{
    if (precision == 0)
        precision = 1;
    int64_t last = lli_decimal_top(d) - precision + 1;
    lli_decimal_round(d, last);
    int64_t top = lli_decimal_top(d); /* one higher if the rounding carried */
    last = last > LLI_DECIMAL_LOW ? last : LLI_DECIMAL_LOW;
    while (last < top && lli_decimal_digit(d, last) == 0)
        last++;
    struct layout layout = {.first = top, .last = last, .point = top};
    if (top < -4 || top >= precision) {
        write_exponent(layout.suffix, top);
        return layout;
    }
    layout.first = top > 0 ? top : 0;
    layout.last = last < 0 ? last : 0;
    layout.point = 0;
    return layout;
}

static void put_places(struct sink *s, const struct lli_decimal *d, const struct layout *layout)
{
    int64_t place = layout->first;
    for (; place >= layout->last && place >= LLI_DECIMAL_LOW; place--) {
        char digit = (char)('0' + lli_decimal_digit(d, place));
        put(s, &digit, 1);
        if (place == layout->point && place > layout->last)
            put(s, ".", 1);
    }
    fill(s, '0', place - layout->last + 1);
    put(s, layout->suffix, strlen(layout->suffix));
}

static void put_float(struct sink *s, const struct spec *spec, double value)
{
    uint64_t bits, magnitude;
    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & (UINT64_MAX >> 1);
    if (magnitude >= 0x7FFull << 52) {
        const char *text = magnitude > 0x7FFull << 52 ? "nan" : bits >> 63 ? "-inf" : "inf";
        put_text(s, spec, text, strlen(text));
        return;
    }
    struct lli_decimal d;
    lli_decimal_from(&d, value);
    int64_t precision = spec->precision < 0 ? 6 : spec->precision;
    struct layout layout = spec->conversion == 'f' ? layout_f(&d, precision) : layout_g(&d, precision);
    int64_t n = layout.first - layout.last + 1 + (layout.point > layout.last) + (int64_t)strlen(layout.suffix);
    int64_t closing = begin_field(s, spec, bits >> 63 ? "-" : "", n);
    put_places(s, &d, &layout);
    fill(s, ' ', closing);
}

/* ---- the format ---- */

struct arguments {
    va_list list;
};

static int64_t take_signed(struct arguments *args, enum length length)
{
    switch (length) {
    case LENGTH_HH:
        return (signed char)va_arg(args->list, int);
    case LENGTH_H:
        return (short)va_arg(args->list, int);
    case LENGTH_L:
        return va_arg(args->list, long);
    case LENGTH_LL:
        return va_arg(args->list, long long);
    case LENGTH_Z:
        return (int64_t)va_arg(args->list, ptrdiff_t);
    case LENGTH_J:
        return va_arg(args->list, intmax_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(args->list, int);
}

static uint64_t take_unsigned(struct arguments *args, enum length length)
{
    switch (length) {
    case LENGTH_HH:
        return (unsigned char)va_arg(args->list, unsigned);
    case LENGTH_H:
        return (unsigned short)va_arg(args->list, unsigned);
    case LENGTH_L:
        return va_arg(args->list, unsigned long);
    case LENGTH_LL:
        return va_arg(args->list, unsigned long long);
    case LENGTH_Z:
        return va_arg(args->list, size_t);
    case LENGTH_J:
        return va_arg(args->list, uintmax_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(args->list, unsigned);
}

static int64_t take_or_read(const char **at, struct arguments *args)
{
    if (**at != '*')
        return read_digits(at);
    (*at)++;
    return va_arg(args->list, int);
}

/* Reads what follows a '%'; *at ends behind the conversion. */
static struct spec read_spec(const char **at, struct arguments *args)
{
    struct spec spec = {.precision = -1};
    for (; **at == '-' || **at == '0'; (*at)++) {
        spec.left |= **at == '-';
        spec.zeros |= **at == '0';
    }
    spec.width = take_or_read(at, args);
    if (spec.width < 0) {
        spec.left = 1;
        spec.width = -spec.width;
    }
    if (**at == '.') {
        (*at)++;
        spec.precision = take_or_read(at, args);
    }
    spec.length = read_length(at);
    spec.conversion = **at;
    if (spec.conversion != '\0')
        (*at)++;
    return spec;
}

static void convert(struct sink *s, const struct spec *spec, struct arguments *args)
{
    int64_t v;
    char c;
    switch (spec->conversion) {
    case 'd':
    case 'i':
        v = take_signed(args, spec->length);
        put_integer(s, spec, v < 0 ? "-" : "", v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
        break;
    case 'u':
        put_integer(s, spec, "", take_unsigned(args, spec->length), 10);
        break;
    case 'x':
        put_integer(s, spec, "", take_unsigned(args, spec->length), 16);
        break;
    case 'p':
        put_integer(s, spec, "0x", (uintptr_t)va_arg(args->list, void *), 16);
        break;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_text(s, spec, &c, 1);
        break;
    case 's':
        put_string(s, spec, va_arg(args->list, const char *));
        break;
    case 'f':
    case 'g':
        put_float(s, spec, va_arg(args->list, double));
        break;
    default: /* "%%", and what is not known shows itself */
        put(s, "%", 1);
        if (spec->conversion != '%')
            put(s, &spec->conversion, spec->conversion != '\0');
    }
}

size_t lli_format_list(char *out, size_t cap, const char *format, va_list args)
{
    struct sink s = {.out = out, .cap = cap ? cap - 1 : 0};
    struct arguments arguments;
    va_copy(arguments.list, args);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        put(&s, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        format++;
        struct spec spec = read_spec(&format, &arguments);
        convert(&s, &spec, &arguments);
    }
    va_end(arguments.list);
    if (cap)
        out[s.len < s.cap ? s.len : s.cap] = '\0';
    return s.len;
}

size_t lli_format(char *out, size_t cap, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t len = lli_format_list(out, cap, format, args);
    va_end(args);
    return len;
}

/* ---- numbers from text ---- */

struct text {
    const char *at, *end;
};

static int is_digit(const struct text *t)
{
    return t->at < t->end && *t->at >= '0' && *t->at <= '9';
}

static int skip(struct text *t, char c)
{
    if (t->at >= t->end || *t->at != c)
        return 0;
    t->at++;
    return 1;
}

/* 1 if there was a minus. */
static int read_sign(struct text *t)
{
    int negative = skip(t, '-');
    if (!negative)
        skip(t, '+');
    return negative;
}

int lli_format_read_int(int64_t *out, const char *text, size_t n)
{
    if (n == 0)
        return -1;
    struct text t = {text, text + n};
    int negative = read_sign(&t);
    uint64_t v = 0, largest = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (!is_digit(&t))
        return -1;
    for (; is_digit(&t); t.at++) {
        uint64_t digit = (uint64_t)(*t.at - '0');
        if (v > (largest - digit) / 10)
            return -1;
        v = v * 10 + digit;
    }
    if (t.at != t.end)
        return -1;
    *out = negative ? (v > INT64_MAX ? INT64_MIN : -(int64_t)v) : (int64_t)v;
    return 0;
}

/* What the digits of a number are and where its exponent puts them. */
struct number {
    const char *whole, *fraction;
    int64_t n_whole, n_fraction;
    int64_t exponent;
    int negative;
};

static int64_t skip_digits(struct text *t)
{
    const char *start = t->at;
    while (is_digit(t))
        t->at++;
    return t->at - start;
}

/* No text is long enough to bring a number back from 10^15 places away: there the exponent stands still. */
static int read_exponent(int64_t *out, struct text *t)
{
    int negative = read_sign(t);
    if (!is_digit(t))
        return -1;
    int64_t v = 0;
    for (; is_digit(t); t->at++)
        v = v >= 1000000000000000 ? v : v * 10 + (*t->at - '0');
    *out = negative ? -v : v;
    return 0;
}

static int read_number(struct number *out, struct text *t)
{
    out->negative = read_sign(t);
    out->whole = t->at;
    out->n_whole = skip_digits(t);
    out->n_fraction = 0;
    if (skip(t, '.')) {
        out->fraction = t->at;
        out->n_fraction = skip_digits(t);
    }
    if (out->n_whole + out->n_fraction == 0)
        return -1;
    out->exponent = 0;
    if ((skip(t, 'e') || skip(t, 'E')) && read_exponent(&out->exponent, t))
        return -1;
    return t->at == t->end ? 0 : -1;
}

/* Puts n digits, the first of them at `place`. -1: beyond the places. */
static int put_digits(struct lli_decimal *d, const char *digits, int64_t n, int64_t place)
{
    for (int64_t i = 0; i < n; i++, place--) {
        unsigned digit = (unsigned)(digits[i] - '0');
        if (digit == 0)
            continue;
        if (place > LLI_DECIMAL_HIGH)
            return -1;
        lli_decimal_put(d, place, digit);
    }
    return 0;
}

int lli_format_read_float(double *out, const char *text, size_t n)
{
    if (n == 0)
        return -1;
    struct text t = {text, text + n};
    struct number number = {0};
    if (read_number(&number, &t))
        return -1;
    struct lli_decimal d = {0};
    if (put_digits(&d, number.whole, number.n_whole, number.n_whole - 1 + number.exponent) ||
        put_digits(&d, number.fraction, number.n_fraction, number.exponent - 1))
        return -1;
    double value = lli_decimal_to(&d);
    if (value > DBL_MAX)
        return -1;
    *out = number.negative ? -value : value;
    return 0;
}
