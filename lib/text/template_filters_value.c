/* text/template_filters_value.c - filters on numbers and on any value, and all tests. */
#include <math.h>
#include <string.h>

#include "base/casing.h"
#include "base/format.h"
#include "text/template_text.h"

static int32_t f_default(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    *out = *c->in;
    if (c->in->kind == LLI_VAR_UNDEFINED || (lli_var_truth(&c->arg[1]) && !lli_var_truth(c->in)))
        *out = c->arg[0].kind == LLI_VAR_ABSENT ? lli_var_ours("") : c->arg[0];
    return LLMINF_OK;
}

static int32_t f_attr(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_text name;
    if (c->arg[0].kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "attr wants the name of an attribute");
    name = lli_var_bytes(&c->arg[0]);
    *out = lli_var_undefined(name);
    if (c->in->kind == LLI_VAR_DICT && !lli_tpl_method_find(c->in, name))
        return LLMINF_OK; /* a key is no attribute */
    return lli_tpl_attribute(out, r, c->in, name);
}

static int32_t f_abs(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int negative = lli_var_is_number(c->in) && signbit(lli_var_as_real(c->in)); /* of -0.0 too */
    return lli_tpl_unary(out, r, negative ? '-' : '+', c->in);
}

/* ---- texts to numbers */

/* The text without white space around it. */
static struct lli_text stripped(const struct lli_var *v)
{
    struct lli_text t = lli_var_bytes(v);
    while (t.len > 0 && lli_casing_is_space((uint8_t)t.bytes[0]) && (uint8_t)t.bytes[0] < 0x80) {
        t.bytes++;
        t.len--;
    }
    while (t.len > 0 && lli_casing_is_space((uint8_t)t.bytes[t.len - 1]) && (uint8_t)t.bytes[t.len - 1] < 0x80)
        t.len--;
    return t;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint32_t lower = lli_casing_lower((uint8_t)c);
    return lower >= 'a' && lower <= 'z' ? (int)lower - 'a' + 10 : 99;
}

/* Python's int(text, base). 0; -1: no integer; 1: over 64 bits. */
static int read_int(int64_t *out, struct lli_text t, int64_t base)
{
    size_t i = t.len > 0 && (t.bytes[0] == '-' || t.bytes[0] == '+');
    int negative = i && t.bytes[0] == '-', over = 0, before = '_';
    int64_t value = 0;
    uint32_t prefix = t.len > i + 1 && t.bytes[i] == '0' ? lli_casing_lower((uint8_t)t.bytes[i + 1]) : 0;
    int64_t prefix_base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    if (prefix_base && (base == prefix_base || base == 0)) {
        base = prefix_base;
        i += 2;
        before = '0';
    }
    base = base == 0 ? 10 : base;
    if (i == t.len)
        return -1;
    for (; i < t.len; i++) {
        int digit = digit_of(t.bytes[i]);
        if (t.bytes[i] == '_' ? before == '_' : digit >= base)
            return -1;
        before = t.bytes[i];
        if (before != '_')
            over |=
                __builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    *out = value;
    return before == '_' ? -1 : over;
}

static int read_real(double *out, struct lli_text t)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    size_t i = t.len > 0 && (t.bytes[0] == '-' || t.bytes[0] == '+');
    if (t.len > 0 && lli_format_read_float(out, t.bytes, t.len) == 0)
        return 0;
    for (size_t k = 0; k < 3; k++) {
        size_t n = 0;
        while (i + n < t.len && words[k][n] && lli_casing_lower((uint8_t)t.bytes[i + n]) == (uint8_t)words[k][n])
            n++;
        if (words[k][n] || i + n < t.len)
            continue;
        *out = k < 2 ? __builtin_inf() : __builtin_nan("");
        if (i && t.bytes[0] == '-')
            *out = -*out;
        return 0;
    }
    return -1;
}

/* The whole part; TEMPLATE for what no 64 bits hold. */
static int32_t whole_part(struct lli_var *out, struct lli_tpl_run *r, double real)
{
    if (!(real > -0x1p63 && real < 0x1p63))
        return lli_tpl_fail(r, "integer over 64 bits");
    *out = lli_var_int((int64_t)real);
    return LLMINF_OK;
}

static int32_t f_int(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int64_t base, number;
    double real;
    int32_t status = lli_tpl_int_arg(&base, r, &c->arg[1], 10);
    *out = c->arg[0].kind == LLI_VAR_ABSENT ? lli_var_int(0) : c->arg[0];
    if (status != LLMINF_OK)
        return status;
    switch (c->in->kind) {
    case LLI_VAR_UNDEFINED:
        return lli_tpl_undefined(r, c->in);
    case LLI_VAR_BOOL:
    case LLI_VAR_INT:
    case LLI_VAR_BIG:
        *out = *c->in;
        out->kind = c->in->kind == LLI_VAR_BIG ? LLI_VAR_BIG : LLI_VAR_INT;
        return LLMINF_OK;
    case LLI_VAR_REAL:
        status = whole_part(out, r, c->in->real);
        break;
    case LLI_VAR_TEXT:
        if (base != 0 && (base < 2 || base > 36))
            return LLMINF_OK;
        int found = read_int(&number, stripped(c->in), base);
        if (found > 0)
            return lli_tpl_fail(r, "integer over 64 bits");
        if (found == 0)
            *out = lli_var_int(number);
        else if (read_real(&real, stripped(c->in)) == 0 && real - real == 0)
            status = whole_part(out, r, real);
        break;
    default:
        return LLMINF_OK;
    }
    out->flags = (uint8_t)(c->in->flags & LLI_OURS);
    return status;
}

static int32_t f_float(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    double real;
    *out = c->arg[0].kind == LLI_VAR_ABSENT ? lli_var_real(0) : c->arg[0];
    if (c->in->kind == LLI_VAR_UNDEFINED)
        return lli_tpl_undefined(r, c->in);
    if (lli_var_is_number(c->in) && c->in->kind != LLI_VAR_BIG)
        *out = lli_var_real(lli_var_as_real(c->in));
    else if ((c->in->kind == LLI_VAR_TEXT || c->in->kind == LLI_VAR_BIG) && read_real(&real, stripped(c->in)) == 0)
        *out = lli_var_real(real);
    else
        return LLMINF_OK;
    out->flags = (uint8_t)(c->in->flags & LLI_OURS);
    return LLMINF_OK;
}

/* ceil and floor multiply by a power of ten first, as Jinja2 does. */
static int32_t round_towards(struct lli_var *out, struct lli_tpl_run *r, double x, int64_t places, int up)
{
    struct lli_var ten = lli_var_int(10), power, scaled, n = lli_var_int(places), whole;
    int32_t status = lli_tpl_binary(&power, r, 'p', &ten, &n);
    if (status == LLMINF_OK)
        status = whole_part(&whole, r, x * lli_var_as_real(&power));
    if (status != LLMINF_OK)
        return status;
    double exact = x * lli_var_as_real(&power);
    scaled = lli_var_int(whole.number + (up ? exact > (double)whole.number : -(exact < (double)whole.number)));
    return lli_tpl_binary(out, r, '/', &scaled, &power);
}

static int32_t f_round(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    const struct lli_var *how = &c->arg[1];
    int64_t places;
    double real;
    int32_t status = lli_tpl_int_arg(&places, r, &c->arg[0], 0);
    if (status == LLMINF_OK && !lli_var_is_number(c->in))
        status = lli_tpl_unary(out, r, '+', c->in);
    if (status != LLMINF_OK)
        return status;
    if (how->kind != LLI_VAR_ABSENT && !lli_var_is(how, "common") && !lli_var_is(how, "ceil") && !lli_var_is(how, "floor"))
        return lli_tpl_fail(r, "round is common, ceil or floor");
    *out = *c->in;
    if (how->kind != LLI_VAR_ABSENT && !lli_var_is(how, "common")) {
        status = round_towards(out, r, lli_var_as_real(c->in), places, lli_var_is(how, "ceil"));
    } else if (c->in->kind == LLI_VAR_REAL) {
        status = lli_tpl_round(&real, r, c->in->real, places);
        *out = lli_var_real(real);
    } else if (places < 0) {
        return lli_tpl_fail(r, "an integer is rounded to tens, which is not supported");
    } else if (c->in->kind == LLI_VAR_BOOL) {
        out->kind = LLI_VAR_INT;
    }
    out->flags = (uint8_t)(c->in->flags & LLI_OURS);
    return status;
}

const struct lli_tpl_function lli_tpl_value_filters[] = {
    {"abs", "", 0, f_abs},
    {"attr", "name", 1, f_attr},
    {"d", "default_value boolean", 0, f_default},
    {"default", "default_value boolean", 0, f_default},
    {"float", "default", 0, f_float},
    {"int", "default base", 0, f_int},
    {"round", "precision method", 0, f_round},
    {NULL, NULL, 0, NULL},
};

/* ---- tests: kinds of values are a set of bits each */

#define BIT(kind) (1u << (kind))
#define NUMBERS (BIT(LLI_VAR_BOOL) | BIT(LLI_VAR_INT) | BIT(LLI_VAR_BIG) | BIT(LLI_VAR_REAL))

#define KIND_TEST(name_, kinds)                                                                                                \
    static int32_t t_##name_(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)                         \
    {                                                                                                                          \
        (void)r;                                                                                                               \
        *out = lli_var_bool(((kinds) >> c->in->kind & 1u) != 0);                                                               \
        return LLMINF_OK;                                                                                                      \
    }
#define SEQUENCES                                                                                                              \
    (BIT(LLI_VAR_TEXT) | BIT(LLI_VAR_LIST) | BIT(LLI_VAR_TUPLE) | BIT(LLI_VAR_RANGE) | BIT(LLI_VAR_DICT) |                     \
     BIT(LLI_VAR_UNDEFINED))

KIND_TEST(defined, ~BIT(LLI_VAR_UNDEFINED))
KIND_TEST(undefined, BIT(LLI_VAR_UNDEFINED))
KIND_TEST(none, BIT(LLI_VAR_NONE))
KIND_TEST(boolean, BIT(LLI_VAR_BOOL))
KIND_TEST(integer, BIT(LLI_VAR_INT) | BIT(LLI_VAR_BIG))
KIND_TEST(float, BIT(LLI_VAR_REAL))
KIND_TEST(number, NUMBERS)
KIND_TEST(string, BIT(LLI_VAR_TEXT))
KIND_TEST(mapping, BIT(LLI_VAR_DICT))
KIND_TEST(sequence, SEQUENCES)
KIND_TEST(iterable, SEQUENCES | BIT(LLI_VAR_VIEW) | BIT(LLI_VAR_ITERATOR) | BIT(LLI_VAR_LOOP))
KIND_TEST(callable, BIT(LLI_VAR_FUNCTION) | BIT(LLI_VAR_METHOD) | BIT(LLI_VAR_MACRO) | BIT(LLI_VAR_LOOP) | BIT(LLI_VAR_JOINER) |
                        BIT(LLI_VAR_UNDEFINED))

static int32_t t_true(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    *out = lli_var_bool(c->in->kind == LLI_VAR_BOOL && c->in->number);
    return LLMINF_OK;
}

static int32_t t_false(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    *out = lli_var_bool(c->in->kind == LLI_VAR_BOOL && !c->in->number);
    return LLMINF_OK;
}

static int32_t t_escaped(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    *out = lli_var_bool(c->in->kind == LLI_VAR_TEXT && c->in->flags & LLI_MARKUP);
    return LLMINF_OK;
}

static int32_t t_sameas(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    const struct lli_var *a = c->in, *b = &c->arg[0];
    int equal = 0;
    int32_t status = LLMINF_OK;
    if (a->kind == b->kind && (a->kind <= LLI_VAR_TEXT || a->list == b->list))
        status = lli_var_equal(&equal, r, a, b);
    *out = lli_var_bool(equal);
    return status;
}

/* The remainder of a division, compared. */
static int32_t remainder_is(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *by,
                            int64_t wanted)
{
    struct lli_var rest, want = lli_var_int(wanted);
    int equal;
    int32_t status = lli_tpl_binary(&rest, r, '%', a, by);
    if (status == LLMINF_OK)
        status = lli_var_equal(&equal, r, &rest, &want);
    if (status == LLMINF_OK)
        *out = lli_var_bool(equal);
    return status;
}

static int32_t t_odd(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var two = lli_var_int(2);
    return remainder_is(out, r, c->in, &two, 1);
}

static int32_t t_even(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var two = lli_var_int(2);
    return remainder_is(out, r, c->in, &two, 0);
}

static int32_t t_divisibleby(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return remainder_is(out, r, c->in, &c->arg[0], 0);
}

static int32_t t_case(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, const char *method)
{
    const struct lli_tpl_args none = {0};
    struct lli_var text;
    int32_t status = lli_tpl_str(&text, r, c->in);
    if (status != LLMINF_OK)
        return status;
    return lli_tpl_invoke(out, r, lli_tpl_method_find(&text, (struct lli_text){method, 7}), &text, &none);
}

static int32_t t_lower(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return t_case(out, r, c, "islower");
}

static int32_t t_upper(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return t_case(out, r, c, "isupper");
}

static int32_t is_known(struct lli_var *out, const struct lli_tpl_call *c, int is_test)
{
    struct lli_text name = c->in->kind == LLI_VAR_TEXT ? lli_var_bytes(c->in) : (struct lli_text){"", 0};
    *out = lli_var_bool((is_test ? lli_tpl_test_find(name) : lli_tpl_filter_find(name)) != NULL);
    return LLMINF_OK;
}

static int32_t t_filter(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    return is_known(out, c, 0);
}

static int32_t t_test(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    (void)r;
    return is_known(out, c, 1);
}

static int32_t compared(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int op)
{
    int truth;
    int32_t status = lli_tpl_compare(&truth, r, op, c->in, &c->arg[0]);
    if (status == LLMINF_OK)
        *out = lli_var_bool(truth);
    return status;
}

#define COMPARE_TEST(name_, op)                                                                                                \
    static int32_t t_##name_(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)                         \
    {                                                                                                                          \
        return compared(out, r, c, op);                                                                                        \
    }
COMPARE_TEST(eq, '=')
COMPARE_TEST(ne, '!')
COMPARE_TEST(lt, '<')
COMPARE_TEST(le, 'l')
COMPARE_TEST(gt, '>')
COMPARE_TEST(ge, 'g')
COMPARE_TEST(in, 'i')

static const struct lli_tpl_function tests[] = {
    {"!=", "other", 1, t_ne},
    {"<", "other", 1, t_lt},
    {"<=", "other", 1, t_le},
    {"==", "other", 1, t_eq},
    {">", "other", 1, t_gt},
    {">=", "other", 1, t_ge},
    {"boolean", "", 0, t_boolean},
    {"callable", "", 0, t_callable},
    {"defined", "", 0, t_defined},
    {"divisibleby", "num", 1, t_divisibleby},
    {"eq", "other", 1, t_eq},
    {"equalto", "other", 1, t_eq},
    {"escaped", "", 0, t_escaped},
    {"even", "", 0, t_even},
    {"false", "", 0, t_false},
    {"filter", "", 0, t_filter},
    {"float", "", 0, t_float},
    {"ge", "other", 1, t_ge},
    {"greaterthan", "other", 1, t_gt},
    {"gt", "other", 1, t_gt},
    {"in", "seq", 1, t_in},
    {"integer", "", 0, t_integer},
    {"iterable", "", 0, t_iterable},
    {"le", "other", 1, t_le},
    {"lessthan", "other", 1, t_lt},
    {"lower", "", 0, t_lower},
    {"lt", "other", 1, t_lt},
    {"mapping", "", 0, t_mapping},
    {"ne", "other", 1, t_ne},
    {"none", "", 0, t_none},
    {"number", "", 0, t_number},
    {"odd", "", 0, t_odd},
    {"sameas", "other", 1, t_sameas},
    {"sequence", "", 0, t_sequence},
    {"string", "", 0, t_string},
    {"test", "", 0, t_test},
    {"true", "", 0, t_true},
    {"undefined", "", 0, t_undefined},
    {"upper", "", 0, t_upper},
    {NULL, NULL, 0, NULL},
};

const struct lli_tpl_function *lli_tpl_test_find(struct lli_text name)
{
    const struct lli_tpl_function *row = tests;
    while (row->name && (strlen(row->name) != name.len || memcmp(row->name, name.bytes, name.len) != 0))
        row++;
    return row->name ? row : NULL;
}
