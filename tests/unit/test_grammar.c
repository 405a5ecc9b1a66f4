/* Grammars: what they accept, what is refused, which tokens they let through, and what hostile ones cost. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "grammar/matcher.h"
#include "llminf/status.h"
#include "support/grammars.h"
#include "support/support.h"
#include "support/vocab_make.h"

static struct test_text vocab;
static struct lli_trie trie;
static uint64_t seed = 9;

static int open_vocab(void **state)
{
    struct test_vocab v;
    (void)state;
    test_vocab_spm(&v);
    return test_text_open(&vocab, &v) || lli_trie_init(&trie, &vocab.heap, &vocab.vocab, NULL);
}

static int close_vocab(void **state)
{
    (void)state;
    lli_trie_finish(&trie);
    return test_text_close(&vocab) != 0;
}

static const struct {
    const char *name;
    int32_t status;
} statuses[] = {
    {"GRAMMAR", LLMINF_E_GRAMMAR}, {"LIMIT", LLMINF_E_LIMIT}, {"INVALID", LLMINF_E_INVALID}, {"FORMAT", LLMINF_E_FORMAT}};

static int n_complaints; /* all are told before the test fails */

#define complain(...) (print_error(__VA_ARGS__), print_error("\n"), n_complaints++)

/* "!GRAMMAR 12" */
static void expect_refusal(const struct grammar_case *c, int32_t status, const struct llminf_error *error)
{
    size_t i = 0;
    while (strncmp(c->lines + 1, statuses[i].name, strlen(statuses[i].name)) != 0)
        i++;
    if (status != statuses[i].status)
        complain("%.*s: status %d (%s), want %s", (int)c->name_len, c->name, status, status ? error->text : "",
                 statuses[i].name);
    const char *at = c->lines + 1 + strlen(statuses[i].name);
    if (*at == ' ' && error->position != atoi(at))
        complain("%.*s: at %d, want %d", (int)c->name_len, c->name, (int)error->position, atoi(at));
}

static void expect_texts(const struct grammar_case *c, struct lli_grammar *g)
{
    char text[4096];
    for (const char *line = c->lines; line < c->end; line = strchr(line, '\n') + 1) {
        size_t n = grammar_line(text, sizeof text, line);
        enum grammar_verdict got = grammar_judge(&g->loose, text, n);
        enum grammar_verdict want = *line == '+' ? GRAMMAR_ACCEPTS : *line == '<' ? GRAMMAR_BEGINS : GRAMMAR_REJECTS;
        if (got != want)
            complain("%.*s: '%.*s' is %d, want %d", (int)c->name_len, c->name, (int)n, text, (int)got, (int)want);
    }
}

static int run_cases(const char *path, const char *kind)
{
    char *file = grammar_read_file(path);
    const char *at = file;
    struct grammar_case c;
    int n = 0;
    assert_non_null(file);
    for (; grammar_next_case(&c, &at); n++) {
        struct lli_grammar *g;
        struct llminf_error error;
        int64_t before = vocab.host.live_bytes;
        int32_t status = grammar_compile(&g, &vocab.heap, &trie, kind, c.text, c.len, &error);
        if (*c.lines == '!') {
            expect_refusal(&c, status, &error);
            assert_string_equal(error.subject, "grammar");
        } else if (status != LLMINF_OK) {
            complain("%.*s: %s", (int)c.name_len, c.name, error.text);
        } else {
            expect_texts(&c, g);
        }
        lli_grammar_unref(g);
        assert_int_equal(vocab.host.live_bytes, before);
    }
    free(file);
    assert_int_equal(n_complaints, 0);
    return n;
}

static void test_gbnf(void **state)
{
    (void)state;
    assert_int_equal(run_cases("tests/data/gbnf.txt", "gbnf"), 75);
}

static void test_json_schema(void **state)
{
    (void)state;
    assert_int_equal(run_cases("tests/data/json_schema.txt", "json_schema"), 125);
}

/* ---- masks: what is put together from parts that are known, against every token tried byte by byte */

static int goes_on(struct lli_automaton *a, uint32_t set, const struct lli_text *text)
{
    for (size_t i = 0; i < text->len && set != LLI_SET_DEAD; i++) {
        set = lli_automaton_step(a, set, (uint8_t)text->bytes[i]);
        assert_true(set != LLI_SET_FULL);
    }
    return set != LLI_SET_DEAD;
}

static void expect_mask(struct lli_matcher *m, const uint32_t *mask, int32_t *follows, uint32_t *n_follow)
{
    const struct lli_vocab *v = &vocab.vocab;
    uint32_t set = m->states[1];
    m->automaton.work = 0;
    *n_follow = 0;
    for (uint32_t id = 0; id < v->n; id++) {
        int is_text =
            v->texts[id].len > 0 && !v->is_eog[id] && v->types[id] != LLI_TOKEN_CONTROL && v->types[id] != LLI_TOKEN_UNKNOWN;
        int want = v->is_eog[id] ? lli_matcher_may_end(m) : is_text && goes_on(&m->automaton, set, &v->texts[id]);
        assert_int_equal(mask[id / 32] >> id % 32 & 1, want);
        if (want && !v->is_eog[id])
            follows[(*n_follow)++] = (int32_t)id;
    }
}

static void walk_case(const struct grammar_case *c, const char *kind)
{
    static int32_t follows[4096];
    struct lli_grammar *g;
    struct lli_matcher m;
    const uint32_t *mask;
    uint32_t n_follow;
    if (grammar_compile(&g, &vocab.heap, &trie, kind, c->text, c->len, NULL) != LLMINF_OK)
        return;
    assert_int_equal(lli_matcher_init(&m, &vocab.heap, g, NULL), LLMINF_OK);
    for (int walk = 0; walk < 6; walk++) {
        lli_matcher_restart(&m);
        for (int i = 0; i < 40; i++) {
            int32_t status = lli_matcher_mask(&mask, &m, NULL);
            if (support_random(&seed) % 8 == 0) { /* what was tried and not kept leaves nothing behind */
                lli_automaton_clear(&m.automaton, m.states);
                memset(m.mask_of, 0xff, sizeof m.mask_of);
                status = lli_matcher_mask(&mask, &m, NULL);
            }
            if (status == LLMINF_E_GRAMMAR && lli_matcher_is_over(&m))
                break;
            assert_int_equal(status, LLMINF_OK);
            expect_mask(&m, mask, follows, &n_follow);
            if (n_follow == 0)
                break;
            assert_int_equal(lli_matcher_accept(&m, follows[support_random(&seed) % n_follow], NULL), LLMINF_OK);
            if (support_random(&seed) % 3)
                lli_matcher_commit(&m);
            else if (support_random(&seed) % 3 == 0)
                lli_matcher_begin(&m);
        }
    }
    lli_matcher_finish(&m);
    lli_grammar_unref(g);
}

static void walk_cases(const char *path, const char *kind)
{
    char *file = grammar_read_file(path);
    const char *at = file;
    struct grammar_case c;
    while (grammar_next_case(&c, &at))
        if (*c.lines != '!')
            walk_case(&c, kind);
    free(file);
}

static void test_masks(void **state)
{
    (void)state;
    walk_cases("tests/data/gbnf.txt", "gbnf");
    walk_cases("tests/data/json_schema.txt", "json_schema");
}

/* ---- hostile grammars: a status, in little time and memory */

struct hostile {
    char *text;
    size_t n;
};

/* Each % becomes the number, each & the next one, each ~ four digits for a character. */
static size_t format(char *out, const char *each, unsigned i)
{
    size_t n = 0;
    for (; *each; each++)
        if (*each == '%' || *each == '&')
            n += (size_t)sprintf(out + n, "%u", *each == '&' ? i + 1 : i);
        else if (*each == '~')
            n += (size_t)sprintf(out + n, "%04x", 0x1000 + i);
        else
            out[n++] = *each;
    return n;
}

static struct hostile repeat(const char *first, const char *each, size_t n_each, const char *last)
{
    size_t len = strlen(each), head = strlen(first), tail = strlen(last);
    struct hostile h = {malloc(head + n_each * (len + 16) + tail + 1), 0};
    h.n = (size_t)sprintf(h.text, "%s", first);
    for (size_t i = 0; i < n_each; i++)
        h.n += format(h.text + h.n, each, (unsigned)i);
    h.n += (size_t)sprintf(h.text + h.n, "%s", last);
    return h;
}

static void expect_hostile(struct hostile h, const char *kind, int32_t want)
{
    struct lli_grammar *g;
    struct llminf_error error = {0};
    int64_t start = lli_clock_ns();
    int32_t status = grammar_compile(&g, &vocab.heap, &trie, kind, h.text, h.n, &error);
    int64_t ms = (lli_clock_ns() - start) / 1000000;
    if (status == LLMINF_OK) { /* it can be used */
        struct lli_matcher m;
        const uint32_t *mask;
        assert_int_equal(lli_matcher_init(&m, &vocab.heap, g, NULL), LLMINF_OK);
        status = lli_matcher_mask(&mask, &m, &error);
        lli_matcher_finish(&m);
    }
    lli_grammar_unref(g);
    if (status != want)
        fail_msg("'%.30s': status %d (%s), want %d", h.text, status, status ? error.text : "", want);
    if (ms > 5000) /* a sanitizer is slow */
        fail_msg("'%.30s': %d ms", h.text, (int)ms);
    free(h.text);
}

/* R01 to R08 of the design's list of malformed input. */
static void test_hostile(void **state)
{
    (void)state;
    expect_hostile(repeat("root ::= ", "(", 60000, "\"a\""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= r0\n", "r% ::= r&\n", 10000, "r10000 ::= \"a\"\n"), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= r0\n", "r% ::= r& \"b\"\n", 10000, "r10000 ::= \"a\"\n"), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= r0\n", "r% ::= \"a\" r& \"b\" | \"c\"\n", 10000, "r10000 ::= \"a\"\n"), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= r0\n", "r% ::= r& r%\n", 10, "r10 ::= \"a\"\n"), "gbnf", LLMINF_E_GRAMMAR);
    expect_hostile(repeat("root ::= \"a\"", "*", 100000, ""), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= \"a\"", "{2}", 1000, ""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= [", "\\U0001~", 50000, "]"), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= ", "[^\\u~] | ", 40000, "\"a\""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= ", "\"a\" | ", 100000, "\"b\""), "gbnf", LLMINF_OK);
    expect_hostile(repeat("root ::= ", "[a-z]* [b-y]* [c-x]* | ", 40000, "\"b\""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= ", "a% ", 70000, ""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= \"", "%", 400000, "\""), "gbnf", LLMINF_E_LIMIT);
    expect_hostile(repeat("root ::= x ", "x?", 2000, "\nx ::= \"a\"* \"b\"*\n"), "gbnf", LLMINF_OK);
}

/* R10 to R14. */
static void test_hostile_schemas(void **state)
{
    (void)state;
    expect_hostile(repeat("{\"enum\": [0", ", \"value %\"", 60000, "]}"), "json_schema", LLMINF_OK);
    expect_hostile(repeat("{\"properties\": {\"a\": {}", ", \"p%\": {}", 3000, "}}"), "json_schema", LLMINF_OK);
    expect_hostile(repeat("{\"properties\": {\"a\": {}", ", \"p%\": {}", 20000, "}}"), "json_schema", LLMINF_OK);
    expect_hostile(repeat("", "{\"items\": ", 100, "{}"), "json_schema", LLMINF_E_FORMAT);
    expect_hostile(repeat("", "[", 100000, ""), "json_schema", LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"oneOf\": [{\"const\": 0}", ", {\"const\": \"%\"}", 10000, "]}"), "json_schema", LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"anyOf\": [{\"const\": 0}", ", {\"const\": \"%\"}", 20000, "]}"), "json_schema", LLMINF_OK);
    expect_hostile(repeat("{\"minProperties\": 4000, \"properties\": {\"a\": {}", ", \"p%\": {}", 5000, "}}"), "json_schema",
                   LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"maxLength\": 4000, \"pattern\": \"", "(a|b)", 1000, "\"}"), "json_schema", LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"maxLength\": 40, \"pattern\": \"^(a{0,30}b)*", "c{1,9}", 400, "$\"}"), "json_schema",
                   LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"multipleOf\": 1000, \"title\": \"", "%", 1, "\"}"), "json_schema", LLMINF_OK);
    expect_hostile(
        repeat("{\"$ref\": \"#/$defs/0\", \"$defs\": {", "\"%\": {\"$ref\": \"#/$defs/&\"}, ", 5000, "\"5000\": {}}}"),
        "json_schema", LLMINF_E_GRAMMAR);
    expect_hostile(repeat("{\"items\": {\"$ref\": \"#/$defs/0\"}, \"$defs\": {",
                          "\"%\": {\"items\": {\"$ref\": \"#/$defs/&\"}}, ", 5000, "\"5000\": {}}}"),
                   "json_schema", LLMINF_OK);
    expect_hostile(repeat("{\"type\": \"string\", \"pattern\": \"", "(", 1000, "\"}"), "json_schema", LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"type\": \"string\", \"pattern\": \"(((a{1000}){1000}){1000})", "{9}", 3, "\"}"), "json_schema",
                   LLMINF_E_LIMIT);
    expect_hostile(repeat("{\"allOf\": [{}", ", {\"type\": \"null\"}", 100, "]}"), "json_schema", LLMINF_E_GRAMMAR);
}

/* More and more callers, never to return: the text so far stays, and the end is a status. */
static void test_endless(void **state)
{
    static const char text[] = "root ::= \"(\" root \")\" | \"x\"";
    struct lli_grammar *g;
    struct lli_matcher m;
    struct llminf_error error;
    int32_t open = vocab.vocab.byte_ids['('], status = LLMINF_OK;
    int n = 0;
    (void)state;
    assert_int_equal(grammar_compile(&g, &vocab.heap, &trie, "gbnf", text, strlen(text), NULL), LLMINF_OK);
    assert_int_equal(lli_matcher_init(&m, &vocab.heap, g, NULL), LLMINF_OK);
    lli_grammar_unref(g); /* the matcher has it */
    for (; status == LLMINF_OK && n < 100000; n++) {
        status = lli_matcher_accept(&m, open, &error);
        lli_matcher_commit(&m);
    }
    assert_int_equal(status, LLMINF_E_LIMIT);
    assert_true(n > 10000);
    lli_matcher_restart(&m);
    assert_int_equal(lli_matcher_accept(&m, open, &error), LLMINF_OK);
    lli_matcher_finish(&m);
}

/* Every allocation of compiling and matching fails in turn. */
static void test_no_memory(void **state)
{
    static const char text[] = "root ::= \"(\" root \")\" | [^a-c]{3} x\nx ::= \"a\"*";
    (void)state;
    for (int64_t k = 1;; k++) {
        struct lli_grammar *g = NULL;
        struct lli_matcher m = {0};
        struct llminf_error error;
        int64_t before = vocab.host.live_bytes;
        support_heap_arm(&vocab.host, k, k % 2);
        int32_t status = grammar_compile(&g, &vocab.heap, &trie, "gbnf", text, strlen(text), &error);
        if (status == LLMINF_OK)
            status = lli_matcher_init(&m, &vocab.heap, g, &error);
        support_heap_arm(&vocab.host, 0, 0);
        lli_matcher_finish(&m);
        lli_grammar_unref(g);
        assert_int_equal(vocab.host.live_bytes, before);
        if (status == LLMINF_OK) {
            assert_true(k > 30);
            return;
        }
        assert_int_equal(status, LLMINF_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gbnf),     cmocka_unit_test(test_json_schema), cmocka_unit_test(test_hostile_schemas),
        cmocka_unit_test(test_masks),    cmocka_unit_test(test_hostile),     cmocka_unit_test(test_endless),
        cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, open_vocab, close_vocab);
}
