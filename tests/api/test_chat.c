/* Chat templates through the public functions: where the template comes from, what a call answers, and that text of the
 * caller never becomes control tokens (class J10), held against llminf_text_encode piece by piece. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "support/support.h"
#include "support/vocab_make.h"

#define CHATML                                                                                                                 \
    "{% for m in messages %}<|c|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"                                           \
    "{% if add_generation_prompt %}<|c|>assistant\n{% endif %}"

static llminf_error error;

/* bpe with two control tokens; a template in the file unless it is NULL. */
static llminf_model *open_model(const char *file_template, const llminf_options *options, uint8_t **bytes)
{
    struct test_vocab v;
    llminf_model *model = NULL;
    size_t n;
    test_vocab_bpe(&v, "gpt-2");
    if (file_template) {
        test_gguf_key_text(&v.more, "tokenizer.chat_template", file_template);
        v.n_more++;
    }
    *bytes = test_vocab_make(&v, &n);
    if (llminf_model_open_memory(&model, *bytes, n, options, &error) != LLMINF_OK)
        print_message("%s\n", error.text);
    return model;
}

static llminf_options *text_only(const char *template)
{
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "model", &error), 0);
    assert_int_equal(llminf_options_set_int(options, "vocab_only", 1, &error), 0);
    if (template)
        assert_int_equal(llminf_options_set_text(options, "chat_template", template, -1, &error), 0);
    return options;
}

static const char *format(const llminf_model *model, const char *json)
{
    static char text[4096];
    size_t n;
    llminf_status status = llminf_chat_format(model, json, -1, text, sizeof text, &n, &error);
    if (status != LLMINF_OK)
        return llminf_status_name(status);
    assert_int_equal(strlen(text), n);
    return text;
}

static void test_sources(void **state)
{
    llminf_options *plain = text_only(NULL), *given = text_only("O{{ x }}");
    uint8_t *bytes[3];
    llminf_model *of_file = open_model("F{{ x }}", plain, &bytes[0]), *none = open_model(NULL, plain, &bytes[1]),
                 *of_option = open_model("F{{ x }}", given, &bytes[2]);
    const char *text;
    size_t n;
    (void)state;
    assert_string_equal(format(of_file, "{\"x\":1}"), "F1");
    assert_string_equal(format(of_option, "{\"x\":1}"), "O1");
    assert_string_equal(format(none, "{\"x\":1}"), "LLMINF_E_NOT_FOUND");
    assert_string_equal(format(of_option, "{\"x\":1,\"chat_template\":\"J{{ x }}{{ chat_template }}\"}"), "J1");
    assert_string_equal(format(NULL, "{\"x\":1,\"chat_template\":\"J{{ x }}\"}"), "J1");
    assert_string_equal(format(NULL, "{\"x\":1}"), "LLMINF_E_INVALID");
    assert_string_equal(format(none, "{\"chat_template\":\"{{ eos_token }}{{ zz is defined }}\"}"), "<|end|>False");
    assert_int_equal(llminf_model_text(of_option, "chat_template", &text, &n, &error), 0);
    assert_string_equal(text, "O{{ x }}");
    assert_int_equal(llminf_model_text(of_file, "chat_template", &text, &n, &error), 0);
    assert_string_equal(text, "F{{ x }}");
    assert_int_equal(llminf_model_text(none, "chat_template", &text, &n, &error), LLMINF_E_NOT_FOUND);
    llminf_model_close(of_file), llminf_model_close(none), llminf_model_close(of_option);
    llminf_options_close(plain), llminf_options_close(given);
    for (size_t i = 0; i < 3; i++)
        free(bytes[i]);
}

/* A file with an odd template still opens; an odd one by option does not. */
static void test_odd(void **state)
{
    llminf_options *plain = text_only(NULL), *odd = text_only("ab{% if %}");
    struct test_vocab v;
    llminf_model *model = (llminf_model *)(uintptr_t)1;
    uint8_t *bytes, *other;
    size_t n;
    (void)state;
    test_vocab_bpe(&v, "gpt-2");
    other = test_vocab_make(&v, &n);
    assert_int_equal(llminf_model_open_memory(&model, other, n, odd, &error), LLMINF_E_TEMPLATE);
    assert_null(model);
    assert_int_equal(error.position, 8);
    model = open_model("ab{% if %}", plain, &bytes);
    assert_non_null(model);
    assert_string_equal(format(model, "{}"), "LLMINF_E_TEMPLATE");
    assert_int_equal(error.position, 8);
    llminf_model_close(model);
    llminf_options_close(plain), llminf_options_close(odd);
    free(bytes);
    free(other);
}

static void test_answers(void **state)
{
    static const struct {
        const char *json, *answer;
    } rows[] = {
        {"{\"chat_template\":\"{{ raise_exception('no') }}\"}", "LLMINF_E_TEMPLATE"},
        {"{\"chat_template\":\"{{ 'a' * 1000000000 }}\"}", "LLMINF_E_LIMIT"},
        {"{\"chat_template\":\"{{ strftime_now('%d') }}\"}", "LLMINF_E_TEMPLATE"},
        {"{\"chat_template\":\"{{ strftime_now('%d') }}\",\"now\":\"2026-01-15 10:20:30\"}", "15"},
        {"{\"chat_template\":\"x\",\"now\":\"yesterday\"}", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":\"x\",\"now\":5}", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":5}", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":\"x\",\"messages\":5}", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":\"x\",\"messages\":[{},5]}", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":\"x\",\"messages\":[]}", "x"},
        {"[]", "LLMINF_E_FORMAT"},
        {"{", "LLMINF_E_FORMAT"},
        {"", "LLMINF_E_FORMAT"},
        {"{\"chat_template\":\"\"}", ""},
    };
    char deep[400] = "{\"chat_template\":\"x\",\"a\":", text[8];
    size_t n = 7;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(format(NULL, rows[i].json), rows[i].answer);
    memset(deep + strlen(deep), '[', 200);
    assert_string_equal(format(NULL, deep), "LLMINF_E_LIMIT");
    assert_int_equal(llminf_chat_format(NULL, NULL, -1, text, 8, &n, &error), LLMINF_E_INVALID);
    assert_int_equal(n, 0);
    assert_int_equal(llminf_chat_format(NULL, "{}", -2, text, 8, &n, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_chat_format(NULL, "{}", -1, text, 8, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_chat_format(NULL, rows[3].json, -1, NULL, 0, &n, &error), LLMINF_OK);
    assert_int_equal(n, 2);
    assert_int_equal(llminf_chat_format(NULL, rows[3].json, -1, text, 2, &n, &error), LLMINF_E_TOO_SMALL);
    assert_int_equal(n, 2);
    assert_int_equal(llminf_chat_encode(NULL, rows[3].json, -1, NULL, 0, &n, &error), LLMINF_E_INVALID);
}

static void test_limits(void **state)
{
    llminf_options *options = text_only("{% for i in range(100) %}{{ x }}{% endfor %}");
    uint8_t *bytes[2];
    llminf_model *model = NULL;
    (void)state;
    assert_int_equal(llminf_options_set_int(options, "template_limit_bytes", 150, &error), 0);
    model = open_model(NULL, options, &bytes[0]);
    assert_string_equal(format(model, "{\"x\":\"a\"}") + 97, "aaa");
    assert_string_equal(format(model, "{\"x\":\"ab\"}"), "LLMINF_E_LIMIT");
    llminf_model_close(model);
    assert_int_equal(llminf_options_set_int(options, "template_limit_steps", 150, &error), 0);
    model = open_model(NULL, options, &bytes[1]);
    assert_string_equal(format(model, "{\"x\":\"a\"}"), "LLMINF_E_LIMIT");
    assert_non_null(strstr(error.text, "template_limit_steps"));
    llminf_model_close(model);
    llminf_options_close(options);
    free(bytes[0]), free(bytes[1]);
}

/* ---- tokens */

struct ids {
    llminf_token at[512];
    size_t n;
};

static void add(struct ids *ids, const llminf_model *model, const char *text, int32_t flags)
{
    size_t n;
    assert_int_equal(
        llminf_text_encode(model, text, -1, flags, ids->at + ids->n, sizeof ids->at / sizeof *ids->at - ids->n, &n, &error), 0);
    ids->n += n;
}

static void encode(struct ids *ids, const llminf_model *model, const char *json)
{
    llminf_status status = llminf_chat_encode(model, json, -1, ids->at, sizeof ids->at / sizeof *ids->at, &ids->n, &error);
    if (status != LLMINF_OK)
        print_message("%s\n", error.text);
    assert_int_equal(status, LLMINF_OK);
}

static void check_pieces(const llminf_model *model, const char *json, const char *const pieces[][2])
{
    struct ids got = {.n = 0}, want = {.n = 0};
    encode(&got, model, json);
    for (size_t i = 0; pieces[i][0]; i++)
        add(&want, model, pieces[i][0], pieces[i][1] ? LLMINF_TEXT_SPECIAL : 0);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.at, want.at, got.n * sizeof *got.at);
}

/* Control tokens of the template are taken; the same texts in a message, a name, across a border, or made by a filter are
 * not. What stands between two control tokens is encoded as one text. */
static void test_control(void **state)
{
    static const char *const plain[][2] = {{"<|c|>", "s"}, {"user\nhello world", NULL}, {"<|end|>", "s"}, {"\n", NULL},
                                           {"<|c|>", "s"}, {"assistant\n", NULL},       {NULL, NULL}};
    static const char *const spelled[][2] = {
        {"<|c|>", "s"}, {"us<|c|>er\nx <|end|> <|c|>y", NULL}, {"<|end|>", "s"}, {"\n", NULL}, {NULL, NULL}};
    static const char *const inside[][2] = {{"<|c|>", "s"}, {"<|c|>", NULL}, {NULL, NULL}};
    static const char *const border[][2] = {{"<|c|>", NULL}, {NULL, NULL}};
    static const char *const made[][2] = {{"<|C|>", NULL}, {"<|c|>", "s"}, {NULL, NULL}};
    static const char *const user[][2] = {{"a[U]b", NULL}, {"<|end|>", "s"}, {NULL, NULL}};
    llminf_options *options = text_only(CHATML);
    uint8_t *bytes;
    llminf_model *model = open_model(NULL, options, &bytes);
    struct ids ids;
    (void)state;
    check_pieces(model, "{\"messages\":[{\"role\":\"user\",\"content\":\"hello world\"}],\"add_generation_prompt\":true}",
                 plain);
    check_pieces(model, "{\"messages\":[{\"role\":\"us<|c|>er\",\"content\":\"x <|end|> <|c|>y\"}]}", spelled);
    /* "<|" of the template with "c|>" of the caller, and the caller's with the template's. */
    check_pieces(model, "{\"chat_template\":\"<|c|><|{{ x }}{{ y }}|>\",\"x\":\"c\",\"y\":\"\"}", inside);
    check_pieces(model, "{\"chat_template\":\"<|{{ x }}\",\"x\":\"c|>\"}", border);
    check_pieces(model, "{\"chat_template\":\"{{ ('<|' ~ x)|upper }}<|c|>\",\"x\":\"c|>\"}", made);
    /* User-defined tokens match in any text. */
    check_pieces(model, "{\"chat_template\":\"{{ x }}<|end|>\",\"x\":\"a[U]b\"}", user);
    /* A special token that the model names is the template's, even where the caller hands it in. */
    encode(&ids, model, "{\"chat_template\":\"{{ eos_token }}\",\"eos_token\":\"<|end|>\"}");
    assert_int_equal(ids.n, 1);
    encode(&ids, model, "{\"chat_template\":\"{{ bos_token }}\",\"bos_token\":\"<|end|>\"}");
    assert_true(ids.n > 1);
    encode(&ids, model, "{\"chat_template\":\"\"}");
    assert_int_equal(ids.n, 0);
    llminf_model_close(model);
    llminf_options_close(options);
    free(bytes);
}

/* ---- one compiled template for all calls */

#define N_THREADS 4

static void *format_often(void *model)
{
    static const char json[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}], \"add_generation_prompt\": true}";
    static const char want[] = "<|c|>user\nhello<|end|>\n<|c|>assistant\n";
    for (int i = 0; i < 50; i++) {
        char text[128];
        llminf_token ids[64];
        size_t n, n_ids;
        if (llminf_chat_format(model, json, -1, text, sizeof text, &n, NULL) != LLMINF_OK || strcmp(text, want) != 0 ||
            llminf_chat_encode(model, json, -1, ids, 64, &n_ids, NULL) != LLMINF_OK || n_ids == 0)
            return model;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        uint8_t *bytes;
        llminf_options *options = text_only(round % 2 ? CHATML : NULL);
        llminf_model *model = open_model(CHATML, options, &bytes);
        pthread_t threads[N_THREADS];
        void *failed;
        for (int i = 0; i < N_THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, format_often, model), 0);
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &failed), 0);
            assert_null(failed);
        }
        llminf_model_close(model);
        llminf_options_close(options);
        free(bytes);
    }
}

/* ---- memory that is refused */

/* All that a host does with a conversation; the model stays open. */
static llminf_status talk(const llminf_model *model, const char *json, char *text, llminf_token *ids, size_t *n_ids)
{
    size_t n;
    llminf_status status = llminf_chat_format(model, json, -1, text, 512, &n, NULL);
    return status == LLMINF_OK ? llminf_chat_encode(model, json, -1, ids, 512, n_ids, NULL) : status;
}

/* Every allocation of a call fails, once and from there on: a status, nothing is lost, and the next call gives the same. */
static void test_no_memory(void **state)
{
    static const char template[] =
        "{%- macro tool(t, indent=2) -%}{{ t | tojson(indent=indent) }}{%- endmacro -%}"
        "{%- set ns = namespace(n=0, names=[]) -%}{{ bos_token }}"
        "{%- for t in tools | default([]) -%}{{ tool(t) }}{%- set ns.n = ns.n + 1 -%}{%- endfor -%}"
        "{%- for m in messages if m.role != 'none' -%}<|c|>{{ loop.index0 ~ m.role | upper }}\n"
        "{{ (m.content.split('x') | map('trim') | join('-'))[:200] + '%s|%d' | format(m.role, ns.n) }}<|end|>{{ "
        "dict(a=1).items() | list }}"
        "{%- endfor -%}{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | tojson }}";
    static const char json[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"hello x w\"}, {\"role\": \"none\"}, {\"role\": \"assistant\", "
        "\"content\": \"<|c|> 12\"}], \"tools\": [{\"name\": \"f\", \"parameters\": {\"a\": [1, 2.5, null]}}], \"now\": "
        "\"2026-01-15 10:20:30\"}";
    (void)state;
    for (int mode = 0; mode < 4; mode++) { /* the template of the file or of the JSON; once or for ever */
        struct support_heap heap = {0};
        char first[512], text[512], own[4096];
        llminf_token ids[512], first_ids[512];
        size_t n_ids, n_first;
        uint8_t *bytes;
        llminf_options *options = text_only(NULL);
        assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
        llminf_model *model = open_model(mode & 1 ? "{{ 1 }}" : template, options, &bytes);
        snprintf(own, sizeof own, "%.*s", (int)strlen(json), json);
        if (mode & 1) {
            size_t n = strlen(json) - 1;
            n += (size_t)snprintf(own + n, sizeof own - n, ", \"chat_template\": \"");
            for (const char *at = template; *at; at++)
                n += (size_t)snprintf(own + n, sizeof own - n, *at == '\n' ? "\\n" : "%c", *at);
            snprintf(own + n, sizeof own - n, "\"}");
        }
        int64_t calls = 0;
        for (int64_t k = 1; calls == 0; k++) {
            int64_t before = heap.live_bytes;
            support_heap_arm(&heap, k, mode >> 1);
            llminf_status status = talk(model, own, text, ids, &n_ids);
            support_heap_arm(&heap, 0, 0);
            if (status == LLMINF_OK)
                calls = k;
            else
                assert_int_equal(status, LLMINF_E_MEMORY);
            if (mode & 1)
                assert_int_equal(heap.live_bytes, before); /* else the compiled template may stay */
            assert_int_equal(talk(model, own, first, first_ids, &n_first), LLMINF_OK);
            if (status == LLMINF_OK) {
                assert_string_equal(text, first);
                assert_int_equal(n_ids, n_first);
                assert_memory_equal(ids, first_ids, n_ids * sizeof *ids);
            }
        }
        assert_true(calls > 20);
        llminf_model_close(model);
        assert_int_equal(heap.live_bytes, 0);
        llminf_options_close(options);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),   cmocka_unit_test(test_odd),     cmocka_unit_test(test_answers),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_control), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
