/* Vocabularies from a tokenizer.json: models, normalizers, pre-tokenizers, decoders, added tokens, what stands around a text,
 * and what is refused. The ids of the story model are those of Hugging Face's tokenizers. */
#include "text/decode.h"
#include "text/encode.h"
#include "text/hf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "one_text.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */

static char text_of_file[64 << 10];

/* Parts of a file as JSON; NULL: as the model of the test has it. */
struct parts {
    const char *model, *normalizer, *pre, *decoder, *post, *added, *config;
};

/* A vocabulary of the 256 characters for bytes, h e l o joined to hello, and a space with w. */
static const char *byte_model(void)
{
    static char out[16 << 10];
    size_t n = (size_t)sprintf(out, "{\"type\": \"BPE\", \"ignore_merges\": false, \"vocab\": {");
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; byte++) {
        int prints = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        n += (size_t)sprintf(out + n, "\"\\u%04x\": %u, ", prints ? byte : next++, byte);
    }
    sprintf(out + n, "\"he\": 256, \"ll\": 257, \"hell\": 258, \"hello\": 259, \"\\u0120w\": 260, \"12\": 261}, "
                     "\"merges\": [\"h e\", [\"l\", \"l\"], \"he ll\", \"hell o\", \"\\u0120 w\", \"1 2\"]}");
    return out;
}

#define CHARACTERS                                                                                                             \
    "{\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": true, \"byte_fallback\": true, \"vocab\": {\"<unk>\": 0, "    \
    "\"<0xC3>\": 1, \"<0xA9>\": 2, \"" SPACE "\": 3, \"a\": 4, \"b\": 5, \"" SPACE "a\": 6, \"ab\": 7}, "                      \
    "\"merges\": [\"" SPACE " a\", \"a b\"]}"
#define UNIGRAM                                                                                                                \
    "{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"" SPACE "\", -3], [\"" SPACE                        \
    "he\", -4.5], [\"llo\", -5], [\"he\", -5], [\"l\", -6], [\"h\", -7], [\"e\", -7.5], [\"o\", -7]]}"
#define WORDS                                                                                                                  \
    "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", \"vocab\": {\"[UNK]\": 0, "    \
    "\"[CLS]\": 1, \"[SEP]\": 2, \"hello\": 3, \"he\": 4, \"##l\": 5, \".\": 6, \"'\": 7, \"##e\": 8, \"\xE4\xB8\xAD\": 9}}"

static const char *value(const char *json)
{
    return json ? json : "null";
}

static int32_t open_parts(const struct parts *p)
{
    int n = snprintf(text_of_file, sizeof text_of_file,
                     "{\"version\": \"1.0\", \"added_tokens\": %s, \"normalizer\": %s, \"pre_tokenizer\": %s, "
                     "\"post_processor\": %s, \"decoder\": %s, \"model\": %s}",
                     p->added ? p->added : "[]", value(p->normalizer), value(p->pre), value(p->post), value(p->decoder),
                     p->model ? p->model : byte_model());
    assert_true(n > 0 && (size_t)n < sizeof text_of_file);
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    return lli_hf_read(&t.vocab, &t.heap, (struct lli_text){text_of_file, (size_t)n},
                       (struct lli_text){p->config, p->config ? strlen(p->config) : 0}, NULL, &t.error);
}

static void open_good(struct parts p)
{
    assert_opened(open_parts(&p));
}

#define BYTE_LEVEL "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}"

static void test_byte_level(void **state)
{
    (void)state;
    open_good((struct parts){.pre = BYTE_LEVEL, .decoder = BYTE_LEVEL});
    assert_string_equal(tokens_of("hello world", LLI_TEXT_BOUNDS), "hello \xC4\xA0w o r l d");
    assert_string_equal(back_of("hello w\xC3\xA9 \n12", LLI_TEXT_SPECIAL), "hello w\xC3\xA9 \n12");
    close_text();
    open_good((struct parts){.pre = "{\"type\": \"ByteLevel\", \"add_prefix_space\": true}", .decoder = BYTE_LEVEL});
    assert_string_equal(tokens_of("w", 0), "\xC4\xA0w");
    assert_string_equal(tokens_of(" w", 0), "\xC4\xA0w");
    close_text();
}

/* The shape of Llama 2 and Gemma: characters, and bytes for the rest. */
static void test_characters(void **state)
{
    (void)state;
    struct parts p = {
        .model = CHARACTERS,
        .normalizer = "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"" SPACE
                      "\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" SPACE "\"}]}",
        .decoder = "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"" SPACE
                   "\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}, "
                   "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]}"};
    open_good(p);
    assert_string_equal(tokens_of("ab a", 0), SPACE "a b " SPACE "a");
    assert_string_equal(tokens_of("b\xC3\xA9xyb", 0), SPACE " b <0xC3> <0xA9> <unk> b"); /* unknown ones are one */
    assert_string_equal(back_of("ab  \xC3\xA9", LLI_TEXT_SPECIAL), "ab  \xC3\xA9");
    assert_string_equal(tokens_of("", 0), "");
    close_text();
}

static void test_unigram(void **state)
{
    (void)state;
    static const char metaspace[] = "{\"type\": \"Metaspace\", \"replacement\": \"" SPACE "\", \"prepend_scheme\": \"always\"}";
    struct parts p = {.model = UNIGRAM, .pre = metaspace, .decoder = metaspace};
    open_good(p);
    assert_string_equal(tokens_of("hello  he", 0), SPACE "he llo " SPACE " " SPACE "he");
    assert_string_equal(tokens_of("xxhe", 0), SPACE " <unk> he");
    assert_string_equal(back_of("he hello", LLI_TEXT_SPECIAL), "he hello");
    close_text();
    p.normalizer =
        "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Strip\"}, {\"type\": \"Replace\", \"pattern\": "
        "{\"Regex\": \" {2,}\"}, \"content\": \" \"}, {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}, "
        "{\"type\": \"Lowercase\"}]}]}";
    open_good(p);
    assert_string_equal(tokens_of("  HE   \xEF\xBC\xA8\xEF\xBC\xA5 ", 0), SPACE "he " SPACE "he");
    close_text();
}

static void test_wordpiece(void **state)
{
    (void)state;
    open_good((struct parts){
        .model = WORDS,
        .normalizer = "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, "
                      "\"strip_accents\": null, \"lowercase\": true}",
        .pre = "{\"type\": \"BertPreTokenizer\"}",
        .decoder = "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}",
        .post =
            "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\"}}, {\"Sequence\": {\"id\": "
            "\"A\"}}, {\"SpecialToken\": {\"id\": \"[SEP]\"}}], \"special_tokens\": {\"[CLS]\": {\"ids\": [1]}, \"[SEP]\": "
            "{\"ids\": [2]}}}",
        .added = "[{\"id\": 1, \"content\": \"[CLS]\", \"special\": true}, {\"id\": 2, \"content\": \"[SEP]\", \"special\": "
                 "true}]"});
    assert_string_equal(tokens_of("H\xC3\x89ll\xE4\xB8\xADhello.", LLI_TEXT_BOUNDS),
                        "[CLS] he ##l ##l \xE4\xB8\xAD hello . [SEP]");
    assert_string_equal(tokens_of("hex", 0), "[UNK]");
    assert_string_equal(back_of("hello  hel .", LLI_TEXT_SPECIAL), "hello hel."); /* no space before the point */
    close_text();
}

static void test_wordlevel(void **state)
{
    (void)state;
    open_good((struct parts){.model = "{\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\", \"vocab\": {\"[UNK]\": 0, "
                                      "\"hello\": 1, \"wide world\": 2, \".\": 3}}",
                             .normalizer = "{\"type\": \"Nmt\"}",
                             .pre = "{\"type\": \"Whitespace\"}",
                             .added = "[{\"id\": 0, \"content\": \"[UNK]\", \"special\": true}, "
                                      "{\"id\": 4, \"content\": \"[PAD]\", \"special\": true}]"});
    assert_string_equal(tokens_of("hello\ttoast.\x01 hel\x01lo", 0), "hello [UNK] . hello");
    assert_string_equal(tokens_of("wide world", 0), "[UNK] [UNK]");
    assert_string_equal(tokens_of("[PAD]", 0), "[UNK] [UNK] [UNK]");              /* no control token of a text */
    assert_string_equal(back_of("hello\xE2\x80\x8B hello.", 0), "hello hello ."); /* no decoder: a space between any two */
    close_text();
}

/* What a pre-tokenizer leaves of a text, with a bar behind each piece. */
static const char *cut(const char *pre, const char *text)
{
    static char out[256];
    struct lli_pieces pieces;
    open_good((struct parts){.model = CHARACTERS, .pre = pre});
    out[0] = '\0';
    lli_pieces_init(&pieces, &t.heap);
    assert_int_equal(lli_split_run(&pieces, t.vocab.split, (struct lli_text){text, strlen(text)}, 1, &t.error), 0);
    for (size_t i = 0; i < lli_pieces_count(&pieces); i++) {
        struct lli_text piece = lli_pieces_at(&pieces, i);
        strncat(out, piece.bytes, piece.len);
        strcat(out, "|");
    }
    lli_pieces_finish(&pieces);
    close_text();
    return out;
}

#define SPLIT(behavior, invert)                                                                                                \
    "{\"type\": \"Split\", \"pattern\": {\"String\": \"-\"}, \"behavior\": \"" behavior "\", \"invert\": " invert "}"

static void test_pre_tokenizers(void **state)
{
    static const struct {
        const char *pre, *text, *want;
    } rows[] = {
        {SPLIT("Isolated", "false"), "-a--b-", "-|a|-|-|b|-|"},
        {SPLIT("Removed", "false"), "-a--b-", "a|b|"},
        {SPLIT("MergedWithPrevious", "false"), "-a--b-", "-|a-|-|b-|"},
        {SPLIT("MergedWithNext", "false"), "-a--b-", "-a|-|-b|-|"},
        {SPLIT("Contiguous", "false"), "-a--b-", "-|a|--|b|-|"},
        {SPLIT("Removed", "true"), "-a--b-", "-|-|-|-|"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"" SPACE "\", \"prepend_scheme\": \"never\"}", "a  b",
         "a|" SPACE "|" SPACE "b|"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"" SPACE "\", \"prepend_scheme\": \"first\", \"split\": false}", "a b",
         SPACE "a" SPACE "b|"},
        {"{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}, {\"type\": \"Metaspace\", "
         "\"replacement\": "
         "\"" SPACE "\", \"add_prefix_space\": true}]}",
         " a\t b", SPACE "a|" SPACE "b|"},
        {"{\"type\": \"Digits\", \"individual_digits\": true}", "a12\xC2\xBD", "a|1|2|\xC2\xBD|"},
        {"{\"type\": \"Digits\", \"individual_digits\": false}", "a12b", "a|12|b|"},
        {"{\"type\": \"Punctuation\", \"behavior\": \"Isolated\"}", "a.,$b\xE3\x80\x82", "a|.|,|$|b|\xE3\x80\x82|"},
        {"{\"type\": \"Whitespace\"}", "ab_1 \xC3\xA9. !", "ab_1|\xC3\xA9|.|!|"},
        {"{\"type\": \"CharDelimiterSplit\", \"delimiter\": \"_\"}", "a_b__c", "a|b|c|"},
        {"{\"type\": \"BertPreTokenizer\"}", "a b's", "a|b|'|s|"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{N}{1,3}\"}, \"behavior\": \"Isolated\"}", "a1234", "a|123|4|"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?=(\\\\d{3})+(?!\\\\d))\"}, \"behavior\": \"Removed\"}",
         "a1234b567", "a1|234b|567|"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[\\r\\n]\"}, \"behavior\": \"Isolated\"}", "a\r\nb", "a|\r|\n|b|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(cut(rows[i].pre, rows[i].text), rows[i].want);
}

static void test_added_tokens(void **state)
{
    (void)state;
    open_good((struct parts){.pre = BYTE_LEVEL,
                             .decoder = BYTE_LEVEL,
                             .added = "[{\"id\": 300, \"content\": \"<l>\", \"special\": true, \"lstrip\": true}, "
                                      "{\"id\": 301, \"content\": \"<r>\", \"special\": false, \"rstrip\": true}, "
                                      "{\"id\": 302, \"content\": \"one\", \"special\": false, \"single_word\": true}, "
                                      "{\"id\": 303, \"content\": \"<|im_end|>\", \"special\": true}]",
                             .config = "{\"eos_token\": {\"content\": \"<|im_end|>\"}, \"bos_token\": null, "
                                       "\"add_eos_token\": true}"});
    assert_int_equal(t.vocab.n, 304);
    assert_int_equal(t.vocab.eos, 303);
    assert_true(t.vocab.is_eog[303]);
    assert_int_equal(t.vocab.bos, LLI_NO_TOKEN);
    assert_string_equal(tokens_of("a \n<l> b", LLI_TEXT_SPECIAL | LLI_TEXT_BOUNDS), "a <l> \xC4\xA0 b <|im_end|>");
    assert_string_equal(tokens_of(" <l>", LLI_TEXT_SPECIAL), "<l>");
    assert_string_equal(tokens_of("<l>", 0), "< l >");
    assert_string_equal(tokens_of("a<r> \xC2\xA0"
                                  "b",
                                  0),
                        "a <r> b");
    assert_string_equal(tokens_of("one,xone one1 (one)", 0), "one , x o n e \xC4\xA0 o n e 1 \xC4\xA0 ( one )");
    assert_string_equal(back_of("a<r>one<|im_end|>", LLI_TEXT_SPECIAL), "a<r>one");
    close_text();
}

/* Sought as they stand, or in what normalising makes of text and token. */
static void test_normalized_tokens(void **state)
{
    (void)state;
    open_good((struct parts){
        .pre = BYTE_LEVEL,
        .normalizer = "{\"type\": \"Lowercase\"}",
        .added = "[{\"id\": 300, \"content\": \"Abc\", \"special\": false, \"normalized\": true}, "
                 "{\"id\": 301, \"content\": \"Xyz\", \"special\": false, \"normalized\": false}, "
                 "{\"id\": 302, \"content\": \"Cx\", \"special\": false}, "
                 "{\"id\": 303, \"content\": \"EOS\", \"special\": true, \"normalized\": true}, "
                 "{\"id\": 304, \"content\": \"no\", \"special\": false, \"single_word\": true, \"normalized\": false}, "
                 "{\"id\": 305, \"content\": \"od\", \"special\": false, \"normalized\": false}]"});
    assert_string_equal(tokens_of("ABC abc Abc", 0), "Abc \xC4\xA0 Abc \xC4\xA0 Abc");
    assert_string_equal(tokens_of("XYZ Xyz", 0), "x y z \xC4\xA0 Xyz");
    assert_string_equal(tokens_of("abCX", 0), "Abc x"); /* the leftmost */
    assert_string_equal(tokens_of("abcXyz", 0), "Abc Xyz");
    assert_string_equal(tokens_of("abCXyz", 0), "Abc Xyz"); /* what stands in the text as it is comes first */
    assert_string_equal(tokens_of("cX", 0), "Cx");
    assert_string_equal(tokens_of("eos EOS", LLI_TEXT_SPECIAL), "e o s \xC4\xA0 EOS"); /* normalising makes no control token */
    assert_string_equal(tokens_of("nod no", 0), "n o d \xC4\xA0 no"); /* a part of a word hides what begins in it */
    close_text();
}

static void test_bounds(void **state)
{
    static const char tokens[] =
        "[{\"id\": 300, \"content\": \"<s>\", \"special\": true}, {\"id\": 301, \"content\": \"</s>\", "
        "\"special\": true}]";
    static const char config[] =
        "{\"tokenizer_class\": \"LlamaTokenizerFast\", \"bos_token\": \"<s>\", \"eos_token\": \"</s>\", "
        "\"add_bos_token\": true, \"add_eos_token\": false}";
    (void)state;
    open_good((struct parts){.pre = BYTE_LEVEL, .added = tokens, .post = BYTE_LEVEL, .config = config});
    assert_string_equal(tokens_of("a", LLI_TEXT_BOUNDS), "<s> a"); /* DeepSeek: the class makes the template */
    close_text();
    open_good((struct parts){.pre = BYTE_LEVEL,
                             .added = tokens,
                             .post = "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}, {\"type\": "
                                     "\"RobertaProcessing\", \"cls\": [\"<s>\", 300], \"sep\": [\"</s>\", 301]}]}"});
    assert_string_equal(tokens_of("a", LLI_TEXT_BOUNDS), "<s> a </s>");
    close_text();
}

/* ---- refused */

static const struct refusal {
    struct parts parts;
    int32_t status;
    const char *subject;
} refusals[] = {
    {{.model = "null"}, LLMINF_E_FORMAT, "model"},
    {{.model = "{\"type\": \"Words\", \"vocab\": {}}"}, LLMINF_E_UNSUPPORTED, "model"},
    {{.model = "{\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}"}, LLMINF_E_FORMAT, "model.unk_token"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": [], \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 1000000}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 9000000}, \"merges\": []}"}, LLMINF_E_LIMIT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": \"0\"}, \"merges\": []}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}}"}, LLMINF_E_FORMAT, "model.merges"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}"}, LLMINF_E_FORMAT, "model.merges"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [1]}"}, LLMINF_E_FORMAT, "model.merges"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}"}, LLMINF_E_FORMAT, "model.merges"},
    {{.model = "{\"type\": \"BPE\", \"dropout\": 0.5, \"vocab\": {\"a\": 0}, \"merges\": []}"},
     LLMINF_E_UNSUPPORTED,
     "model BPE"},
    {{.model = "{\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", \"vocab\": {\"a\": 0}, \"merges\": []}"},
     LLMINF_E_UNSUPPORTED,
     "model BPE: word marks"},
    {{.model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}", .pre = BYTE_LEVEL},
     LLMINF_E_FORMAT,
     "model.vocab"},
    {{.model = "{\"type\": \"Unigram\", \"vocab\": [[\"a\", 1]]}"}, LLMINF_E_FORMAT, "model.unk_id"},
    {{.model = "{\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", 1]]}"}, LLMINF_E_FORMAT, "model.unk_id"},
    {{.model = "{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", \"1\"]]}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [\"a\"]}"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.model = "{\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}"}, LLMINF_E_FORMAT, "model.unk_token"},
    {{.added = "{}"}, LLMINF_E_FORMAT, "added_tokens"},
    {{.added = "[{\"id\": 1}]"}, LLMINF_E_FORMAT, "added_tokens"},
    {{.added = "[1]"}, LLMINF_E_FORMAT, "added_tokens"},
    {{.added = "[{\"id\": 1, \"content\": \"other\"}]"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.added = "[{\"id\": 400, \"content\": \"hello\"}]"}, LLMINF_E_FORMAT, "model.vocab"},
    {{.normalizer = "{\"type\": \"ByteLevel\"}"}, LLMINF_E_UNSUPPORTED, "normalizer"},
    {{.normalizer = "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a+\"}, \"content\": \"\"}"},
     LLMINF_E_UNSUPPORTED,
     "normalizer Replace: regex"},
    {{.normalizer = "{\"type\": \"Replace\", \"content\": \"\"}"}, LLMINF_E_FORMAT, "normalizer"},
    {{.normalizer = "{\"type\": \"Sequence\"}"}, LLMINF_E_FORMAT, "normalizer"},
    {{.normalizer = "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"?\"}"}, LLMINF_E_FORMAT, "normalizer Precompiled"},
    {{.normalizer = "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}"},
     LLMINF_E_FORMAT,
     "normalizer Precompiled"},
    {{.normalizer = "{\"type\": \"BertNormalizer\"}"}, LLMINF_E_UNSUPPORTED, "normalizer"},
    {{.pre = "{\"type\": \"UnicodeScripts\"}"}, LLMINF_E_UNSUPPORTED, "pre_tokenizer"},
    {{.pre = "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+b\"}, \"behavior\": \"Isolated\"}"},
     LLMINF_E_UNSUPPORTED,
     "pre_tokenizer Split: regex"},
    {{.pre = "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?=(\\\\d{3})+(?!\\\\d))\"}, \"behavior\": \"Removed\", "
             "\"invert\": true}"},
     LLMINF_E_UNSUPPORTED,
     "pre_tokenizer"},
    {{.pre = "{\"type\": \"Split\", \"pattern\": {\"String\": \"\"}, \"behavior\": \"Isolated\"}"},
     LLMINF_E_LIMIT,
     "pre_tokenizer"},
    {{.pre = SPLIT("Odd", "false")}, LLMINF_E_UNSUPPORTED, "pre_tokenizer behavior"},
    {{.pre = "{\"type\": \"Metaspace\", \"replacement\": \"_\"}"},
     LLMINF_E_UNSUPPORTED,
     "pre_tokenizer Metaspace: replacement"},
    {{.pre = BYTE_LEVEL, .decoder = "{\"type\": \"CTC\"}"}, LLMINF_E_UNSUPPORTED, "decoder"},
    {{.pre = BYTE_LEVEL,
      .decoder = "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": \"ByteFallback\"}]}"},
     LLMINF_E_UNSUPPORTED,
     "decoder"},
    {{.pre = BYTE_LEVEL, .post = "{\"type\": \"Odd\"}"}, LLMINF_E_UNSUPPORTED, "post_processor"},
    {{.pre = BYTE_LEVEL, .post = "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"none\"}}]}"},
     LLMINF_E_FORMAT,
     "post_processor"},
    {{.pre = BYTE_LEVEL, .post = "{\"type\": \"BertProcessing\"}"}, LLMINF_E_FORMAT, "post_processor"},
    {{.pre = BYTE_LEVEL, .config = "{"}, LLMINF_E_FORMAT, "tokenizer_config.json"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        int32_t status = open_parts(&r->parts);
        if (status != r->status || strcmp(t.error.subject, r->subject) != 0)
            print_message("row %zu: status %d, %s\n", i, status, status ? t.error.text : "");
        assert_int_equal(status, r->status);
        assert_string_equal(t.error.subject, r->subject);
        close_text();
    }
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    assert_int_equal(lli_hf_read(&t.vocab, &t.heap, (struct lli_text){"[]", 2}, (struct lli_text){NULL, 0}, NULL, &t.error),
                     LLMINF_E_FORMAT);
    close_text();
}

/* A file of every kind, cut at each byte: refused, and nothing is left. */
static void test_cut_files(void **state)
{
    (void)state;
    open_good((struct parts){.model = UNIGRAM,
                             .normalizer = "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}]}",
                             .pre = "{\"type\": \"WhitespaceSplit\"}"});
    close_text();
    for (size_t n = strlen(text_of_file); n-- > 0;) {
        char *copy = malloc(n + 1);
        memcpy(copy, text_of_file, n);
        lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
        assert_int_equal(lli_hf_read(&t.vocab, &t.heap, (struct lli_text){copy, n}, (struct lli_text){NULL, 0}, NULL, &t.error),
                         LLMINF_E_FORMAT);
        free(copy);
        close_text();
    }
}

static void test_no_memory(void **state)
{
    static const struct parts all[] = {
        {.pre = BYTE_LEVEL,
         .decoder = BYTE_LEVEL,
         .normalizer = "{\"type\": \"StripAccents\"}",
         .added = "[{\"id\": 300, \"content\": \"<l>\", \"special\": true, \"single_word\": true}, "
                  "{\"id\": 301, \"content\": \"<n>\", \"special\": false, \"normalized\": true}]",
         .config = "{\"bos_token\": \"<l>\"}"},
        {.model = UNIGRAM, .pre = "{\"type\": \"Metaspace\", \"replacement\": \"" SPACE "\"}"},
        {.model = WORDS, .decoder = "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}"},
    };
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        open_good(all[k]); /* writes the file */
        close_text();
        int32_t status = LLMINF_E_MEMORY;
        for (int64_t n = 1; status; n++) {
            memset(&t, 0, sizeof t);
            lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
            support_heap_arm(&t.host, n, 1);
            status = lli_hf_read(&t.vocab, &t.heap, (struct lli_text){text_of_file, strlen(text_of_file)},
                                 (struct lli_text){all[k].config, all[k].config ? strlen(all[k].config) : 0}, NULL, &t.error);
            assert_true(status == 0 || status == LLMINF_E_MEMORY);
            close_text();
        }
    }
}

/* The kinds of models with what may stand before them: long texts do not take long. */
static void test_long_texts(void **state)
{
    static const char map[] =
        "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Nmt\"}, {\"type\": \"NFKC\"}, {\"type\": "
        "\"Lowercase\"}, {\"type\": \"StripAccents\"}, {\"type\": \"Replace\", \"pattern\": {\"Regex\": "
        "\" {2,}\"}, \"content\": \" \"}]}";
    static const char added[] =
        "[{\"id\": 300, \"content\": \"a a\", \"special\": false, \"single_word\": true}, {\"id\": 301, "
        "\"content\": \" \", \"special\": false, \"single_word\": true, \"lstrip\": true, \"rstrip\": true}, "
        "{\"id\": 302, \"content\": \"AAAA\", \"special\": false, \"normalized\": true, \"single_word\": true}]";
    static const struct parts all[] = {
        {.pre = BYTE_LEVEL, .decoder = BYTE_LEVEL, .normalizer = "{\"type\": \"NFC\"}", .added = added},
        {.pre = "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"use_regex\": false}"},
        {.model = CHARACTERS, .normalizer = "{\"type\": \"Prepend\", \"prepend\": \"" SPACE "\"}"},
        {.model = UNIGRAM, .normalizer = map, .pre = "{\"type\": \"Metaspace\", \"replacement\": \"" SPACE "\"}"},
        {.model = WORDS, .normalizer = "{\"type\": \"BertNormalizer\"}", .pre = "{\"type\": \"BertPreTokenizer\"}"},
        {.model = "{\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}",
         .pre = "{\"type\": \"Whitespace\"}"},
        {.model = "{\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}", .normalizer = map},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        open_good(all[i]);
        assert_true(test_text_is_quick(&t.vocab));
        close_text();
    }
}

/* The folder of a trained model. */
static void test_story(void **state)
{
    static const char text[] = "Once upon a time, there was a little girl.";
    static const int32_t want[] = {1, 80, 147, 201, 282, 215, 286, 1890, 10};
    (void)state;
    char *path = support_shared_file("models/story-llama-hf/tokenizer.json");
    char *beside = support_shared_file("models/story-llama-hf/tokenizer_config.json");
    struct lli_text file, config;
    if (!path || !beside)
        skip();
    file.bytes = (char *)support_read(path, &file.len);
    config.bytes = (char *)support_read(beside, &config.len);
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    assert_int_equal(lli_hf_read(&t.vocab, &t.heap, file, config, NULL, &t.error), 0);
    assert_int_equal(t.vocab.bos, 1);
    assert_int_equal(t.vocab.eos, 2);
    assert_true(t.vocab.is_eog[2]);
    struct lli_buffer ids;
    lli_buffer_init(&ids, &t.heap);
    assert_int_equal(lli_encode(&ids, &t.vocab, text, strlen(text), LLI_TEXT_BOUNDS, &t.error), 0);
    assert_int_equal(ids.len, sizeof want);
    assert_memory_equal(ids.bytes, want, sizeof want);
    lli_buffer_finish(&ids);
    assert_string_equal(back_of(text, LLI_TEXT_SPECIAL), text);
    close_text();
    free((void *)(uintptr_t)file.bytes);
    free((void *)(uintptr_t)config.bytes);
    free(path);
    free(beside);
}

/* Ids that the model's own files say end a generation; those without a token never occur. */
static void test_ends(void **state)
{
    static const char tokenizer[] = "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": "
                                    "{\"a\": 0, \"b\": 1, \"c\": 2}}, \"pre_tokenizer\": {\"type\": \"Whitespace\"}}";
    const int32_t ids[] = {2, 7, -1, 1, 2000000};
    struct lli_gguf_entry ends = {.key = "ends", .kind = LLI_GGUF_I32, .is_array = 1, .n = 5, .values = (const uint8_t *)ids};
    struct lli_hf_more more = {.n_least = 9, .ends = &ends};
    const struct lli_text file = {tokenizer, sizeof tokenizer - 1}, none = {NULL, 0};
    (void)state;
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    assert_int_equal(lli_hf_read(&t.vocab, &t.heap, file, none, &more, &t.error), 0);
    assert_int_equal(t.vocab.n, 9);
    assert_int_equal(t.vocab.eos, 2);
    for (uint32_t id = 0; id < 9; id++)
        assert_int_equal(t.vocab.is_eog[id], id == 1 || id == 2);
    close_text();
    ends.kind = LLI_GGUF_F32;
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    assert_int_equal(lli_hf_read(&t.vocab, &t.heap, file, none, &more, &t.error), LLMINF_E_FORMAT);
    assert_string_equal(t.error.subject, "ends");
    assert_int_equal(t.host.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_level), cmocka_unit_test(test_characters),     cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_wordpiece),  cmocka_unit_test(test_pre_tokenizers), cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_refusals),       cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_ends),       cmocka_unit_test(test_wordlevel),      cmocka_unit_test(test_normalized_tokens),
        cmocka_unit_test(test_cut_files),  cmocka_unit_test(test_no_memory),      cmocka_unit_test(test_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
