/* text/hf_steps.c - a normalizer is a list of steps of text/normal, a pre-tokenizer a list of rules of text/split. A row for
 * each type that is known. */
#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"
#include "text/hf.h"
#include "text/pre.h"
#include "text/wordpiece.h"

#define NORMALIZER "normalizer"
#define PRE "pre_tokenizer"
#define MARK "\xE2\x96\x81" /* U+2581 */
#define MARK_LEN 3u
#define MAX_LITERAL 16u /* characters of a text that is cut at */

/* A word's characters as Rust's regex has them. */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"

struct type_row {
    const char *name;
    lli_hf_part_fn *read;
    uint8_t kind; /* enum lli_normal_kind of a step that has no settings */
};

static int same(struct lli_text a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.bytes, b, a.len) == 0;
}

/* ---- normalizers */

static int32_t add_step(struct lli_hf *hf, const struct lli_normal_step *step)
{
    int32_t status = lli_normal_add(&hf->v->normal, step, hf->err);
    if (status != LLMINF_OK)
        lli_split_free(step->drop);
    return status;
}

static int32_t fail_memory(const struct lli_hf *hf)
{
    return lli_fail_memory(hf->err, "tokenizer.json", sizeof(struct lli_normal_step));
}

static int32_t add_drop(struct lli_hf *hf, const char *pattern)
{
    struct lli_split_rule rule = {.pattern = pattern, .cut = LLI_CUT_AWAY};
    struct lli_normal_step step = {.kind = LLI_NORMAL_DROP};
    int32_t status = lli_split_new(&step.drop, hf->v->heap, &rule, 1, hf->err);
    return status == LLMINF_OK ? add_step(hf, &step) : status;
}

static int32_t read_strip_accents(struct lli_hf *hf, uint32_t part)
{
    (void)part;
    return add_drop(hf, "\\p{M}+");
}

static int32_t read_strip(struct lli_hf *hf, uint32_t part)
{
    int left = lli_hf_bool(hf, part, "strip_left", 1), right = lli_hf_bool(hf, part, "strip_right", 1);
    struct lli_normal_step step = {.kind = LLI_NORMAL_STRIP,
                                   .flags = (uint8_t)((left ? LLI_NORMAL_LEFT : 0) | (right ? LLI_NORMAL_RIGHT : 0))};
    return add_step(hf, &step);
}

static int32_t read_prepend(struct lli_hf *hf, uint32_t part)
{
    struct lli_normal_step step = {.kind = LLI_NORMAL_PREPEND, .with = lli_hf_keep(hf, lli_hf_text(hf, part, "prepend"))};
    return step.with.bytes ? add_step(hf, &step) : fail_memory(hf);
}

static int32_t read_replace(struct lli_hf *hf, uint32_t part)
{
    uint32_t pattern = lli_hf_member(hf, part, "pattern");
    struct lli_text what = lli_hf_text(hf, pattern, "String"), regex = lli_hf_text(hf, pattern, "Regex");
    struct lli_normal_step step = {.kind = LLI_NORMAL_REPLACE};
    if (what.len == 0 && same(regex, " {2,}"))
        step.kind = LLI_NORMAL_SQUEEZE;
    else if (what.len == 0 && regex.len)
        return lli_hf_unsupported(hf, "normalizer Replace: regex", regex, "a String, or the regex \" {2,}\"");
    else if (what.len == 0)
        return lli_fail(hf->err, LLMINF_E_FORMAT, NORMALIZER, "Replace has no pattern to replace");
    step.what = lli_hf_keep(hf, what);
    step.with = lli_hf_keep(hf, lli_hf_text(hf, part, "content"));
    return step.what.bytes && step.with.bytes ? add_step(hf, &step) : fail_memory(hf);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    return c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Writes the bytes that a text spells, at most 3 for 4 characters; -1 if it is no base64. */
static int64_t read_base64(uint8_t *out, struct lli_text text)
{
    uint32_t bits = 0;
    int n_bits = 0;
    int64_t n = 0;
    while (text.len && text.bytes[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.bytes[i]);
        if (digit < 0)
            return -1;
        bits = (bits << 6 | (uint32_t)digit) & 0xFFFFFF;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    return n;
}

static int32_t read_precompiled(struct lli_hf *hf, uint32_t part)
{
    static const char subject[] = "normalizer Precompiled";
    struct lli_text text = lli_hf_text(hf, part, "precompiled_charsmap");
    struct lli_normal_step step = {.kind = LLI_NORMAL_CHARSMAP};
    if (text.len == 0)
        return LLMINF_OK;
    uint8_t *bytes = lli_arena_take(&hf->v->arena, text.len, 1);
    if (!bytes)
        return lli_fail_memory(hf->err, subject, text.len);
    int64_t n = read_base64(bytes, text);
    if (n < 0)
        return lli_fail(hf->err, LLMINF_E_FORMAT, subject, "the map of characters is no base64");
    int32_t status = lli_charsmap_read(&step.map, hf->v->heap, bytes, (size_t)n, subject, hf->err);
    return status == LLMINF_OK ? add_step(hf, &step) : status;
}

static int32_t read_bert_normalizer(struct lli_hf *hf, uint32_t part)
{
    struct lli_bert_options options;
    options.lower = lli_hf_bool(hf, part, "lowercase", 1);
    options.clean_text = lli_hf_bool(hf, part, "clean_text", 1);
    options.strip_accents = lli_hf_bool(hf, part, "strip_accents", options.lower);
    hf->split_cjk = lli_hf_bool(hf, part, "handle_chinese_chars", 1);
    return lli_wordpiece_add_normal(hf->v, &options, hf->err);
}

static const struct type_row normalizers[] = {
    {"NFC", NULL, LLI_NORMAL_NFC},   {"NFD", NULL, LLI_NORMAL_NFD},           {"NFKC", NULL, LLI_NORMAL_NFKC},
    {"NFKD", NULL, LLI_NORMAL_NFKD}, {"Nmt", NULL, LLI_NORMAL_NMT},           {"Lowercase", NULL, LLI_NORMAL_LOWER},
    {"Strip", read_strip, 0},        {"StripAccents", read_strip_accents, 0}, {"Prepend", read_prepend, 0},
    {"Replace", read_replace, 0},    {"Precompiled", read_precompiled, 0},    {"BertNormalizer", read_bert_normalizer, 0},
};

static int32_t read_normalizer(struct lli_hf *hf, uint32_t part)
{
    struct lli_text type = lli_hf_text(hf, part, "type");
    for (size_t i = 0; i < sizeof normalizers / sizeof *normalizers; i++) {
        if (!same(type, normalizers[i].name))
            continue;
        struct lli_normal_step step = {.kind = normalizers[i].kind};
        return normalizers[i].read ? normalizers[i].read(hf, part) : add_step(hf, &step);
    }
    return lli_hf_unsupported(hf, NORMALIZER, type,
                              "NFC, NFD, NFKC, NFKD, Nmt, Lowercase, Strip, StripAccents, Prepend, Replace, Precompiled, "
                              "BertNormalizer or Sequence");
}

int32_t lli_hf_read_normalizer(struct lli_hf *hf)
{
    return lli_hf_each(hf, lli_hf_member(hf, 0, NORMALIZER), "normalizers", NORMALIZER, read_normalizer);
}

/* ---- pre-tokenizers */

static int32_t add_rule(struct lli_hf *hf, struct lli_split_rule rule)
{
    if (hf->n_rules == LLI_MAX_RULES)
        return lli_fail(hf->err, LLMINF_E_LIMIT, PRE, "more than %u rules", LLI_MAX_RULES);
    hf->rules[hf->n_rules++] = rule;
    return LLMINF_OK;
}

static int32_t read_behavior(uint8_t *out, struct lli_hf *hf, uint32_t part, int otherwise)
{
    static const struct {
        const char *name;
        uint8_t cut;
    } rows[] = {{"Isolated", LLI_CUT_APART},
                {"Removed", LLI_CUT_AWAY},
                {"MergedWithPrevious", LLI_CUT_WITH_PREVIOUS},
                {"MergedWithNext", LLI_CUT_WITH_NEXT},
                {"Contiguous", LLI_CUT_TOGETHER}};
    struct lli_text name = lli_hf_text(hf, part, "behavior");
    *out = (uint8_t)otherwise;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (same(name, rows[i].name)) {
            *out = rows[i].cut;
            return LLMINF_OK;
        }
    }
    return name.len == 0 ? LLMINF_OK
                         : lli_hf_unsupported(hf, "pre_tokenizer behavior", name,
                                              "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

static int32_t read_byte_level(struct lli_hf *hf, uint32_t part)
{
    int32_t status = LLMINF_OK;
    hf->byte_level = 1;
    if (lli_hf_bool(hf, part, "add_prefix_space", 1))
        status = add_rule(hf, (struct lli_split_rule){.write = LLI_WRITE_SPACE});
    if (status == LLMINF_OK && lli_hf_bool(hf, part, "use_regex", 1))
        status = add_rule(hf, (struct lli_split_rule){.pattern = lli_pre_gpt2, .cut = LLI_CUT_APART});
    return status;
}

/* A pattern for a text, each character by its code; NULL without memory or for a long one. */
static const char *spell_literal(struct lli_hf *hf, struct lli_text text)
{
    char *out = lli_arena_take(&hf->v->arena, MAX_LITERAL + 1, sizeof "\\x{10FFFF}");
    size_t n = 0, len = 0, cap = (MAX_LITERAL + 1) * sizeof "\\x{10FFFF}";
    for (size_t at = 0; out && at < text.len; n++) {
        uint32_t code;
        if (n == MAX_LITERAL)
            return NULL;
        at += lli_utf8_read(&code, text.bytes + at, text.len - at);
        len += lli_format(out + len, cap - len, "\\x{%x}", code);
    }
    return out;
}

static int32_t add_literal(struct lli_hf *hf, struct lli_text text, struct lli_split_rule rule)
{
    rule.pattern = text.len ? spell_literal(hf, text) : NULL;
    if (!rule.pattern)
        return lli_fail(hf->err, LLMINF_E_LIMIT, PRE, "a text of %zu bytes to split at, want 1 to %u characters", text.len,
                        MAX_LITERAL);
    return add_rule(hf, rule);
}

static int32_t read_split(struct lli_hf *hf, uint32_t part)
{
    uint32_t pattern = lli_hf_member(hf, part, "pattern");
    struct lli_text regex = lli_hf_text(hf, pattern, "Regex");
    struct lli_split_rule rule = {.inverted = (uint8_t)lli_hf_bool(hf, part, "invert", 0)};
    int32_t status = read_behavior(&rule.cut, hf, part, LLI_CUT_APART);
    if (status != LLMINF_OK)
        return status;
    if (regex.len == 0)
        return add_literal(hf, lli_hf_text(hf, pattern, "String"), rule);
    rule.pattern = lli_pre_pattern(regex);
    if (rule.pattern == lli_pre_thousands && rule.inverted)
        return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, PRE, "Split, inverted, at a regex that matches between characters");
    if (rule.pattern == lli_pre_thousands)
        rule.cut = LLI_CUT_APART; /* nothing is matched that could go elsewhere */
    return rule.pattern ? add_rule(hf, rule)
                        : lli_hf_unsupported(hf, "pre_tokenizer Split: regex", regex, "one of those in docs/tokenizers.md");
}

static int32_t read_delimiter(struct lli_hf *hf, uint32_t part)
{
    return add_literal(hf, lli_hf_text(hf, part, "delimiter"), (struct lli_split_rule){.cut = LLI_CUT_AWAY});
}

/* Older files have add_prefix_space instead of prepend_scheme. */
static int32_t read_metaspace(struct lli_hf *hf, uint32_t part)
{
    struct lli_split_rule rule = {.cut = LLI_CUT_WITH_NEXT};
    int prefix = lli_hf_bool(hf, part, "add_prefix_space", 1);
    struct lli_text scheme = lli_hf_text(hf, part, "prepend_scheme");
    if (!same(lli_hf_text(hf, part, "replacement"), MARK))
        return lli_hf_unsupported(hf, "pre_tokenizer Metaspace: replacement", lli_hf_text(hf, part, "replacement"), "U+2581");
    if (scheme.len ? same(scheme, "never") : !prefix)
        rule.write = LLI_WRITE_MARKS;
    else if (same(scheme, "first"))
        rule.write = LLI_WRITE_MARK_FIRST;
    else if (scheme.len == 0 || same(scheme, "always"))
        rule.write = LLI_WRITE_MARK_ALWAYS;
    else
        return lli_hf_unsupported(hf, "pre_tokenizer Metaspace: prepend_scheme", scheme, "always, first or never");
    if (lli_hf_bool(hf, part, "split", 1))
        return add_literal(hf, (struct lli_text){MARK, MARK_LEN}, rule);
    return add_rule(hf, rule);
}

static int32_t read_digits(struct lli_hf *hf, uint32_t part)
{
    int each = lli_hf_bool(hf, part, "individual_digits", 0);
    return add_rule(hf, (struct lli_split_rule){.pattern = "\\p{N}", .cut = each ? LLI_CUT_APART : LLI_CUT_TOGETHER});
}

static int32_t read_punctuation(struct lli_hf *hf, uint32_t part)
{
    struct lli_split_rule rule = lli_wordpiece_rules[1];
    int32_t status = read_behavior(&rule.cut, hf, part, LLI_CUT_APART);
    return status == LLMINF_OK ? add_rule(hf, rule) : status;
}

static int32_t read_whitespace(struct lli_hf *hf, uint32_t part)
{
    (void)part;
    return add_rule(
        hf, (struct lli_split_rule){.pattern = "[" WORD "]+|[^\\p{wspace}" WORD "]+", .cut = LLI_CUT_AWAY, .inverted = 1});
}

static int32_t read_whitespace_split(struct lli_hf *hf, uint32_t part)
{
    (void)part;
    return add_rule(hf, lli_wordpiece_rules[0]);
}

static int32_t read_bert_pre_tokenizer(struct lli_hf *hf, uint32_t part)
{
    (void)part;
    int32_t status = LLMINF_OK;
    for (size_t i = 0; i < (hf->split_cjk ? 3u : 2u) && status == LLMINF_OK; i++)
        status = add_rule(hf, lli_wordpiece_rules[i]);
    hf->split_cjk = 0;
    return status;
}

static const struct type_row pre_tokenizers[] = {
    {"ByteLevel", read_byte_level, 0},
    {"Split", read_split, 0},
    {"Metaspace", read_metaspace, 0},
    {"Digits", read_digits, 0},
    {"Punctuation", read_punctuation, 0},
    {"Whitespace", read_whitespace, 0},
    {"WhitespaceSplit", read_whitespace_split, 0},
    {"CharDelimiterSplit", read_delimiter, 0},
    {"BertPreTokenizer", read_bert_pre_tokenizer, 0},
};

static int32_t read_pre_tokenizer(struct lli_hf *hf, uint32_t part)
{
    struct lli_text type = lli_hf_text(hf, part, "type");
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof *pre_tokenizers; i++) {
        if (same(type, pre_tokenizers[i].name))
            return pre_tokenizers[i].read(hf, part);
    }
    return lli_hf_unsupported(hf, PRE, type,
                              "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, "
                              "CharDelimiterSplit, BertPreTokenizer or Sequence");
}

int32_t lli_hf_read_pre_tokenizer(struct lli_hf *hf)
{
    int32_t status = lli_hf_each(hf, lli_hf_member(hf, 0, PRE), "pretokenizers", PRE, read_pre_tokenizer);
    if (status == LLMINF_OK && hf->split_cjk)
        return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, NORMALIZER,
                        "BertNormalizer with handle_chinese_chars, but no BertPreTokenizer behind it");
    if (status == LLMINF_OK && hf->n_rules > 0)
        status = lli_split_new(&hf->v->split, hf->v->heap, hf->rules, hf->n_rules, hf->err);
    return status;
}

/* One token, by a normaliser's work that is used again and again. */
static int32_t normalize_token(struct lli_text *out, struct lli_hf *hf, struct lli_normal_work *work, uint32_t id)
{
    struct lli_text text = hf->v->tokens[id];
    int32_t status = lli_normal_run(&text, work, &hf->v->normal, 1, hf->err);
    if (status != LLMINF_OK)
        return status;
    *out = lli_hf_keep(hf, text);
    return out->bytes ? LLMINF_OK : fail_memory(hf);
}

int32_t lli_hf_normalize_added(struct lli_hf *hf)
{
    struct lli_vocab *v = hf->v;
    struct lli_normal_work work;
    struct lli_text *texts = NULL;
    int32_t status = LLMINF_OK;
    lli_normal_work_init(&work, v->heap);
    for (uint32_t id = 0; v->edges && id < v->n && status == LLMINF_OK; id++) {
        if (!(v->edges[id] & LLI_EDGE_NORMALIZED))
            continue;
        if (!texts && !(texts = lli_arena_take(&v->arena, v->n, sizeof *texts)))
            status = fail_memory(hf);
        else
            status = normalize_token(&texts[id], hf, &work, id);
    }
    lli_normal_work_finish(&work);
    v->normalized = texts;
    return status;
}

int32_t lli_hf_read_words(struct lli_hf *hf)
{
    static const struct lli_split_rule rule = {.pattern = "[" WORD "]", .cut = LLI_CUT_AWAY};
    int any = 0, any_words = 0;
    for (uint32_t id = 0; id < hf->v->n; id++) {
        any |= hf->v->edges[id];
        any_words |= hf->v->edges[id] & LLI_EDGE_WORD;
    }
    if (!any)
        hf->v->edges = NULL;
    return any_words ? lli_split_new(&hf->v->word, hf->v->heap, &rule, 1, hf->err) : LLMINF_OK;
}
