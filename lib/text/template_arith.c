/* text/template_arith.c - operators, with Python's results: floor division, remainders with the sign of the divisor, texts
 * and lists that are added and repeated. An integer over 64 bits is an error. */
#include <math.h>
#include <string.h>

#include "base/decimal.h"
#include "base/format.h"
#include "base/mathx.h"
#include "text/template_run.h"

static int32_t fail_types(struct lli_tpl_run *r, const char *op, const struct lli_var *a, const struct lli_var *b)
{
    if (a->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, a);
    if (b->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, b);
    return lli_tpl_fail(r, "%s is not defined for %s and %s", op, lli_var_type(a), lli_var_type(b));
}

static int32_t fail_range(const struct lli_tpl_run *r)
{
    return lli_tpl_fail(r, "integer over 64 bits");
}

static struct lli_var of_both(struct lli_var v, const struct lli_var *a, const struct lli_var *b)
{
    v.flags = a->flags & b->flags & LLI_OURS;
    return v;
}

static double floor_real(double x)
{
    if (!(x > -0x1p52 && x < 0x1p52))
        return x;
    double whole = (double)(int64_t)x;
    whole -= whole > x;
    return whole == 0 ? x * 0.0 : whole; /* keeps the sign of 0 */
}

/* x mod y with the sign of y, exact: long division in binary. */
static double remainder_real(double x, double y)
{
    double a = x < 0 ? -x : x, b = y < 0 ? -y : y, part = b;
    if (a - a != 0 || b != b)
        return a - a;
    while (part <= a / 2)
        part *= 2;
    for (; a >= b; part /= 2)
        if (a >= part)
            a -= part;
    if (x < 0)
        a = -a;
    if (a != 0 && (a < 0) != (y < 0))
        a += y;
    return a == 0 ? (y < 0 ? -0.0 : 0.0) : a;
}

static double floor_division(double x, double y)
{
    double quotient = (x - remainder_real(x, y)) / y, whole = floor_real(quotient);
    if (quotient == 0)
        return x / y * 0.0; /* 0 with the sign of the quotient */
    return quotient - whole > 0.5 ? whole + 1 : whole; /* it is whole but for its rounding */
}

static int32_t ints(struct lli_var *out, struct lli_tpl_run *r, int op, int64_t a, int64_t b)
{
    int64_t v = 0;
    int over = 0;
    switch (op) {
    case '+':
        over = __builtin_add_overflow(a, b, &v);
        break;
    case '-':
        over = __builtin_sub_overflow(a, b, &v);
        break;
    case '*':
        over = __builtin_mul_overflow(a, b, &v);
        break;
    default: /* floor division and its remainder */
        if (b == 0)
            return lli_tpl_fail(r, "division by zero");
        over = a == INT64_MIN && b == -1;
        if (over && op == '%')
            over = 0;
        else if (!over && op == 'd')
            v = a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
        else if (!over)
            v = a % b + ((a % b != 0) && ((a < 0) != (b < 0)) ? b : 0);
        break;
    }
    *out = lli_var_int(v);
    return over ? fail_range(r) : LLMINF_OK;
}

static int32_t reals(struct lli_var *out, struct lli_tpl_run *r, int op, double a, double b)
{
    double v;
    switch (op) {
    case '+':
        v = a + b;
        break;
    case '-':
        v = a - b;
        break;
    case '*':
        v = a * b;
        break;
    default:
        if (b == 0)
            return lli_tpl_fail(r, "division by zero");
        v = op == '/' ? a / b : op == '%' ? remainder_real(a, b) : floor_division(a, b);
        break;
    }
    *out = lli_var_real(v);
    return op == '%' || op == 'd' ? lli_tpl_charge(r, 16) : LLMINF_OK;
}

static int32_t power_int(struct lli_var *out, struct lli_tpl_run *r, int64_t base, int64_t exponent)
{
    int64_t v = 1;
    int over = 0;
    while (exponent > 0 && !over) {
        if (exponent & 1)
            over = __builtin_mul_overflow(v, base, &v);
        exponent >>= 1;
        if (exponent > 0 && !over)
            over = __builtin_mul_overflow(base, base, &base);
    }
    *out = lli_var_int(v);
    return over ? fail_range(r) : LLMINF_OK;
}

/* Whole exponents by products, as long as they are short; others by exp and log. */
static int32_t power_real(struct lli_var *out, struct lli_tpl_run *r, double base, double exponent)
{
    int whole = floor_real(exponent) == exponent && exponent > -1024 && exponent < 1024;
    double v = 1, x = base;
    if (base == 0 && exponent < 0)
        return lli_tpl_fail(r, "zero cannot be raised to a negative power");
    if (whole) {
        for (int64_t n = (int64_t)(exponent < 0 ? -exponent : exponent); n > 0; n >>= 1, x *= x)
            if (n & 1)
                v *= x;
        v = exponent < 0 ? 1 / v : v;
    } else if (base < 0) {
        return lli_tpl_fail(r, "a root of a negative number");
    } else {
        v = base == 0 ? 0 : exponent == 0.5 ? sqrt(base) : lli_pow_f64(base, exponent);
    }
    *out = lli_var_real(v);
    return LLMINF_OK;
}

static int32_t numbers(struct lli_var *out, struct lli_tpl_run *r, int op, const struct lli_var *a, const struct lli_var *b)
{
    int32_t status;
    if (a->kind == LLI_VAR_BIG || b->kind == LLI_VAR_BIG)
        return fail_range(r);
    int whole = a->kind != LLI_VAR_REAL && b->kind != LLI_VAR_REAL && op != '/' && (op != 'p' || b->number >= 0);
    if (op == 'p')
        status = whole ? power_int(out, r, a->number, b->number) : power_real(out, r, lli_var_as_real(a), lli_var_as_real(b));
    else
        status = whole ? ints(out, r, op, a->number, b->number) : reals(out, r, op, lli_var_as_real(a), lli_var_as_real(b));
    *out = of_both(*out, a, b);
    return status;
}

int32_t lli_tpl_unary(struct lli_var *out, struct lli_tpl_run *r, int op, const struct lli_var *a)
{
    if (a->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, a);
    if (!lli_var_is_number(a))
        return lli_tpl_fail(r, "a sign in front of a value of type %s", lli_var_type(a));
    if (a->kind == LLI_VAR_BIG || (a->kind == LLI_VAR_INT && op == '-' && a->number == INT64_MIN))
        return fail_range(r);
    *out = *a;
    if (out->kind == LLI_VAR_BOOL)
        out->kind = LLI_VAR_INT;
    if (op == '-' && out->kind == LLI_VAR_INT)
        out->number = -out->number;
    else if (op == '-')
        out->real = -out->real;
    return LLMINF_OK;
}

/* ---- texts and lists */

static int32_t put_escaped(struct lli_tpl_run *r, const struct lli_var *text, int markup)
{
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    static const char bytes[] = "&<>\"'";
    int32_t status = LLMINF_OK;
    if (markup)
        return lli_tpl_put_text(r, text);
    for (size_t i = 0; status == LLMINF_OK && i < text->len; i++) {
        const char *found = text->text[i] ? strchr(bytes, text->text[i]) : NULL;
        if (found)
            status = lli_tpl_put(r, names[found - bytes], strlen(names[found - bytes]), lli_var_mark(text, i));
        else
            status = lli_tpl_put(r, text->text + i, 1, lli_var_mark(text, i));
    }
    return status;
}

static int32_t add_texts(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    size_t from = lli_tpl_mark(r);
    int markup = (a->flags | b->flags) & LLI_MARKUP;
    int32_t status = put_escaped(r, a, !markup || a->flags & LLI_MARKUP);
    if (status == LLMINF_OK)
        status = put_escaped(r, b, !markup || b->flags & LLI_MARKUP);
    if (status == LLMINF_OK)
        status = lli_tpl_cut(out, r, from);
    out->flags |= (uint8_t)markup;
    return status;
}

static int32_t add_lists(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b)
{
    size_t n = (size_t)a->list->n + b->list->n;
    int32_t status = lli_tpl_charge(r, n / 4);
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, a->kind, n);
    if (status != LLMINF_OK)
        return status;
    if (a->list->n > 0)
        memcpy(out->list->items, a->list->items, a->list->n * sizeof *a->list->items);
    if (b->list->n > 0)
        memcpy(out->list->items + a->list->n, b->list->items, b->list->n * sizeof *b->list->items);
    out->list->n = (uint32_t)n;
    out->flags = a->flags & b->flags & LLI_OURS;
    return LLMINF_OK;
}

static int32_t repeat(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *v, int64_t times)
{
    size_t from = lli_tpl_mark(r), n = times > 0 ? (size_t)times : 0;
    int32_t status = LLMINF_OK;
    if (v->kind == LLI_VAR_TEXT) {
        if (v->len == 0)
            n = 0;
        if (n > 0 && n > LLI_MAX_TEMPLATE_STRING / v->len)
            return lli_tpl_limit(r, "a text of more than %u bytes", LLI_MAX_TEMPLATE_STRING);
        for (size_t i = 0; status == LLMINF_OK && i < n; i++)
            status = lli_tpl_put_text(r, v);
        return status == LLMINF_OK ? lli_tpl_cut(out, r, from) : status;
    }
    if (v->list->n == 0)
        n = 0;
    if (n > 0 && n > (size_t)r->steps_left / v->list->n)
        return lli_tpl_limit(r, "a list of more items than steps are left");
    status = lli_var_list_new(out, r, v->kind, n * v->list->n);
    out->flags = v->flags;
    for (size_t i = 0; status == LLMINF_OK && i < n; i++)
        for (uint32_t k = 0; status == LLMINF_OK && k < v->list->n; k++)
            status = lli_var_list_add(r, out->list, &v->list->items[k]);
    return status == LLMINF_OK ? lli_tpl_charge(r, n * v->list->n) : status;
}

static int is_int(const struct lli_var *v)
{
    return v->kind == LLI_VAR_INT || v->kind == LLI_VAR_BOOL;
}

static int is_sequence(const struct lli_var *v)
{
    return v->kind == LLI_VAR_TEXT || v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE;
}

int32_t lli_tpl_binary(struct lli_var *out, struct lli_tpl_run *r, int op, const struct lli_var *a, const struct lli_var *b)
{
    static const char *const names[][2] = {{"+", "+"},  {"-", "-"}, {"*", "*"}, {"/", "/"},
                                           {"d", "//"}, {"%", "%"}, {"p", "**"}};
    const char *name = "operator";
    if (lli_var_is_number(a) && lli_var_is_number(b))
        return numbers(out, r, op, a, b);
    if (op == '+' && a->kind == LLI_VAR_TEXT && b->kind == LLI_VAR_TEXT)
        return add_texts(out, r, a, b);
    if (op == '+' && a->kind == b->kind && (a->kind == LLI_VAR_LIST || a->kind == LLI_VAR_TUPLE))
        return add_lists(out, r, a, b);
    if (op == '*' && is_sequence(a) && is_int(b))
        return repeat(out, r, a, b->number);
    if (op == '*' && is_int(a) && is_sequence(b))
        return repeat(out, r, b, a->number);
    if (op == '%' && a->kind == LLI_VAR_TEXT)
        return lli_tpl_format_text(out, r, a, b);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i][0][0] == op)
            name = names[i][1];
    return fail_types(r, name, a, b);
}

int32_t lli_tpl_compare(int *out, struct lli_tpl_run *r, int op, const struct lli_var *a, const struct lli_var *b)
{
    int32_t status;
    int order;
    if (op == '=' || op == '!') {
        status = lli_var_equal(out, r, a, b);
        *out = *out == (op == '=');
        return status;
    }
    if (op == 'i' || op == 'n') {
        status = lli_var_contains(out, r, a, b);
        *out = *out == (op == 'i');
        return status;
    }
    if (a->kind == LLI_VAR_UNDEFINED || b->kind == LLI_VAR_UNDEFINED)
        return fail_types(r, "an order", a, b);
    status = lli_var_order(&order, r, a, b);
    *out = op == '<' ? order < 0 : op == '>' ? order > 0 : op == 'l' ? order <= 0 : order >= 0;
    return status;
}

/* To so many decimal places, the exact value of x, ties to even: Python's round. */
int32_t lli_tpl_round(double *out, struct lli_tpl_run *r, double x, int64_t places)
{
    struct lli_decimal d;
    *out = x;
    if (x == 0 || x - x != 0 || places > 340)
        return LLMINF_OK;
    int64_t place = places < -LLI_DECIMAL_HIGH ? LLI_DECIMAL_HIGH : -places;
    (void)r;
    lli_decimal_from(&d, x);
    lli_decimal_round(&d, place);
    *out = lli_decimal_to(&d);
    if (x < 0)
        *out = -*out;
    return LLMINF_OK;
}

/* ---- %: text.format in the style of printf */

struct spec {
    int64_t width, precision;
    char sign, conversion;
    int left, zero;
};

static int32_t read_count(int64_t *out, struct lli_tpl_run *r, const struct lli_var *format, size_t *i)
{
    size_t from = *i;
    while (*i < format->len && format->text[*i] >= '0' && format->text[*i] <= '9')
        ++*i;
    *out = 0;
    if (*i > from && (lli_format_read_int(out, format->text + from, *i - from) != 0 || *out > LLI_MAX_TEMPLATE_STRING))
        return lli_tpl_limit(r, "a width of more than %u", LLI_MAX_TEMPLATE_STRING);
    return LLMINF_OK;
}

static int32_t read_spec(struct spec *s, struct lli_tpl_run *r, const struct lli_var *format, size_t *i)
{
    *s = (struct spec){.precision = -1};
    for (; *i < format->len && format->text[*i] && strchr("-+ 0#", format->text[*i]); ++*i) {
        s->left |= format->text[*i] == '-';
        s->zero |= format->text[*i] == '0';
        if (format->text[*i] == '+' || (format->text[*i] == ' ' && !s->sign))
            s->sign = format->text[*i];
    }
    int32_t status = read_count(&s->width, r, format, i);
    if (status == LLMINF_OK && *i < format->len && format->text[*i] == '.') {
        ++*i;
        status = read_count(&s->precision, r, format, i);
    }
    if (status != LLMINF_OK)
        return status;
    if (*i == format->len)
        return lli_tpl_fail(r, "incomplete format");
    s->conversion = format->text[(*i)++];
    return LLMINF_OK;
}

/* Digits of a number without its sign; -1 for a conversion that is not known. */
static int64_t number_digits(char out[512], const struct spec *s, double magnitude, uint64_t whole)
{
    int precision = s->precision < 0 ? 6 : s->precision > 100 ? 100 : (int)s->precision;
    switch (s->conversion) {
    case 'd':
    case 'i':
    case 'u':
        return (int64_t)lli_format(out, 512, "%llu", (unsigned long long)whole);
    case 'x':
        return (int64_t)lli_format(out, 512, "%llx", (unsigned long long)whole);
    case 'f':
    case 'F':
        return (int64_t)lli_format(out, 512, "%.*f", precision, magnitude);
    case 'g':
        return (int64_t)lli_format(out, 512, "%.*g", precision > 0 ? precision : 1, magnitude);
    default:
        return -1;
    }
}

static int32_t put_formatted_number(struct lli_tpl_run *r, const struct spec *s, const struct lli_var *v)
{
    char digits[512];
    double real = lli_var_as_real(v);
    int real_wanted = s->conversion == 'f' || s->conversion == 'F' || s->conversion == 'g';
    if (!lli_var_is_number(v) || v->kind == LLI_VAR_BIG)
        return lli_tpl_fail(r, "%%%c wants a number, not %s", s->conversion, lli_var_type(v));
    if (v->kind == LLI_VAR_REAL && !real_wanted && !(real > -0x1p63 && real < 0x1p63))
        return fail_range(r);
    int64_t number = v->kind == LLI_VAR_REAL ? (real_wanted ? 0 : (int64_t)real) : v->number;
    int negative = real_wanted ? signbit(real) != 0 : number < 0;
    int64_t n = number_digits(digits, s, negative ? -real : real, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    if (n < 0)
        return lli_tpl_fail(r, "the conversion %%%c is not supported", s->conversion);
    if (n > 511)
        n = 511;
    int64_t pad = s->width - n - (negative || s->sign);
    int32_t status = LLMINF_OK;
    int ours = v->flags & LLI_OURS;
    for (; status == LLMINF_OK && pad > 0 && !s->left && !s->zero; pad--)
        status = lli_tpl_put(r, " ", 1, 1);
    if (status == LLMINF_OK && (negative || s->sign))
        status = lli_tpl_put(r, negative ? "-" : &s->sign, 1, ours);
    for (; status == LLMINF_OK && pad > 0 && !s->left; pad--)
        status = lli_tpl_put(r, "0", 1, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_put(r, digits, (size_t)n, ours);
    for (; status == LLMINF_OK && pad > 0; pad--)
        status = lli_tpl_put(r, " ", 1, 1);
    return status;
}

static int32_t put_formatted(struct lli_tpl_run *r, const struct spec *s, const struct lli_var *v)
{
    if (s->conversion != 's' && s->conversion != 'r')
        return put_formatted_number(r, s, v);
    struct lli_var text;
    size_t from = lli_tpl_mark(r);
    int32_t status = s->conversion == 's' ? lli_tpl_put_str(r, v) : lli_tpl_put_repr(r, v);
    if (status == LLMINF_OK)
        status = lli_tpl_cut(&text, r, from);
    if (status != LLMINF_OK)
        return status;
    if (s->precision >= 0)
        text = lli_var_part(&text, 0, lli_var_offset(&text, (size_t)s->precision));
    int64_t pad = s->width - (int64_t)lli_var_count(&text);
    for (int64_t i = 0; status == LLMINF_OK && !s->left && i < pad; i++)
        status = lli_tpl_put(r, " ", 1, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &text);
    for (int64_t i = 0; status == LLMINF_OK && s->left && i < pad; i++)
        status = lli_tpl_put(r, " ", 1, 1);
    return status;
}

/* The value of %(name)s, or the next of the tuple. */
static int32_t next_value(const struct lli_var **out, struct lli_tpl_run *r, const struct lli_var *format, size_t *i,
                          const struct lli_var *args, uint32_t *n_used)
{
    if (*i < format->len && format->text[*i] == '(') {
        size_t from = ++*i;
        while (*i < format->len && format->text[*i] != ')')
            ++*i;
        struct lli_text name = {format->text + from, *i - from};
        *out = args->kind == LLI_VAR_DICT && *i < format->len ? lli_var_dict_named(args->dict, name) : NULL;
        ++*i;
        return *out ? LLMINF_OK : lli_tpl_fail(r, "format asks for a name that is not given");
    }
    uint32_t n = args->kind == LLI_VAR_TUPLE ? args->list->n : 1;
    if (*n_used == n)
        return lli_tpl_fail(r, "not enough values for the format");
    *out = args->kind == LLI_VAR_TUPLE ? &args->list->items[*n_used] : args;
    ++*n_used;
    return LLMINF_OK;
}

int32_t lli_tpl_format_text(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *format,
                            const struct lli_var *args)
{
    size_t from = lli_tpl_mark(r), done = 0;
    uint32_t n_used = 0;
    int32_t status = LLMINF_OK;
    for (size_t i = 0; status == LLMINF_OK && i < format->len;) {
        const struct lli_var *value;
        struct spec spec;
        if (format->text[i++] != '%')
            continue;
        struct lli_var run = lli_var_part(format, done, i - 1 - done);
        status = lli_tpl_put_text(r, &run);
        if (status == LLMINF_OK && i < format->len && format->text[i] == '%') {
            status = lli_tpl_put(r, "%", 1, lli_var_mark(format, i++));
        } else if (status == LLMINF_OK) {
            status = next_value(&value, r, format, &i, args, &n_used);
            if (status == LLMINF_OK)
                status = read_spec(&spec, r, format, &i);
            if (status == LLMINF_OK)
                status = put_formatted(r, &spec, value);
        }
        done = i < format->len ? i : format->len;
    }
    struct lli_var rest = lli_var_part(format, done, format->len - done);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &rest);
    if (status == LLMINF_OK && args->kind == LLI_VAR_TUPLE && n_used < args->list->n)
        return lli_tpl_fail(r, "values that the format does not use");
    if (status == LLMINF_OK && args->kind != LLI_VAR_TUPLE && args->kind != LLI_VAR_DICT && n_used == 0)
        return lli_tpl_fail(r, "values that the format does not use");
    return status == LLMINF_OK ? lli_tpl_cut(out, r, from) : status;
}
