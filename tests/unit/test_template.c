/* Chat templates. What a template gives is held against Python's Jinja2: template_cases.json has pairs of a template and
 * its text there, null where it raised an error (ImmutableSandboxedEnvironment of 3.1.6 with trim_blocks, lstrip_blocks,
 * loop controls, and json.dumps(ensure_ascii=False) as tojson). Beside it: whose bytes they are, limits, positions, failing
 * memory. */
#include "text/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/limits.h"
#include "support.h"

static struct lli_heap heap;
static struct llminf_error error;
static struct lli_template_output output;

static int32_t run(const char *template, size_t n, const struct lli_json *json, const char *now, int64_t steps, int64_t bytes)
{
    static const struct lli_template_constant constants[] = {{"special_token", {"<s>", 3}}};
    struct lli_template *t;
    struct lli_template_input in = {.json = json,
                                    .hidden = "chat_template",
                                    .constants = constants,
                                    .n_constants = 1,
                                    .now = now,
                                    .limit_steps = steps,
                                    .limit_bytes = bytes};
    int32_t status = lli_template_new(&t, &heap, template, n, &error);
    if (status == LLMINF_OK)
        status = lli_template_run(&output, &heap, t, &in, &error);
    lli_template_free(t);
    return status;
}

static int32_t run_on(const char *template, const char *variables)
{
    struct lli_json json;
    int32_t status = lli_json_read(&json, &heap, variables, strlen(variables), "json", &error);
    if (status == LLMINF_OK)
        status = run(template, strlen(template), &json, "2026-01-15 10:20:30", 100000, 1 << 20);
    lli_json_finish(&json);
    return status;
}

static void finish(void)
{
    lli_template_output_finish(&output);
    assert_int_equal(heap.live_bytes, 0);
}

static const struct lli_json_value *at(const struct lli_json *json, uint32_t i)
{
    return &json->values[i];
}

static int check_case(const struct lli_json *vars, const struct lli_json_value *template, const struct lli_json_value *want)
{
    int32_t status = run(template->text, template->n, vars, "2026-01-15 10:20:30", LLI_TEMPLATE_STEPS_DEFAULT, 1 << 24);
    int same = want->kind == LLI_JSON_NULL ? status == LLMINF_E_TEMPLATE || status == LLMINF_E_LIMIT
                                           : status == LLMINF_OK && output.text.len == want->n &&
                                                 (want->n == 0 || memcmp(output.text.bytes, want->text, want->n) == 0);
    if (!same)
        print_message("%s\n  want %s\n  got  %.*s\n", template->text, want->kind == LLI_JSON_NULL ? "an error" : want->text,
                      status ? (int)strlen(error.text) : (int)output.text.len,
                      status ? error.text : (const char *)output.text.bytes);
    finish();
    return same;
}

static void test_cases(void **state)
{
    char *path = support_source_file("tests/unit/template_cases.json");
    size_t n;
    uint8_t *file = support_read(path, &n);
    struct lli_heap own;
    struct lli_json all, vars;
    int n_cases = 0, n_wrong = 0;
    (void)state;
    assert_non_null(file);
    lli_heap_init(&own, NULL, NULL, NULL);
    assert_int_equal(lli_json_read(&all, &own, (char *)file, n, path, &error), 0);
    const struct lli_json_value *v = at(&all, lli_json_find(&all, 0, "vars", 4)), *end = at(&all, v->end);
    assert_int_equal(lli_json_read(&vars, &own, (char *)file + v->at, end->at - v->at - strlen(",\n"), "vars", &error), 0);
    uint32_t list = lli_json_find(&all, 0, "cases", 5);
    for (uint32_t i = list + 1; i < at(&all, list)->end; i = lli_json_next(&all, i), n_cases++)
        n_wrong += !check_case(&vars, at(&all, i + 1), at(&all, i + 2));
    assert_int_equal(n_wrong, 0);
    assert_true(n_cases > 300);
    lli_json_finish(&vars);
    lli_json_finish(&all);
    free(file);
    free(path);
}

/* ---- whose bytes they are: t the template's, u the caller's */

static void test_marks(void **state)
{
    static const struct {
        const char *template, *text, *marks;
    } cases[] = {
        {"<|{{ s }}|>", "<|ab|>", "ttuutt"},
        {"{{ '<|' + s + '|>' }}", "<|ab|>", "ttuutt"},
        {"{{ '<|' ~ s ~ 1 ~ '|>' }}", "<|ab1|>", "ttuuttt"},
        {"{{ ('<|' ~ s ~ '|>')|upper }}", "<|AB|>", "ttuutt"},
        {"{{ ('<|' ~ s ~ '|>')[1:4] }}", "|ab", "tuu"},
        {"{{ ('<|' ~ s ~ '|>')[::-1] }}", ">|ba|<", "ttuutt"},
        {"{{ ('  ' ~ s ~ '  x ')|trim }}", "ab  x", "uuttt"},
        {"{{ (s ~ ',' ~ 'x').split(',')|join('+') }}", "ab+x", "uutt"},
        {"{{ 'a-b'.replace('-', s) }}", "aabb", "tuut"},
        {"{{ s.replace('a', '<|x|>') }}", "<|x|>b", "tttttu"},
        {"{{ 'x'.join([s, s]) }}", "abxab", "uutuu"},
        {"{{ '%s:%s' % (s, 'q') }}", "ab:q", "uutt"},
        {"{{ '{}:{}'.format(s, 'q') }}", "ab:q", "uutt"},
        {"{{ s|tojson }}", "\"ab\"", "uuuu"},
        {"{{ {'k': s}|tojson }}", "{\"k\": \"ab\"}", "tttttttuutt"},
        {"{{ d|tojson }}", "{\"k\": \"v\"}", "uuuuuuuuuu"},
        {"{{ [s] }}", "['ab']", "ttuutt"},
        {"{{ s|e }}{{ h|e }}", "ab&lt;", "uuuuuu"},
        {"{% set x %}<|{{ s }}{% endset %}{{ x }}", "<|ab", "ttuu"},
        {"{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(s) }}", "<ab>", "tuut"},
        {"{% filter upper %}x{{ s }}{% endfilter %}", "XAB", "tuu"},
        {"{{ s if s else 'x' }}{{ e or 'x' }}{{ z|default('y') }}", "abxy", "uutt"},
        {"{{ n }}{{ n + 1 }}{{ 1 + 1 }}{{ s|length }}{{ loop }}", "3422", "uutt"},
        {"{% for c in s %}{{ loop.index }}{{ c }}{% endfor %}", "1a2b", "tutu"},
        {"{{ special_token }}{{ d.k }}{{ d.keys()|first }}", "<s>vk", "tttuu"},
        {"{{ s|indent(1) }}{{ (s ~ '\n' ~ s)|indent(1) }}", "abab\n ab", "uuuuttuu"},
        {"{{ s.center(4) }}{{ 'a'.center(3, s[0]) }}", " ab aaa", "tuutuTu"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char marks[32] = "";
        assert_int_equal(run_on(cases[i].template, "{\"s\":\"ab\",\"e\":\"\",\"h\":\"<\",\"n\":3,\"d\":{\"k\":\"v\"}}"), 0);
        assert_int_equal(output.text.len, output.marks.len);
        assert_true(output.text.len < sizeof marks);
        for (size_t k = 0; k < output.marks.len; k++)
            marks[k] = output.marks.bytes[k] ? (cases[i].marks[k] == 'T' ? 'T' : 't') : 'u';
        assert_int_equal(output.text.len, strlen(cases[i].text));
        assert_memory_equal(output.text.bytes, cases[i].text, output.text.len);
        assert_string_equal(marks, cases[i].marks);
        finish();
    }
}

/* A variable of the caller with the value of a constant counts as the template's, with another it does not. */
static void test_constants(void **state)
{
    (void)state;
    assert_int_equal(run_on("{{ special_token }}", "{\"special_token\":\"<s>\"}"), 0);
    assert_int_equal(output.marks.bytes[0], 1);
    lli_template_output_finish(&output);
    assert_int_equal(run_on("{{ special_token }}", "{\"special_token\":\"<x>\"}"), 0);
    assert_int_equal(output.text.bytes[1], 'x');
    assert_int_equal(output.marks.bytes[0], 0);
    lli_template_output_finish(&output);
    assert_int_equal(run_on("{{ chat_template is defined }}{{ strftime_now is defined }}", "{\"chat_template\":\"x\"}"), 0);
    assert_int_equal(output.text.len, strlen("FalseTrue"));
    finish();
}

/* ---- refusals: J01 to J14 of the classes of malformed input */

static char *repeat(const char *a, size_t n, const char *between, const char *b)
{
    size_t len = strlen(a), len_b = strlen(b);
    char *text = malloc(n * (len + len_b) + strlen(between) + 1), *to = text;
    for (size_t i = 0; i < n; i++, to += len)
        memcpy(to, a, len);
    to += sprintf(to, "%s", between);
    for (size_t i = 0; i < n; i++, to += len_b)
        memcpy(to, b, len_b);
    *to = 0;
    return text;
}

static void test_refused(void **state)
{
    static const struct {
        const char *template;
        int32_t status;
        int64_t position; /* -1: anywhere */
    } cases[] = {
        {"ab {{ x|nosuch }}", LLMINF_E_TEMPLATE, 8},
        {"{% if true %}\n{{ x is nosuch }}{% endif %}", LLMINF_E_TEMPLATE, 22},
        {"{% import 'x' as y %}", LLMINF_E_TEMPLATE, 3},
        {"{% include 'x' %}", LLMINF_E_TEMPLATE, 3},
        {"{% extends 'x' %}", LLMINF_E_TEMPLATE, 3},
        {"{{ ''.__class__.__mro__ }}", LLMINF_E_TEMPLATE, -1},
        {"{{ (1).__class__() }}", LLMINF_E_TEMPLATE, -1},
        {"{{ range(10**9) }}", LLMINF_E_LIMIT, -1},
        {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", LLMINF_E_LIMIT, -1},
        {"{{ 'a' * 10**9 }}", LLMINF_E_LIMIT, -1},
        {"{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", LLMINF_E_LIMIT,
         -1},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", LLMINF_E_LIMIT, -1},
        {"{% for i in range(10000) %}{{ 'a' * 1000 }}{% endfor %}", LLMINF_E_LIMIT, -1},
        {"{% set l = [1] %}{% set x = l.append(l) %}{{ l }}", LLMINF_E_LIMIT, -1},
        {"{% set l = [1] %}{% for x in l %}{% set y = l.append(1) %}{% endfor %}", LLMINF_E_LIMIT, -1},
        {"{{ '%1000000000d' % 5 }}", LLMINF_E_LIMIT, -1},
        {"{{ 9223372036854775807 + 1 }}", LLMINF_E_TEMPLATE, 3},
        {"{{ 9 ** 99 }}", LLMINF_E_TEMPLATE, 3},
        {"{{ 1 / 0 }}", LLMINF_E_TEMPLATE, 3},
        {"{{ '\\ud800' }}", LLMINF_E_TEMPLATE, -1},
        {"{{ 'abc", LLMINF_E_TEMPLATE, 3},
        {"a{# b", LLMINF_E_TEMPLATE, 1},
        {"a{% raw %} b", LLMINF_E_TEMPLATE, 1},
        {"{{ x", LLMINF_E_TEMPLATE, 4},
        {"{% break %}", LLMINF_E_TEMPLATE, 3},
        {"\xff", LLMINF_E_INVALID, 0},
    };
    static const struct {
        const char *open, *between, *close;
    } deep[] = {{"{{ (", "1", ") }}"},       {"{% if true %}", "", "{% endif %}"}, {"{% for x in [1] %}", "", "{% endfor %}"},
                {"{% macro m() %}", "", ""}, {"{% set x %}", "", "{% endset %}"},  {"{% filter upper %}", "", ""},
                {"{% call m() %}", "", ""}};
    char *text;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t status = run_on(cases[i].template, "{\"x\":\"1\"}");
        if (status != cases[i].status || (cases[i].position >= 0 && error.position != cases[i].position))
            print_message("%s: %d at %lld, %s\n", cases[i].template, status, (long long)error.position, error.text);
        assert_int_equal(status, cases[i].status);
        if (cases[i].position >= 0)
            assert_int_equal(error.position, cases[i].position);
        finish();
    }
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        text = repeat(deep[i].open, 10000, deep[i].between, deep[i].close);
        assert_int_equal(run_on(text, "{}"), LLMINF_E_LIMIT);
        free(text);
        finish();
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const ops[] = {"(", "[", "-", "not "};
        text = repeat(ops[i], 10000, "1 }}", "");
        char *whole = malloc(strlen(text) + 4);
        sprintf(whole, "{{ %s", text);
        assert_int_equal(run_on(whole, "{}"), LLMINF_E_LIMIT);
        free(whole);
        free(text);
        finish();
    }
    text = repeat("a", LLI_MAX_TEMPLATE_BYTES + 1, "", "");
    assert_int_equal(run_on(text, "{}"), LLMINF_E_LIMIT);
    free(text);
    finish();
}

static void test_raised(void **state)
{
    (void)state;
    assert_int_equal(run_on("a\n{{ raise_exception('no ' ~ x) }}", "{\"x\":\"way\"}"), LLMINF_E_TEMPLATE);
    assert_string_equal(error.text, "chat_template: line 2: no way");
    assert_string_equal(error.subject, "chat_template");
    finish();
}

/* What is open at some byte is refused there; nothing is read past the end (a sanitizer watches). */
static void test_cut(void **state)
{
    static const char whole[] =
        "{%- macro m(a, b='x') -%}{{ a|replace(\"q\", b)[1:-1] }}{%- endmacro -%}{# c #}{% raw %}{{{% endraw %}"
        "{% for x in [1, {'k': (2,)}] if x is not none %}{{ m(x ~ '\\u00e9') }}{% else %}-{% endfor %}";
    (void)state;
    for (size_t n = 0; n < sizeof whole; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, whole, n);
        copy[n] = 0;
        int32_t status = run_on(copy, "{}");
        assert_true(status == LLMINF_OK || status == LLMINF_E_TEMPLATE);
        free(copy);
        finish();
    }
    for (size_t i = 0; i < 8 * (sizeof whole - 1); i++) {
        char copy[sizeof whole];
        memcpy(copy, whole, sizeof whole);
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
        int32_t status = run(copy, sizeof whole - 1, NULL, NULL, 10000, 1 << 16);
        assert_true(status <= LLMINF_OK);
        finish();
    }
}

static void test_now(void **state)
{
    static const struct {
        const char *now;
        int32_t status;
    } cases[] = {{NULL, LLMINF_E_TEMPLATE},
                 {"2024-02-29 00:00:00", LLMINF_OK},
                 {"2023-02-29 00:00:00", LLMINF_E_FORMAT},
                 {"2024-02-29T00:00:00", LLMINF_E_FORMAT},
                 {"", LLMINF_E_FORMAT},
                 {"2024-13-01 00:00:00", LLMINF_E_FORMAT},
                 {"2024-01-01 24:00:00", LLMINF_E_FORMAT}};
    static const char template[] = "{{ strftime_now('%A %j %V') }}";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(template, sizeof template - 1, NULL, cases[i].now, 1000, 1000), cases[i].status);
        if (cases[i].status == LLMINF_OK)
            assert_memory_equal(output.text.bytes, "Thursday 060 09", 15);
        finish();
    }
}

static void test_memory(void **state)
{
    static const char template[] =
        "{% set ns = namespace(t='') %}{% macro m(a) %}<{{ a }}>{% endmacro %}{% for k, v in d|dictsort if v %}"
        "{% set ns.t = ns.t ~ m(k|upper) %}{{ [k, v]|tojson(indent=2) }}{% set x %}{{ v }}{% endset %}{% endfor %}{{ ns.t }}";
    static const char variables[] = "{\"d\":{\"b\":[1,2,{\"c\":\"x\"}],\"a\":1.5,\"q\":\"\xC3\xA9\"}}";
    struct support_heap host = {0};
    int64_t k = 1;
    (void)state;
    for (int done = 0; !done; k++) {
        struct lli_heap failing;
        struct lli_json json = {0};
        struct lli_template *t = NULL;
        struct lli_template_output out = {0};
        support_heap_arm(&host, k, (int)(k & 1));
        lli_heap_init(&failing, support_alloc, support_release, &host);
        int32_t status = lli_json_read(&json, &failing, variables, sizeof variables - 1, "json", &error);
        struct lli_template_input in = {.json = &json, .limit_steps = 100000, .limit_bytes = 1 << 20};
        if (status == LLMINF_OK)
            status = lli_template_new(&t, &failing, template, sizeof template - 1, &error);
        if (status == LLMINF_OK)
            status = lli_template_run(&out, &failing, t, &in, &error);
        assert_true(status == LLMINF_OK || status == LLMINF_E_MEMORY);
        done = status == LLMINF_OK;
        lli_template_output_finish(&out);
        lli_template_free(t);
        lli_json_finish(&json);
        assert_int_equal(host.live_bytes, 0);
    }
    assert_true(k > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_marks),  cmocka_unit_test(test_constants),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_raised), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_now),     cmocka_unit_test(test_memory),
    };
    lli_heap_init(&heap, NULL, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
