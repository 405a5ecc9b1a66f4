/* Text to ids and back, with small vocabularies: what is joined, what is taken whole, what is refused. */
#include "text/decode.h"
#include "text/encode.h"
#include "text/pre.h"
#include "text/special.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "one_text.h"
#include "pre_cases.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */
#define BAD "\xEF\xBF\xBD"   /* U+FFFD */

/* ---- SPM */

static void test_spm_joins(void **state)
{
    (void)state;
    open_spm();
    assert_string_equal(tokens_of("", 0), "");
    assert_string_equal(tokens_of("hello", 0), SPACE " hello");
    assert_string_equal(tokens_of("w hello", 0), SPACE "w " SPACE " hello");
    assert_string_equal(tokens_of("lll", 0), SPACE " ll l"); /* the leftmost of equals */
    assert_string_equal(tokens_of("  w", 0), SPACE " " SPACE " " SPACE "w");
    assert_string_equal(tokens_of(SPACE "w", 0), SPACE " " SPACE "w");
    assert_string_equal(tokens_of("\n\xC3\xA9", 0), SPACE " <0x0A> <0xC3> <0xA9>");
    assert_string_equal(tokens_of("a", LLI_TEXT_BOUNDS), "<s> " SPACE " a");
    close_text();
}

static void test_spm_flags(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_spm(&v);
    test_vocab_flag(&v, "tokenizer.ggml.add_space_prefix", 0);
    test_vocab_flag(&v, "tokenizer.ggml.add_bos_token", 0);
    test_vocab_flag(&v, "tokenizer.ggml.add_eos_token", 1);
    open_made(&v);
    assert_string_equal(tokens_of("hello w", LLI_TEXT_BOUNDS), "hello " SPACE "w </s>");
    assert_string_equal(tokens_of("", LLI_TEXT_BOUNDS), "</s>");
    close_text();
}

static void test_spm_unknown(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_start(&v, "llama", NULL);
    test_vocab_token(&v, "<unk>", 5, LLI_TOKEN_UNKNOWN, 0);
    test_vocab_token(&v, "a", 1, LLI_TOKEN_NORMAL, 0);
    test_vocab_token(&v, "<0x20>", 6, LLI_TOKEN_BYTE, 0);
    test_vocab_id(&v, "tokenizer.ggml.unknown_token_id", 0);
    open_made(&v);
    assert_int_equal(t.vocab.before.n, 0);
    assert_string_equal(tokens_of("a\xC3\xA9 a", LLI_TEXT_BOUNDS), "<0x20> a <unk> <0x20> a"); /* one for the character */
    close_text();
}

/* ---- BPE */

static void test_bpe_joins(void **state)
{
    (void)state;
    open_bpe("gpt-2");
    assert_string_equal(tokens_of("hello", 0), "hello");
    assert_string_equal(tokens_of("hello world", 0), "hello \xC4\xA0w o r l d");
    assert_string_equal(tokens_of("lll", 0), "ll l");
    assert_string_equal(tokens_of("\xC3\xA9", 0), "\xC3\x83 \xC2\xA9");
    assert_string_equal(tokens_of("\n\x7F", 0), "\xC4\x8A \xC4\xA1");
    assert_string_equal(tokens_of("a", LLI_TEXT_BOUNDS), "a"); /* BOS only where the pre-tokenizer says so */
    close_text();
}

/* A piece that is a token needs no merges where the pre-tokenizer says so. */
static void test_bpe_whole_piece(void **state)
{
    static const char *const pres[] = {"qwen2", "llama-bpe"}, *const wants[] = {"a b c", "<|c|> abc"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct test_vocab v;
        test_vocab_bpe(&v, pres[i]);
        test_vocab_token(&v, "abc", 3, LLI_TOKEN_NORMAL, 0);
        test_vocab_token(&v, "end", 3, LLI_TOKEN_CONTROL, 0);
        open_made(&v);
        assert_string_equal(tokens_of("abc", LLI_TEXT_BOUNDS), wants[i]);
        assert_string_equal(tokens_of("end", 0), "e n d");
        close_text();
    }
}

static void test_bpe_unknown(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_start(&v, "gpt2", "gpt-2");
    test_vocab_token(&v, "a", 1, LLI_TOKEN_NORMAL, 0);
    test_vocab_token(&v, "<unk>", 5, LLI_TOKEN_UNKNOWN, 0);
    test_vocab_id(&v, "tokenizer.ggml.unknown_token_id", 1);
    v.types.key = v.scores.key = NULL;
    open_made(&v);
    assert_string_equal(tokens_of("ab", 0), "a <unk>");
    close_text();
}

/* A merge that would spell a control token is not made; a byte's own token stays text, whatever the file uses it for. */
static void test_bpe_control_stays_text(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_bpe(&v, "gpt-2");
    test_vocab_token(&v, "ab", 2, LLI_TOKEN_NORMAL, 0);
    test_vocab_merge(&v, "a b");
    test_vocab_id(&v, "tokenizer.ggml.eot_token_id", 266);
    test_vocab_id(&v, "tokenizer.ggml.eom_token_id", ',');
    open_made(&v);
    assert_int_equal(t.vocab.types[266], LLI_TOKEN_CONTROL);
    assert_int_equal(t.vocab.types[','], LLI_TOKEN_NORMAL);
    assert_true(t.vocab.is_eog[266] && t.vocab.is_eog[',']);
    assert_string_equal(tokens_of("ab,", 0), "a b ,");
    assert_string_equal(tokens_of("ab,", LLI_TEXT_SPECIAL), "ab ,");
    close_text();
}

/* ---- pre-tokenizers */

/* The pieces of a text, whose lengths are told, and which are shown with a bar behind each if `shown` is not NULL. */
static void check_pieces(const char *pre, const char *text, const char *lengths, const char *shown)
{
    char got[1024] = "", got_lengths[1024] = "";
    struct lli_split *split;
    struct lli_pieces pieces;
    struct lli_text name = {pre, strlen(pre)}, all = {text, strlen(text)};
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    lli_pieces_init(&pieces, &t.heap);
    assert_non_null(lli_pre_find(name));
    assert_int_equal(lli_pre_compile(&split, &t.heap, lli_pre_find(name), &t.error), 0);
    assert_int_equal(lli_split_run(&pieces, split, all, 1, &t.error), 0);
    size_t from = 0;
    for (size_t i = 0; i < lli_pieces_count(&pieces); i++) {
        struct lli_text piece = lli_pieces_at(&pieces, i);
        assert_true(piece.len > 0);
        assert_ptr_equal(piece.bytes, text + from); /* nothing is lost */
        strncat(got, piece.bytes, piece.len);
        strcat(got, "|");
        snprintf(got_lengths + strlen(got_lengths), 16, i ? " %zu" : "%zu", piece.len);
        from += piece.len;
    }
    assert_int_equal(from, all.len);
    if (shown)
        assert_string_equal(got, shown);
    if (lengths && strcmp(got_lengths, lengths) != 0)
        print_message("%s: %s\n", pre, text);
    if (lengths)
        assert_string_equal(got_lengths, lengths);
    lli_pieces_finish(&pieces);
    lli_split_free(split);
    assert_int_equal(t.host.live_bytes, 0);
}

/* An oracle of another make: Python's regex, with the regexes that models spell out. */
static void test_pre_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pre_cases / sizeof *pre_cases; i++)
        check_pieces(pre_cases[i].pre, pre_cases[i].text, pre_cases[i].lengths, NULL);
}

static void test_pre_tokenizers(void **state)
{
    static const struct {
        const char *pre, *text, *want;
    } rows[] = {
        {"gpt-2", "", ""},
        {"gpt-2", "I'm  here\n\nat 1234!? ", "I|'m| | here|\n|\n|at| 1234|!?| |"},
        {"gpt-2", "I'M", "I|'|M|"},
        {"gpt-2",
         "a\xC2\xA0\xC2\xA0"
         "b",
         "a|\xC2\xA0|\xC2\xA0|b|"}, /* U+00A0 is a space */
        {"smollm", "a12 b", "a|1|2| b|"},
        {"default", "a$b 1234", "a|$|b| |123|4|"},
        {"default", "I'm", "I|'|m|"},
        {"qwen2", "I'M 12\r\n x!\n", "I|'M| |1|2|\r\n| x|!\n|"},
        {"llama-bpe", "I'M 12345 \n  x", "I|'M| |123|45| \n| | x|"},
        {"llama3", "'\xC5\xBF", "'\xC5\xBF|"}, /* a long s is no s */
        {"llama-v3", "...abc  ", "...|abc|  |"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_pieces(rows[i].pre, rows[i].text, NULL, rows[i].want);
    assert_null(lli_pre_find((struct lli_text){"gpt", 3}));
    assert_null(lli_pre_find((struct lli_text){"", 0}));
    assert_null(lli_pre_find((struct lli_text){"gpt-2 phi-2", 11}));
}

static void test_split_limit(void **state)
{
    size_t n = LLI_MAX_REGEX_STEPS + 1000u;
    char *text = malloc(n);
    struct lli_buffer ids;
    (void)state;
    assert_non_null(text);
    memset(text, ' ', n);
    open_bpe("qwen2");
    lli_buffer_init(&ids, &t.heap);
    assert_int_equal(lli_encode(&ids, &t.vocab, text, n, 0, &t.error), LLMINF_E_LIMIT);
    assert_int_equal(ids.len, 0);
    lli_buffer_finish(&ids);
    close_text();
    free(text);
}

/* ---- tokens that are taken whole */

static void test_special(void **state)
{
    (void)state;
    open_spm();
    assert_string_equal(tokens_of("<|c|>", 0), SPACE " < | c | >");
    assert_string_equal(tokens_of("<|c|>a</s>", LLI_TEXT_SPECIAL), "<|c|> " SPACE " a </s>");
    assert_string_equal(tokens_of("a[U]b", 0), SPACE " a [U] b"); /* no space behind: it is text */
    assert_string_equal(tokens_of("[U]xx", 0), "[U]x x");         /* the longest */
    assert_string_equal(tokens_of("[U[U]", 0), SPACE " [ U [U]");
    assert_string_equal(tokens_of("<0x41>", 0), SPACE " < 0 x 4 1 >");
    assert_string_equal(tokens_of("<s", LLI_TEXT_SPECIAL), SPACE " < s");
    close_text();
}

/* Tokens inside each other: the leftmost, then the longest, also where only some are asked for. */
static void test_special_overlap(void **state)
{
    static const struct {
        const char *text;
        int type;
    } tokens[] = {{"aa", LLI_TOKEN_USER_DEFINED},
                  {"aaaa", LLI_TOKEN_USER_DEFINED},
                  {"aaa", LLI_TOKEN_CONTROL},
                  {"xaab", LLI_TOKEN_CONTROL},
                  {"b12", LLI_TOKEN_USER_DEFINED}};
    (void)state;
    struct test_vocab v;
    test_vocab_bpe(&v, "gpt-2");
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        test_vocab_token(&v, tokens[i].text, strlen(tokens[i].text), tokens[i].type, 0);
    open_made(&v);
    assert_string_equal(tokens_of("aaaaaaa", 0), "aaaa aa a");
    assert_string_equal(tokens_of("aaaaaaa", LLI_TEXT_SPECIAL), "aaaa aaa");
    assert_string_equal(tokens_of("xaab12", 0), "x aa b12");
    assert_string_equal(tokens_of("xaab12", LLI_TEXT_SPECIAL), "xaab 12");
    assert_string_equal(tokens_of("aaab12aaa", LLI_TEXT_SPECIAL), "aaa b12 aaa");
    close_text();
}

/* The automaton against trying every token at every byte, on a small alphabet. */
static void test_special_against_search(void **state)
{
    uint64_t seed = 7;
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct test_vocab v;
        char text[200];
        test_vocab_bpe(&v, "gpt-2");
        for (uint64_t word = 0; word < 12; word++) {
            char token[24];
            size_t n = 6; /* a number in front tells the tokens apart; the text has such beginnings too */
            memcpy(token, "ababab", n);
            for (size_t i = word % 6; i < n; i++)
                token[i] = (char)('a' + support_random(&seed) % 2);
            token[n++] = (char)('a' + word);
            test_vocab_token(&v, token, n, word % 2 ? LLI_TOKEN_CONTROL : LLI_TOKEN_USER_DEFINED, 0);
        }
        open_made(&v);
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)('a' + (i % 7 == 6 ? support_random(&seed) % 12 : support_random(&seed) % 2));
        for (int control = 0; control < 2; control++) {
            struct lli_buffer found;
            lli_buffer_init(&found, &t.heap);
            assert_int_equal(lli_special_find(&found, t.vocab.special, text, sizeof text, control), 0);
            size_t k = found.len / sizeof(struct lli_spelling);
            for (size_t at = 0; at < sizeof text; at++) {
                int32_t best = LLI_NO_TOKEN;
                for (uint32_t id = 256; id < t.vocab.n; id++) {
                    struct lli_text word = t.vocab.texts[id];
                    int asked =
                        t.vocab.types[id] == LLI_TOKEN_USER_DEFINED || (control && t.vocab.types[id] == LLI_TOKEN_CONTROL);
                    if (asked && word.len <= sizeof text - at && memcmp(word.bytes, text + at, word.len) == 0 &&
                        (best < 0 || word.len > t.vocab.texts[best].len))
                        best = (int32_t)id;
                }
                if (best < 0)
                    continue;
                struct lli_spelling s;
                assert_true(k-- > 0);
                memcpy(&s, found.bytes + k * sizeof s, sizeof s);
                assert_int_equal(s.at, at);
                assert_int_equal(s.id, best);
            }
            assert_int_equal(k, 0);
            lli_buffer_finish(&found);
        }
        close_text();
    }
}

/* ---- bytes that are no text */

static void test_invalid_utf8(void **state)
{
    static const struct {
        const char *text;
        int64_t at;
        const char *repaired;
    } rows[] = {
        {"a\x80z", 1, "a" BAD "z"},
        {"\xC0\xAF", 0, BAD BAD},
        {"ab\xED\xA0\x80", 2, "ab" BAD BAD BAD},
        {"\xF4\x90\x80\x80", 0, BAD BAD BAD BAD},
        {"x\xE2\x96", 1, "x" BAD},
    };
    (void)state;
    open_bpe("gpt-2");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_buffer ids;
        char wanted[256];
        int32_t before = 5;
        lli_buffer_init(&ids, &t.heap);
        assert_int_equal(lli_buffer_append(&ids, &before, sizeof before), 0);
        assert_int_equal(lli_encode(&ids, &t.vocab, rows[i].text, strlen(rows[i].text), 0, &t.error), LLMINF_E_INVALID);
        assert_int_equal(t.error.position, rows[i].at);
        assert_int_equal(ids.len, sizeof before);
        lli_buffer_finish(&ids);
        strcpy(wanted, tokens_of(rows[i].repaired, 0));
        assert_string_equal(tokens_of(rows[i].text, LLI_TEXT_REPAIR), wanted);
    }
    close_text();
}

static void test_too_long(void **state)
{
    struct lli_buffer ids;
    size_t n = LLI_MAX_TEXT_BYTES / 2;
    char *bad = malloc(n);
    (void)state;
    assert_non_null(bad);
    memset(bad, 0xFF, n);
    open_spm();
    lli_buffer_init(&ids, &t.heap);
    assert_int_equal(lli_encode(&ids, &t.vocab, bad, (size_t)LLI_MAX_TEXT_BYTES + 1, LLI_TEXT_BOUNDS, &t.error),
                     LLMINF_E_LIMIT);
    assert_int_equal(lli_encode(&ids, &t.vocab, bad, n, LLI_TEXT_REPAIR, &t.error), LLMINF_E_LIMIT);
    assert_int_equal(ids.len, 0);
    lli_buffer_finish(&ids);
    close_text();
    free(bad);
}

/* ---- back to text */

static void decode_ids(struct lli_buffer *out, const struct lli_buffer *ids, int special)
{
    struct lli_decode d = {.at_start = 1};
    for (size_t i = 0; i < ids->len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids->bytes + i, sizeof id);
        assert_int_equal(lli_decode_token(&d, out, &t.vocab, id, special), 0);
        assert_int_equal(lli_utf8_valid(out->bytes, out->len), out->len); /* whole characters at each moment */
        assert_true(d.n_pending < 4);
    }
    assert_int_equal(lli_decode_end(&d, out), 0);
}

static void check_round_trip(const char *text, size_t n)
{
    struct lli_buffer ids, back;
    lli_buffer_init(&ids, &t.heap);
    lli_buffer_init(&back, &t.heap);
    assert_int_equal(lli_encode(&ids, &t.vocab, text, n, 0, &t.error), 0);
    decode_ids(&back, &ids, 0);
    assert_int_equal(back.len, n);
    assert_true(n == 0 || memcmp(back.bytes, text, n) == 0);
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
}

static void round_trips(void)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "  ",
                                        " hello",
                                        "hello w 12",
                                        "[U]",
                                        " [U] x",
                                        "[U]xx [U]",
                                        "<|c|></s><s>",
                                        "<0x41>",
                                        "\n\t \r\n",
                                        "\xF0\x9F\x98\xB6\xE2\x80\x8D\xF0\x9F\x8C\xAB\xEF\xB8\x8F",
                                        BAD,
                                        "\xC2\xA0\xC3\xA9\xCC\x81"};
    char all[128 + 512];
    size_t n = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_round_trip(texts[i], strlen(texts[i]));
    for (uint32_t code = 0; code < 0x110; code++)
        n += lli_utf8_write(all + n, code);
    check_round_trip(all, n);
}

static void test_round_trip(void **state)
{
    static const char *const pres[] = {"default", "gpt-2", "llama-bpe", "qwen2", "smollm"};
    (void)state;
    open_spm();
    round_trips();
    close_text();
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        open_bpe(pres[i]);
        round_trips();
        check_round_trip(SPACE "x", 4);
        close_text();
    }
}

/* A vocabulary of bytes alone, without a token for U+2581. */
static void test_round_trip_bytes(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_start(&v, "llama", NULL);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = {'<', '0', 'x', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15], '>', 0};
        test_vocab_token(&v, text, 6, LLI_TOKEN_BYTE, 0);
    }
    open_made(&v);
    assert_int_equal(t.vocab.unk, LLI_NO_TOKEN);
    round_trips();
    close_text();
}

/* Control tokens are hidden or shown as they are spelled; the space in front is dropped at the first token of text. */
static void test_decode_control(void **state)
{
    static const int32_t tokens[] = {1, 3 + ' ', 3 + 0xC3, 1, 3 + 0xA9, 3 + 0xE2, 0};
    static const struct {
        int special;
        const char *want;
    } rows[] = {{0, "\xC3\xA9" BAD}, {1, "<s>" BAD "<s>" BAD BAD "<unk>"}};
    (void)state;
    open_spm();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_buffer ids, back;
        lli_buffer_init(&ids, &t.heap);
        lli_buffer_init(&back, &t.heap);
        assert_int_equal(lli_buffer_append(&ids, tokens, sizeof tokens), 0);
        decode_ids(&back, &ids, rows[i].special);
        assert_int_equal(back.len, strlen(rows[i].want));
        assert_memory_equal(back.bytes, rows[i].want, back.len);
        lli_buffer_finish(&ids);
        lli_buffer_finish(&back);
    }
    close_text();
}

/* A continuation keeps its space, and so does a text whose vocabulary puts none in front. */
static void test_decode_space(void **state)
{
    (void)state;
    for (int prefix = 0; prefix < 2; prefix++) {
        struct test_vocab v;
        test_vocab_spm(&v);
        test_vocab_flag(&v, "tokenizer.ggml.add_space_prefix", prefix);
        open_made(&v);
        for (uint8_t at_start = 0; at_start < 2; at_start++) {
            struct lli_decode d = {.at_start = at_start};
            struct lli_buffer out;
            lli_buffer_init(&out, &t.heap);
            assert_int_equal(lli_decode_token(&d, &out, &t.vocab, t.vocab.byte_ids[' '], 0), 0);
            assert_int_equal(lli_decode_token(&d, &out, &t.vocab, t.vocab.byte_ids[' '], 0), 0);
            assert_int_equal(out.len, prefix && at_start ? 1 : 2);
            lli_buffer_finish(&out);
        }
        close_text();
    }
}

/* Bytes that come one token at a time give what the whole would give, whatever they are. */
static void test_decode_stream(void **state)
{
    uint64_t seed = 3;
    (void)state;
    open_bpe("gpt-2");
    for (int round = 0; round < 3000; round++) {
        static const uint8_t leads[] = {0x41, 0x80, 0xBF, 0xC1, 0xC3, 0xE0, 0xA0, 0xED,
                                        0x9F, 0xEF, 0xF0, 0x90, 0xF4, 0x8F, 0xF5};
        uint8_t bytes[10];
        char wanted[3 * sizeof bytes];
        struct lli_buffer ids, back;
        lli_buffer_init(&ids, &t.heap);
        lli_buffer_init(&back, &t.heap);
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = leads[support_random(&seed) % sizeof leads];
            assert_int_equal(lli_buffer_append(&ids, &t.vocab.byte_ids[bytes[i]], sizeof(int32_t)), 0);
        }
        decode_ids(&back, &ids, 0);
        assert_int_equal(back.len, lli_utf8_repair(wanted, bytes, sizeof bytes));
        assert_memory_equal(back.bytes, wanted, back.len);
        lli_buffer_finish(&ids);
        lli_buffer_finish(&back);
    }
    close_text();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spm_joins),
        cmocka_unit_test(test_spm_flags),
        cmocka_unit_test(test_spm_unknown),
        cmocka_unit_test(test_bpe_joins),
        cmocka_unit_test(test_bpe_whole_piece),
        cmocka_unit_test(test_bpe_unknown),
        cmocka_unit_test(test_bpe_control_stays_text),
        cmocka_unit_test(test_pre_tokenizers),
        cmocka_unit_test(test_pre_cases),
        cmocka_unit_test(test_split_limit),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_special_overlap),
        cmocka_unit_test(test_special_against_search),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_bytes),
        cmocka_unit_test(test_decode_control),
        cmocka_unit_test(test_decode_space),
        cmocka_unit_test(test_decode_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
