/* Vocabularies, right and wrong: the classes V01 to V16 of hostile input with their statuses, and which tokens end. */
#include "text/vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "text/encode.h"
#include "one_text.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */

/* phi-3 has its </s> as user-defined; the ids that end and begin are control whatever their type. */
static void test_ends(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_bpe(&v, "gpt-2");
    test_vocab_token(&v, "</s>", 4, LLI_TOKEN_USER_DEFINED, 0);
    test_vocab_token(&v, "<EOT>", 5, LLI_TOKEN_NORMAL, 0);
    test_vocab_token(&v, "<|x|>", 5, LLI_TOKEN_NORMAL, 0);
    test_vocab_id(&v, "tokenizer.ggml.eom_token_id", 268);
    test_vocab_id(&v, "tokenizer.ggml.padding_token_id", UINT32_MAX);
    open_made(&v);
    assert_int_equal(t.vocab.types[266], LLI_TOKEN_CONTROL);
    assert_int_equal(t.vocab.types[268], LLI_TOKEN_CONTROL);
    assert_true(t.vocab.is_eog[265] && t.vocab.is_eog[266] && t.vocab.is_eog[268]);
    assert_false(t.vocab.is_eog[267] || t.vocab.is_eog[262] || t.vocab.is_eog[263]);
    assert_int_equal(t.vocab.pad, LLI_NO_TOKEN);
    assert_int_equal(t.vocab.unk, LLI_NO_TOKEN);
    assert_int_equal(t.vocab.bos, 262);
    assert_string_equal(tokens_of("</s>", 0), "< / s >");
    close_text();
}

/* ---- vocabularies: V01 to V16 */

typedef void change_fn(struct test_vocab *v);

static void put_token(struct test_vocab *v, const char *text, size_t n, int type)
{
    test_vocab_token(v, text, n, type, 0);
}

static void no_tokens(struct test_vocab *v)
{
    v->tokens.key = NULL;
}

static void empty_tokens(struct test_vocab *v)
{
    v->tokens.n = 0;
    v->tokens.elements.len = 0;
}

static void tokens_as_numbers(struct test_vocab *v)
{
    v->tokens.kind = LLI_GGUF_U8;
    v->tokens.n = v->tokens.elements.len;
}

static void too_many_tokens(struct test_vocab *v)
{
    test_gguf_zeros(&v->tokens.elements, 8 * (size_t)LLI_MAX_TOKENS);
    v->tokens.n += LLI_MAX_TOKENS;
}

static void token_twice(struct test_vocab *v)
{
    put_token(v, "hell", 4, LLI_TOKEN_NORMAL);
}

static void token_not_utf8(struct test_vocab *v)
{
    put_token(v, "\xFF", 1, LLI_TOKEN_NORMAL);
}

static void token_too_long(struct test_vocab *v)
{
    static char text[LLI_MAX_TOKEN_BYTES + 1];
    memset(text, 'a', sizeof text);
    put_token(v, text, sizeof text, LLI_TOKEN_NORMAL);
}

static void no_scores(struct test_vocab *v)
{
    v->scores.key = NULL;
}

static void short_scores(struct test_vocab *v)
{
    v->scores.n--;
    v->scores.elements.len -= 4;
}

static void long_scores(struct test_vocab *v)
{
    v->scores.n++;
    test_gguf_zeros(&v->scores.elements, 4);
}

static void nan_score(struct test_vocab *v)
{
    memset(v->scores.elements.bytes + 40, 0xFF, 4);
}

static void integer_scores(struct test_vocab *v)
{
    v->scores.kind = LLI_GGUF_I32;
}

static void text_scores(struct test_vocab *v)
{
    v->scores.elements.len = 0;
    v->scores.kind = LLI_GGUF_STRING;
    test_gguf_zeros(&v->scores.elements, 8 * (size_t)v->scores.n);
}

static void short_types(struct test_vocab *v)
{
    v->types.n--;
    v->types.elements.len -= 4;
}

static void unknown_type(struct test_vocab *v)
{
    v->types.elements.bytes[40] = 7;
}

static void type_zero(struct test_vocab *v)
{
    v->types.elements.bytes[40] = 0;
}

static void float_types(struct test_vocab *v)
{
    v->types.kind = LLI_GGUF_F32;
}

static void scalar_types(struct test_vocab *v)
{
    v->types.key = NULL;
    test_vocab_id(v, "tokenizer.ggml.token_type", 1);
}

static void no_merges(struct test_vocab *v)
{
    v->merges.key = NULL;
}

static void merge_without_space(struct test_vocab *v)
{
    test_vocab_merge(v, "he");
}

static void merge_of_nothing(struct test_vocab *v)
{
    test_vocab_merge(v, "");
}

static void merge_without_left(struct test_vocab *v)
{
    test_vocab_merge(v, " he");
}

static void merge_without_right(struct test_vocab *v)
{
    test_vocab_merge(v, "he ");
}

static void merge_with_two_spaces(struct test_vocab *v)
{
    test_vocab_merge(v, "h e o");
}

static void merge_of_unknown_left(struct test_vocab *v)
{
    test_vocab_merge(v, "hx e");
}

static void merge_of_unknown_right(struct test_vocab *v)
{
    test_vocab_merge(v, "h ex");
}

static void merge_into_unknown(struct test_vocab *v)
{
    test_vocab_merge(v, "h x");
}

static void merge_longer_than_all(struct test_vocab *v)
{
    put_token(v, "", 0, LLI_TOKEN_NORMAL);
    test_vocab_merge(v, "<|end|> <|end|>");
}

static void merges_as_numbers(struct test_vocab *v)
{
    v->merges.kind = LLI_GGUF_U8;
    v->merges.n = v->merges.elements.len;
}

static void too_many_merges(struct test_vocab *v)
{
    v->merges.elements.len = 0;
    v->merges.n = LLI_MAX_MERGES + 1;
    test_gguf_zeros(&v->merges.elements, 8 * (size_t)v->merges.n);
}

static void bos_out_of_range(struct test_vocab *v)
{
    v->n_more = 0;
    v->more.len = 0;
    test_vocab_id(v, "tokenizer.ggml.bos_token_id", (uint32_t)v->tokens.n);
}

static void eot_out_of_range(struct test_vocab *v)
{
    test_vocab_id(v, "tokenizer.ggml.eot_token_id", 0x80000000u);
}

static void eos_as_text(struct test_vocab *v)
{
    v->n_more = 1;
    v->more.len = 0;
    test_gguf_key_text(&v->more, "tokenizer.ggml.eos_token_id", "2");
}

static void bos_without_id(struct test_vocab *v)
{
    v->n_more = 0;
    v->more.len = 0;
    test_vocab_flag(v, "tokenizer.ggml.add_bos_token", 1);
}

static void eos_without_id(struct test_vocab *v)
{
    v->n_more = 0;
    v->more.len = 0;
    test_vocab_flag(v, "tokenizer.ggml.add_eos_token", 1);
}

static void prefix_as_number(struct test_vocab *v)
{
    test_vocab_id(v, "tokenizer.ggml.add_space_prefix", 1);
}

static void negative_byte(struct test_vocab *v)
{
    put_token(v, "<0x-1>", 6, LLI_TOKEN_BYTE);
}

static void letters_as_byte(struct test_vocab *v)
{
    put_token(v, "<0xZZ>", 6, LLI_TOKEN_BYTE);
}

static void byte_twice(struct test_vocab *v)
{
    put_token(v, "<0x0a>", 6, LLI_TOKEN_BYTE);
}

static void absent_byte(struct test_vocab *v)
{
    v->n_more = 0; /* nor an unknown */
    v->more.len = 0;
    v->types.elements.bytes[4 * 100] = LLI_TOKEN_NORMAL;
}

static void absent_character(struct test_vocab *v)
{
    v->tokens.elements.bytes[33 * 10 + 8] = 0x7F; /* '!' becomes DEL, which is no character of the alphabet */
}

/* A map of characters with one entry, changed at a byte; size: what it is cut to, 0: not at all. */
static void bad_map(struct test_vocab *v, size_t at, uint8_t value, size_t size)
{
    static const char *const from[] = {"a"}, *const to[] = {"b"};
    size_t n;
    uint8_t *bytes = test_charsmap_make(from, to, 1, &n);
    bytes[at < n ? at : n - 1] = value;
    test_vocab_charsmap(v, bytes, size ? size : n);
    free(bytes);
}

static void map_short(struct test_vocab *v)
{
    bad_map(v, 0, 0, 3);
}

static void map_without_texts(struct test_vocab *v)
{
    bad_map(v, 3, 1, 0);
}

static void map_of_odd_size(struct test_vocab *v)
{
    bad_map(v, 0, 2, 0);
}

static void map_root_outside(struct test_vocab *v)
{
    bad_map(v, 7, 0x7F, 0);
}

static void map_value_outside(struct test_vocab *v)
{
    bad_map(v, 4 + 4 * 512, 9, 0); /* of the only child, in the block behind the root's */
}

static void map_text_open(struct test_vocab *v)
{
    bad_map(v, SIZE_MAX, 'c', 0);
}

static void map_text_bad(struct test_vocab *v)
{
    bad_map(v, 4 + 4 * 768, 0xFF, 0);
}

static void map_too_large(struct test_vocab *v)
{
    static uint8_t bytes[LLI_MAX_CHARSMAP_BYTES + 1];
    test_vocab_charsmap(v, bytes, sizeof bytes);
}

static void map_as_number(struct test_vocab *v)
{
    test_vocab_id(v, "tokenizer.ggml.precompiled_charsmap", 1);
}

static void unigram_without_unknown(struct test_vocab *v)
{
    v->n_more = 0;
    v->more.len = 0;
}

static void unigram_without_scores(struct test_vocab *v)
{
    v->scores.key = NULL;
}

static void unigram_long_token(struct test_vocab *v)
{
    static char text[LLI_MAX_PIECE_BYTES + 1];
    memset(text, 'a', sizeof text);
    put_token(v, text, sizeof text, LLI_TOKEN_NORMAL);
}

static void words_without_unknown(struct test_vocab *v)
{
    v->n_more = 0;
    v->more.len = 0;
}

static void unknown_pre(struct test_vocab *v)
{
    v->pre = "llama-bpe2";
}

static void no_pre(struct test_vocab *v)
{
    v->pre = NULL;
}

static void unknown_model(struct test_vocab *v)
{
    v->model = "rwkv";
}

static void no_model(struct test_vocab *v)
{
    v->model = NULL;
}

static void too_many_control_tokens(struct test_vocab *v)
{
    for (uint32_t i = 0; i <= LLI_MAX_CONTROL_TOKENS; i++) {
        char text[4];
        test_vocab_token(v, text, lli_utf8_write(text, 0x10000 + i), LLI_TOKEN_CONTROL, 0);
    }
}

static void too_large_automaton(struct test_vocab *v)
{
    static char text[LLI_MAX_TOKEN_BYTES];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < 90; i++) {
        text[sizeof text - 1] = (char)('!' + i);
        put_token(v, text, sizeof text, LLI_TOKEN_CONTROL);
    }
}

enum kind { SPM, BPE, UNIGRAM, WORDS };

static const struct refusal {
    const char *name, *class;
    change_fn *change;
    enum kind kind; /* of the good vocabulary that is changed */
    int32_t status;
    const char *subject;
} refusals[] = {
    {"no tokens", "V01", no_tokens, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"empty tokens", "V01", empty_tokens, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"tokens as numbers", "V01", tokens_as_numbers, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"too many tokens", "V01", too_many_tokens, SPM, LLMINF_E_LIMIT, "tokenizer.ggml.tokens"},
    {"token twice", "V02", token_twice, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"token twice", "V02", token_twice, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"not UTF-8", "V04", token_not_utf8, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"too long", "V04", token_too_long, SPM, LLMINF_E_LIMIT, "tokenizer.ggml.tokens"},
    {"no scores", "V05", no_scores, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"short scores", "V05", short_scores, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"long scores", "V05", long_scores, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"NaN", "V05", nan_score, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"integer scores", "V05", integer_scores, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"text scores", "V05", text_scores, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"short types", "V06", short_types, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.token_type"},
    {"type 7", "V06", unknown_type, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.token_type"},
    {"type 0", "V06", type_zero, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.token_type"},
    {"float types", "V06", float_types, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.token_type"},
    {"scalar types", "V06", scalar_types, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.token_type"},
    {"no merges", "V07", no_merges, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"no space", "V07", merge_without_space, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"nothing", "V07", merge_of_nothing, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"no left", "V07", merge_without_left, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"no right", "V07", merge_without_right, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"two spaces", "V07", merge_with_two_spaces, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"unknown left", "V07", merge_of_unknown_left, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"unknown right", "V07", merge_of_unknown_right, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"unknown result", "V07", merge_into_unknown, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"long result", "V07", merge_longer_than_all, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"merges as numbers", "V07", merges_as_numbers, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.merges"},
    {"too many merges", "V07", too_many_merges, BPE, LLMINF_E_LIMIT, "tokenizer.ggml.merges"},
    {"bos", "V08", bos_out_of_range, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.bos_token_id"},
    {"eot", "V08", eot_out_of_range, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.eot_token_id"},
    {"eos as text", "V08", eos_as_text, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.eos_token_id"},
    {"add_bos without bos", "V09", bos_without_id, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.add_bos_token"},
    {"add_eos without eos", "V09", eos_without_id, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.add_eos_token"},
    {"prefix as a number", "V09", prefix_as_number, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.add_space_prefix"},
    {"<0x-1>", "V10", negative_byte, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"<0xZZ>", "V10", letters_as_byte, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"byte twice", "V10", byte_twice, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"absent byte", "V10", absent_byte, SPM, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"absent character", "V10", absent_character, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.tokens"},
    {"short map", "V13", map_short, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"map without texts", "V13", map_without_texts, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"map of odd size", "V13", map_of_odd_size, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"root outside", "V13", map_root_outside, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"value outside", "V13", map_value_outside, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"text without end", "V13", map_text_open, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"text not UTF-8", "V13", map_text_bad, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"large map", "V13", map_too_large, UNIGRAM, LLMINF_E_LIMIT, "tokenizer.ggml.precompiled_charsmap"},
    {"map as a number", "V13", map_as_number, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.precompiled_charsmap"},
    {"no unknown", "V10", unigram_without_unknown, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.unknown_token_id"},
    {"no unknown", "V10", words_without_unknown, WORDS, LLMINF_E_FORMAT, "tokenizer.ggml.unknown_token_id"},
    {"no scores", "V05", unigram_without_scores, UNIGRAM, LLMINF_E_FORMAT, "tokenizer.ggml.scores"},
    {"long token", "V04", unigram_long_token, UNIGRAM, LLMINF_E_LIMIT, "vocabulary"},
    {"unknown pre", "V11", unknown_pre, BPE, LLMINF_E_UNSUPPORTED, "tokenizer.ggml.pre"},
    {"no pre", "V11", no_pre, BPE, LLMINF_E_UNSUPPORTED, "tokenizer.ggml.pre"},
    {"unknown model", "V12", unknown_model, SPM, LLMINF_E_UNSUPPORTED, "tokenizer.ggml.model"},
    {"no model", "V12", no_model, BPE, LLMINF_E_FORMAT, "tokenizer.ggml.model"},
    {"too many control tokens", "V15", too_many_control_tokens, SPM, LLMINF_E_LIMIT, "control tokens"},
    {"too large an automaton", "V15", too_large_automaton, SPM, LLMINF_E_LIMIT, "control tokens"},
};

static void make_good(struct test_vocab *v, enum kind kind)
{
    if (kind == BPE)
        test_vocab_bpe(v, "gpt-2");
    else
        (kind == SPM ? test_vocab_spm : kind == UNIGRAM ? test_vocab_unigram : test_vocab_wordpiece)(v);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct test_vocab v;
        make_good(&v, r->kind);
        r->change(&v);
        int32_t status = test_text_open(&t, &v);
        if (status != r->status || strcmp(t.error.subject, r->subject) != 0)
            print_message("%s %s: status %d, %s\n", r->class, r->name, status, status ? t.error.text : "");
        assert_int_equal(status, r->status);
        assert_string_equal(t.error.subject, r->subject);
        close_text();
    }
}

static void test_odd_tokens(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_spm(&v);
    put_token(&v, "", 0, LLI_TOKEN_CONTROL);          /* V03, V14 */
    put_token(&v, "a\0b", 3, LLI_TOKEN_USER_DEFINED); /* V04 */
    put_token(&v, "zz", 2, LLI_TOKEN_UNUSED);
    put_token(&v, SPACE SPACE "q", 7, LLI_TOKEN_USER_DEFINED); /* as spaces */
    test_vocab_id(&v, "tokenizer.ggml.padding_token_id", UINT32_MAX);
    open_made(&v);
    assert_string_equal(tokens_of("a", LLI_TEXT_SPECIAL), SPACE " a");
    assert_int_equal(strlen(test_text_tokens(&t, "za\0b", 4, 0)), strlen(SPACE " z a"));
    assert_string_equal(tokens_of("zz  q", 0), SPACE " zz " SPACE SPACE "q");
    close_text();
}

/* Two tokens with one text: the lower id. A token with characters beyond the byte alphabet is what it spells. */
static void test_odd_texts(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_spm(&v);
    put_token(&v, SPACE "+", 4, LLI_TOKEN_USER_DEFINED);
    put_token(&v, " +", 2, LLI_TOKEN_USER_DEFINED);
    open_made(&v);
    assert_string_equal(tokens_of("a +", 0), SPACE " a " SPACE "+");
    close_text();
    test_vocab_bpe(&v, "gpt-2");
    put_token(&v, "\xC4\xA0\xE4\xB8\xAD", 5, LLI_TOKEN_NORMAL);
    put_token(&v, "\xC4\xA0\xC2\xAD", 4, LLI_TOKEN_NORMAL);
    open_made(&v);
    assert_int_equal(t.vocab.texts[266].len, 5);
    assert_memory_equal(t.vocab.texts[266].bytes, "\xC4\xA0\xE4\xB8\xAD", 5);
    assert_int_equal(t.vocab.texts[267].len, 4);
    close_text();
}

static void test_no_types(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_spm(&v);
    v.types.key = NULL;
    open_made(&v);
    assert_string_equal(tokens_of("\n", 0), SPACE " <0x0A>");
    assert_int_equal(t.vocab.types[1], LLI_TOKEN_CONTROL);
    close_text();
}

/* V16: every token ends a generation; V15: 100,000 control tokens. */
static void test_many_control_tokens(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_bpe(&v, "gpt-2");
    for (uint32_t i = 0; i < 100000; i++) {
        char text[] = "<|reserved_special_token_00000|>";
        for (uint32_t at = 29, rest = i; at > 24; at--, rest /= 10)
            text[at] = (char)('0' + rest % 10);
        put_token(&v, text, strlen(text), LLI_TOKEN_CONTROL);
    }
    open_made(&v);
    assert_string_equal(tokens_of("a<|reserved_special_token_54321|>", LLI_TEXT_SPECIAL), "a <|reserved_special_token_54321|>");
    assert_string_equal(tokens_of("<|reserved_special_token_5432|>", LLI_TEXT_SPECIAL),
                        "< | r e s e r v e d _ s p e c i a l _ t o k e n _ 5 4 3 2 | >");
    close_text();
}

static void test_every_token_ends(void **state)
{
    (void)state;
    struct test_vocab v;
    test_vocab_start(&v, "llama", NULL);
    put_token(&v, "</s>", 4, LLI_TOKEN_CONTROL);
    put_token(&v, "<|end|>", 7, LLI_TOKEN_USER_DEFINED);
    test_vocab_id(&v, "tokenizer.ggml.eos_token_id", 0);
    test_vocab_id(&v, "tokenizer.ggml.unknown_token_id", 1);
    open_made(&v);
    assert_true(t.vocab.is_eog[0] && t.vocab.is_eog[1]);
    assert_string_equal(tokens_of("ab", 0), "<|end|> <|end|> <|end|>");
    close_text();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_odd_tokens),
        cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_no_types),
        cmocka_unit_test(test_many_control_tokens),
        cmocka_unit_test(test_every_token_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
