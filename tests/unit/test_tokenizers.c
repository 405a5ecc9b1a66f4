/* Unigram, WordPiece and Gemma's BPE, the normaliser with its map of characters, and the cuts of Hugging Face: small
 * vocabularies, a search of all ways beside Viterbi's, hostile maps, and time. */
#include "text/decode.h"
#include "text/encode.h"
#include "text/normal.h"
#include "text/wordpiece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "one_text.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */

/* ---- unigram */

static void test_unigram(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_unigram(&v);
    test_vocab_flag(&v, "tokenizer.ggml.add_space_prefix", 1);
    open_made(&v);
    assert_string_equal(tokens_of("", 0), "");
    assert_string_equal(tokens_of("hello", LLI_TEXT_BOUNDS), SPACE "hello </s>"); /* BOS only where the file says so */
    assert_string_equal(tokens_of("hello hell", 0), SPACE "hello " SPACE "he ll");
    assert_string_equal(tokens_of("  w", 0), SPACE " " SPACE " " SPACE "w");
    assert_string_equal(tokens_of("xyz", 0), SPACE " <unk>"); /* one for all side by side */
    assert_string_equal(tokens_of("xay", 0), SPACE " <unk> a <unk>");
    assert_string_equal(tokens_of("a[U]he<|c|>w", LLI_TEXT_SPECIAL), SPACE " a [U] he <|c|> " SPACE "w");
    assert_string_equal(back_of("hello w", 0), "hello w");
    close_text();
}

static void test_unigram_spaces(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_unigram(&v);
    test_vocab_flag(&v, "tokenizer.ggml.add_space_prefix", 1);
    test_vocab_flag(&v, "tokenizer.ggml.remove_extra_whitespaces", 1);
    test_vocab_flag(&v, "tokenizer.ggml.add_eos_token", 0);
    test_vocab_flag(&v, "tokenizer.ggml.add_bos_token", 1);
    open_made(&v);
    assert_string_equal(tokens_of("  hello   w  ", LLI_TEXT_BOUNDS), "<s> " SPACE "hello " SPACE "w");
    assert_string_equal(tokens_of("   ", 0), "");
    close_text();
    test_vocab_unigram(&v);
    open_made(&v);
    assert_string_equal(tokens_of("he w", 0), "he " SPACE "w"); /* no space in front if the file does not say so */
    close_text();
}

/* Unknown characters as bytes, where each is a token. */
static void test_unigram_bytes(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_unigram(&v);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = {'<', '0', 'x', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15], '>', 0};
        test_vocab_token(&v, text, 6, LLI_TOKEN_BYTE, 0);
    }
    open_made(&v);
    assert_string_equal(tokens_of("ax\xC3\xBC", 0), "a <0x78> <0xC3> <0xBC>");
    assert_string_equal(back_of("ax\xC3\xBC", 0), "ax\xC3\xBC");
    close_text();
}

/* The best sum of scores over all ways to spell text[at..n), by trying all of them. */
static double best_of_all(const char *text, size_t at, size_t n)
{
    double best = -1e30;
    if (at == n)
        return 0;
    for (uint32_t id = 0; id < t.vocab.n; id++) {
        struct lli_text token = t.vocab.tokens[id];
        if (!lli_vocab_is_plain(&t.vocab, id) || token.len > n - at || memcmp(token.bytes, text + at, token.len) != 0)
            continue;
        double sum = t.vocab.scores[id] + best_of_all(text, at + token.len, n);
        best = sum > best ? sum : best;
    }
    return best;
}

static void test_unigram_against_search(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct test_vocab v;
        char text[12];
        test_vocab_start(&v, "t5", NULL);
        v.merges.key = NULL;
        test_vocab_token(&v, "<unk>", 5, LLI_TOKEN_UNKNOWN, 0);
        test_vocab_id(&v, "tokenizer.ggml.unknown_token_id", 0);
        for (unsigned word = 2; word < 32; word++) { /* all texts of a and b up to 4 letters, by their bits */
            char token[4];
            size_t n = 0;
            for (unsigned bits = word; bits > 1; bits >>= 1)
                token[n++] = (char)('a' + (bits & 1));
            if (n == 1 || support_random(&seed) % 3)
                test_vocab_token(&v, token, n, LLI_TOKEN_NORMAL, -(float)(support_random(&seed) % 64) / 8); /* exact sums */
        }
        open_made(&v);
        for (int k = 0; k < 20; k++) {
            struct lli_buffer ids;
            double sum = 0;
            size_t n = 1 + support_random(&seed) % sizeof text;
            for (size_t i = 0; i < n; i++)
                text[i] = (char)('a' + support_random(&seed) % 2);
            lli_buffer_init(&ids, &t.heap);
            assert_int_equal(lli_encode(&ids, &t.vocab, text, n, 0, &t.error), 0);
            for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
                int32_t id;
                memcpy(&id, ids.bytes + i, sizeof id);
                sum += t.vocab.scores[id];
            }
            assert_true(sum == best_of_all(text, 0, n));
            lli_buffer_finish(&ids);
        }
        close_text();
    }
}

/* ---- WordPiece */

static void test_wordpiece(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_wordpiece(&v);
    open_made(&v);
    assert_string_equal(tokens_of("", LLI_TEXT_BOUNDS), "[CLS] [SEP]");
    assert_string_equal(tokens_of("Hello  HELLO!", LLI_TEXT_BOUNDS), "[CLS] " SPACE "hello " SPACE "hello " SPACE "! [SEP]");
    assert_string_equal(tokens_of("hell hellx", 0), SPACE "he l l [UNK]"); /* a word is spelled to its end, or unknown */
    assert_string_equal(tokens_of("he'w", 0), SPACE "he " SPACE "' " SPACE "w");
    assert_string_equal(tokens_of("ma\xC3\xB1n \xC3\x9C"
                                  "ber",
                                  0),
                        SPACE "ma n n " SPACE "uber"); /* without accents */
    assert_string_equal(tokens_of("he\xE4\xB8\xADhe", 0), SPACE "he " SPACE "\xE4\xB8\xAD " SPACE "he");
    assert_string_equal(tokens_of("h\x01"
                                  "e\xEF\xBF\xBD\n\thello",
                                  0),
                        SPACE "he " SPACE "hello");
    assert_string_equal(back_of("Hello  hello !", 0), "hello hello !");
    char word[LLI_MAX_WORD_CHARACTERS + 8] = "he";
    memset(word + 2, 'l', LLI_MAX_WORD_CHARACTERS - 2);
    assert_int_equal(strncmp(tokens_of(word, 0), SPACE "he l l", 9), 0);
    strcat(word, "l");
    assert_string_equal(tokens_of(word, 0), "[UNK]");
    close_text();
    test_vocab_wordpiece(&v);
    test_vocab_flag(&v, "tokenizer.ggml.normalizer.lowercase", 0);
    open_made(&v);
    assert_string_equal(tokens_of("Hello hello", 0), "[UNK] " SPACE "hello");
    close_text();
}

/* ---- Gemma 4: merges of characters, spaces as U+2581, bytes for the rest */

static void test_gemma(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_gemma(&v);
    open_made(&v);
    assert_true(t.vocab.is_eog[0]);
    assert_string_equal(tokens_of("ab  ab", 0), "ab " SPACE " " SPACE "a b"); /* the first merge, not the longest token */
    assert_string_equal(tokens_of("b   b", 0), "b " SPACE SPACE " " SPACE " b");
    assert_string_equal(tokens_of("\n\n\na", 0), "\n\n \n a");
    assert_string_equal(tokens_of("\xC3\xA9", 0), "<0xC3> <0xA9>");
    assert_string_equal(back_of("b   a\n\n\xC3\xA9 ", 0), "b   a\n\n\xC3\xA9 ");
    close_text();
}

/* ---- the normaliser */

/* One step over a text. NULL on failure, with the status in *status. */
static const char *run_step(struct lli_normal_step step, const char *text, int in_front, int32_t *status)
{
    static char out[512];
    struct lli_normal_work w;
    struct lli_normal n = {0, {{0}}};
    struct lli_text in = {text, strlen(text)};
    lli_normal_work_init(&w, &t.heap);
    assert_int_equal(lli_normal_add(&n, &step, NULL), 0);
    *status = lli_normal_run(&in, &w, &n, in_front, &t.error);
    assert_true(*status || in.len < sizeof out);
    if (*status == 0)
        memcpy(out, in.bytes, in.len);
    out[*status ? 0 : in.len] = '\0';
    lli_normal_work_finish(&w);
    lli_normal_finish(&n);
    assert_int_equal(t.host.live_bytes, 0);
    return *status ? NULL : out;
}

static void open_heap(void)
{
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
}

/* All forms of every character are compared with Python's in tests/golden/forms.py; here is what each is about. */
static void test_normal_steps(void **state)
{
    static const struct {
        struct lli_normal_step step;
        const char *text, *want;
    } rows[] = {
        {{.kind = LLI_NORMAL_NFC}, "e\xCC\x81 abc", "\xC3\xA9 abc"},
        {{.kind = LLI_NORMAL_NFC},
         "\xCC\x81"
         "e",
         "\xCC\x81"
         "e"},
        {{.kind = LLI_NORMAL_NFC}, "a\xCC\x81\xCC\xA3", "\xE1\xBA\xA1\xCC\x81"}, /* the dot below comes first */
        {{.kind = LLI_NORMAL_NFC}, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"},
        {{.kind = LLI_NORMAL_NFC}, "\xE2\x84\xAB\xEF\xAC\x81", "\xC3\x85\xEF\xAC\x81"},
        {{.kind = LLI_NORMAL_NFD}, "\xC3\xA9\xEA\xB0\x81", "e\xCC\x81\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"},
        {{.kind = LLI_NORMAL_NFKC},
         "\xEF\xAC\x81\xC2\xBD\xEF\xBC\xA1",
         "fi1\xE2\x81\x84"
         "2A"},
        {{.kind = LLI_NORMAL_NFKD}, "\xEF\xAC\x81\xC3\xA9", "fie\xCC\x81"},
        {{.kind = LLI_NORMAL_LOWER}, "aBC\xC3\x89\xC4\xB0\xE2\x84\xAA", "abc\xC3\xA9i\xCC\x87k"},
        {{.kind = LLI_NORMAL_STRIP, .flags = LLI_NORMAL_LEFT}, " \xE3\x80\x80 a ", "a "},
        {{.kind = LLI_NORMAL_STRIP, .flags = LLI_NORMAL_LEFT | LLI_NORMAL_RIGHT}, "\n a\xC2\xA0\t", "a"},
        {{.kind = LLI_NORMAL_STRIP, .flags = LLI_NORMAL_RIGHT}, "   ", ""},
        {{.kind = LLI_NORMAL_PREPEND, .with = {"x", 1}}, "a", "xa"},
        {{.kind = LLI_NORMAL_PREPEND, .with = {"x", 1}}, "", ""},
        {{.kind = LLI_NORMAL_REPLACE, .what = {"ab", 2}, .with = {"", 0}}, "aabbab", "ab"},
        {{.kind = LLI_NORMAL_SQUEEZE, .with = {"_", 1}}, " a  b   ", " a_b_"},
        {{.kind = LLI_NORMAL_MARKS}, " a", SPACE "a"},
        {{.kind = LLI_NORMAL_MARKS, .flags = LLI_NORMAL_PREFIX}, " a", SPACE SPACE "a"},
        {{.kind = LLI_NORMAL_MARKS, .flags = LLI_NORMAL_PREFIX | LLI_NORMAL_COLLAPSE}, " a  b ", SPACE "a" SPACE "b"},
        {{.kind = LLI_NORMAL_MARKS, .flags = LLI_NORMAL_PREFIX | LLI_NORMAL_COLLAPSE}, "  ", ""},
    };
    int32_t status;
    (void)state;
    open_heap();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(run_step(rows[i].step, rows[i].text, 1, &status), rows[i].want);
    }
    assert_string_equal(
        run_step((struct lli_normal_step){.kind = LLI_NORMAL_MARKS, .flags = LLI_NORMAL_PREFIX}, "a", 0, &status),
        "a"); /* behind other text */
    static char all[20001], page[4096];
    memset(all, 'a', sizeof all - 1);
    memset(page, 'b', sizeof page);
    struct lli_normal_step grow = {.kind = LLI_NORMAL_REPLACE, .what = {"a", 1}, .with = {page, sizeof page}};
    assert_null(run_step(grow, all, 1, &status));
    assert_int_equal(status, LLMINF_E_LIMIT);
}

static void test_charsmap(void **state)
{
    static const char *const from[] = {"\xC3\xA9", "A", "AB", "\xE2\x84", "\xEF\xBC\xA1\xCC\x81"}, *const to[] = {"e", "a", "",
                                                                                                                  "?", "long"};
    size_t n;
    int32_t status;
    (void)state;
    open_heap();
    uint8_t *bytes = test_charsmap_make(from, to, 5, &n);
    struct lli_normal_step step = {.kind = LLI_NORMAL_CHARSMAP};
    assert_int_equal(lli_charsmap_read(&step.map, &t.heap, bytes, n, "map", &t.error), 0);
    assert_string_equal(run_step(step, "\xC3\xA9xABAC", 1, &status), "exaC");
    assert_string_equal(run_step(step, "\xEF\xBC\xA1\xCC\x81", 1, &status), "long");
    assert_string_equal(run_step(step, "\xEF\xBC\xA1", 1, &status), "\xEF\xBC\xA1");
    assert_string_equal(run_step(step, "\xE2\x84\xAB", 1, &status), "\xE2\x84\xAB"); /* a key that ends inside a character */
    for (size_t at = 0; at < n; at += at < 4096 ? 1 : 97) {                          /* refused or read, never beyond its end */
        uint8_t *copy = malloc(n);
        memcpy(copy, bytes, n);
        copy[at] ^= 0xFF;
        if (lli_charsmap_read(&step.map, &t.heap, copy, n, "map", &t.error) == 0)
            run_step(step, "\xC3\xA9xABAC\xEF\xBC\xA1\xCC\x81", 1, &status);
        free(copy);
        copy = malloc(at + 1);
        memcpy(copy, bytes, at);
        assert_int_not_equal(lli_charsmap_read(&step.map, &t.heap, copy, at, "map", &t.error), 0);
        free(copy);
    }
    free(bytes);
}

/* ---- time: linear, whatever the text */

static const char *const units[] = {
    "a",    "A",      " ", "7", "\n", "\xE4\xB8\xAD", "e\xCC\x81", "\xCC\x81", "\xEF\xBC\xA1\xCC\x81",
    "he w", "hello ", ".", "x", "[U", "\xEA\xB0\x81"};

static void make_with_map(struct test_vocab *v)
{
    static const char *const from[] = {"A", "\xEF\xBC\xA1\xCC\x81"}, *const to[] = {"a", "long"};
    size_t n;
    uint8_t *bytes = test_charsmap_make(from, to, 2, &n);
    test_vocab_unigram(v);
    test_vocab_charsmap(v, bytes, n);
    free(bytes);
}

static void test_long_texts(void **state)
{
    void (*const makers[])(struct test_vocab *) = {test_vocab_unigram, make_with_map, test_vocab_wordpiece, test_vocab_gemma};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct test_vocab v;
        makers[i](&v);
        open_made(&v);
        for (size_t k = 0; k < sizeof units / sizeof *units; k++)
            encode_long(units[k]);
        assert_true(test_text_is_quick(&t.vocab));
        close_text();
    }
}

/* All beginnings of one long token are tokens: each place of the text begins as many as are allowed. */
static void test_long_tokens(void **state)
{
    static char letters[LLI_MAX_PIECE_BYTES];
    (void)state;
    struct test_vocab v;
    memset(letters, 'x', sizeof letters);
    test_vocab_unigram(&v);
    for (size_t n = 1; n <= sizeof letters; n++)
        test_vocab_token(&v, letters, n, LLI_TOKEN_NORMAL, -(float)n);
    open_made(&v);
    encode_long("x");
    close_text();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unigram),       cmocka_unit_test(test_unigram_spaces),
        cmocka_unit_test(test_unigram_bytes), cmocka_unit_test(test_unigram_against_search),
        cmocka_unit_test(test_wordpiece),     cmocka_unit_test(test_gemma),
        cmocka_unit_test(test_normal_steps),  cmocka_unit_test(test_charsmap),
        cmocka_unit_test(test_long_texts),    cmocka_unit_test(test_long_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
