/* text/pre.c - pre-tokenizers as rows. What differs between models is the list of patterns, whether BOS is added, and
 * whether a piece that is a token needs merges.
 *
 * The patterns are the models' own (tokenizer.json), with three habits. White space is \p{wspace}, since PCRE2's \s also
 * has U+180E. (?i:'s) is spelled out, since it would take U+017F for an s. A pattern that looks ahead to the end of a run
 * begins where the run does, so that the time stays linear. */
#include "text/pre.h"

#include <string.h>

#define W "\\p{wspace}"
#define NOT_W "\\P{wspace}"

/* Letters, digits and the rest, each with one space before it, as GPT-2 cuts them; of several spaces all but the last. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" W "\\p{L}\\p{N}]+|" W "+(?!" NOT_W ")"

/* What most later models share: endings in both cases, letters with one other character before them, digits, the rest
 * with the line ends behind it, spaces. */
#define ENDINGS "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define LINES W "*[\\r\\n]+"
#define SPACES W "+(?!" NOT_W ")|" W "+"
#define REST " ?[^" W "\\p{L}\\p{N}]+[\\r\\n]*"
#define WITH_DIGITS(digits) ENDINGS "|" LETTERS "|" digits "|" REST "|" LINES "|" SPACES

#define LLAMA3 WITH_DIGITS("\\p{N}{1,3}")
#define QWEN2 WITH_DIGITS("\\p{N}")
#define QWEN35 ENDINGS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^" W "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES "|" SPACES
#define NO_ENDINGS LETTERS "|\\p{N}|" REST "|" LINES "|" SPACES
#define ALL_DIGITS WITH_DIGITS("\\p{N}+")

/* A line end at a time, and endings by their letters. */
#define CL100K(digits) "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|" LETTERS "|" digits "|" REST "|" W "*[\\r\\n]|" SPACES
#define SEED_CODER ENDINGS "|" LETTERS "|\\p{N}| ?[^" W "\\p{L}\\p{N}\\r\\n]+|" LINES "|" SPACES
#define EXAONE_MOE                                                                                                             \
    ENDINGS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*+(?: \\p{L}\\p{M}*+)*+)++|\\p{N}| ?[^" W "\\p{L}\\p{N}]+[\\r\\n/]?|" W     \
            "*[\\r\\n]|" SPACES
#define JAIS2                                                                                                                  \
    ENDINGS "|" LETTERS "|\\p{N}{1,3}|" REST "|" LINES "|" W "{512}(?!" NOT_W ")|" W "{256}(?!" NOT_W ")|" W "{128}(?!" NOT_W  \
            ")|" W "{64}(?!" NOT_W ")|" W "{32}(?!" NOT_W ")|" W "{16}(?!" NOT_W ")|" W "{8}(?!" NOT_W ")|" W "{4}(?!" NOT_W   \
            ")|" W "{1,2}(?!" NOT_W ")|" W

/* A word ends where small letters are followed by a capital one. */
#define CAPITAL "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define SMALL "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define BY_CASE(ending)                                                                                                        \
    "[^\\r\\n\\p{L}\\p{N}]?[" CAPITAL "]*[" SMALL "]+" ending "|[^\\r\\n\\p{L}\\p{N}]?[" CAPITAL "]+[" SMALL "]*" ending
#define BY_CASE_REST(digits) "|" digits "| ?[^" W "\\p{L}\\p{N}]+[\\r\\n/]*|" LINES "|" SPACES
#define TEKKEN BY_CASE("") BY_CASE_REST("\\p{N}")
#define GPT4O BY_CASE("(?:" ENDINGS ")?") BY_CASE_REST("\\p{N}{1,3}")
#define YOUTU BY_CASE("(?:" ENDINGS ")?") BY_CASE_REST("\\p{N}")

#define NO_HAN(class) "(?:(?!\\p{sc:Han})[" class "])"
#define KIMI_K2                                                                                                                \
    "\\p{sc:Han}+|[^\\r\\n\\p{L}\\p{N}]?" NO_HAN(CAPITAL) "*" NO_HAN(SMALL) "+(?:" ENDINGS ")?|[^\\r\\n\\p{L}\\p{N}]?" NO_HAN( \
        CAPITAL) "+" NO_HAN(SMALL) "*(?:" ENDINGS ")?|\\p{N}{1,3}|" REST "|" LINES "|" SPACES

/* DeepSeek: letters with cases, punctuation and CJK by their code points. */
#define DEEPSEEK_LETTERS                                                                                                       \
    "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}"           \
    "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}"             \
    "\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}"               \
    "\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}"                          \
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}"                          \
    "\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}"         \
    "\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}"                          \
    "\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}"         \
    "\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}"         \
    "\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}"         \
    "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}"                          \
    "\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}"                        \
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}"                \
    "\\x{1E900}-\\x{1E943}"
#define DEEPSEEK_MARKS "[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+"
#define DEEPSEEK_CJK "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
#define CJK "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define DEEPSEEK3(line_ends, lines)                                                                                            \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}"              \
    "\\p{S}]+" line_ends "|" lines "|" SPACES
#define TRAILING_SPACES "(?<!" W ")" W "+\\z"
#define YOUTU_SCRIPTS                                                                                                          \
    "[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|[\\x{FF01}\\x{2026}\\x{201C}\\x{201D}\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}"      \
    "\\x{FF1B}\\x{FF0C}\\x{3001}-\\x{303F}\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|" CJK

/* Words up to a space or a sentence's mark, in several scripts. */
#define BLOOM " ?[^(" W "|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+"

#define THREE_DIGITS "[0-9][0-9][0-9]"
#define LINE_OR_ENDS "[^\\n]+|[\\n]+"

const char lli_pre_gpt2[] = GPT2;

enum { BOS = LLI_PRE_BOS, WHOLE = LLI_PRE_WHOLE, CHARACTERS = LLI_PRE_CHARACTERS };

static const struct lli_pre known[] = {
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", BOS | WHOLE, {LLAMA3}},
    {"qwen2 deepseek-r1-qwen stablelm2 megrez hunyuan solar-open grok-2 kormo f2llmv2", 0, {QWEN2}},
    {"qwen35", 0, {QWEN35}},
    {"gpt-2 phi-2 olmo mpt jais gigachat a.x-4.0 mellum modern-bert exaone4 trillion granite-docling roberta-bpe jina-es "
     "jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code",
     0,
     {GPT2}},
    {"gpt-4o llama4 kanana2 minimax-m2 talkie", 0, {GPT4O}},
    {"tekken", BOS | WHOLE, {TEKKEN}},
    {"deepseek-llm",
     0,
     {"[\\r\\n]", W "?[" DEEPSEEK_LETTERS "]+", W "?" DEEPSEEK_MARKS, TRAILING_SPACES, DEEPSEEK_CJK, "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", W "?\\p{L}+", W "?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", 0, {"\\p{N}{1,3}", CJK, DEEPSEEK3("[\\r\\n]*", LINES)}},
    {"falcon", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, THREE_DIGITS}},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", 0, {"\\p{N}", GPT2}},
    {"dbrx smaug-bpe glm4 chatglm-bpe", 0, {LLAMA3}},
    {"gemma4 granite-embed-multi-311m sarvam-moe", CHARACTERS, {LINE_OR_ENDS}},
    {"bloom poro-chat gpt3-finnish", 0, {BLOOM}},
    {"viking", 0, {BLOOM, "\\p{N}"}},
    {"jais-2", 0, {JAIS2}},
    {"kimi-k2", 0, {KIMI_K2}},
    {"bailingmoe bailingmoe2 llada-moe", 0, {CL100K("\\p{N}")}},
    {"seed-coder", 0, {SEED_CODER}},
    {"exaone-moe", 0, {EXAONE_MOE}},
    {"laguna", 0, {LINE_OR_ENDS, QWEN2}},
    {"minicpm5", WHOLE, {"\\p{N}{1,3}", ALL_DIGITS}},
    {"youtu", WHOLE, {YOUTU_SCRIPTS, YOUTU}},
    {"spark2_5", 0, {"\\p{N}{1,3}", CJK, DEEPSEEK3("", "[\\r\\n]"), "\\p{N}"}},
    {"ufakzeka", 0, {NO_ENDINGS}},
    {"chameleon",
     BOS,
     {"<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", "[\\t\\n]|    |  ", "\\p{N}", "[\\p{P}!-/:-@\\[-`{-~]", GPT2}},
    {"default", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", THREE_DIGITS}},
};

/* Regexes as a tokenizer.json spells them, line ends as \r and \n. */
static const struct {
    const char *regex, *pattern;
} regexes[] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*["
     "\\r\\n]+|\\s+(?!\\S)|\\s+",
     LLAMA3},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n"
     "]+|\\s+(?!\\S)|\\s+",
     QWEN2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\"
     "n]+|\\s+(?!\\S)|\\s+",
     ALL_DIGITS},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n"
     "]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     QWEN35},
    {"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'"
     "m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'"
     "t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     GPT4O},
    {"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{"
     "N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/"
     "]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TEKKEN},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*"
     "[\\r\\n]|\\s+(?!\\S)|\\s+",
     ENDINGS "|" LETTERS "|\\p{N}{1,3}|" REST "|" W "*[\\r\\n]|" SPACES},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n"
     "]|\\s+(?!\\S)|\\s+",
     CL100K("\\p{N}{1,3}")},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s"
     "+(?!\\S)|\\s+",
     CL100K("\\p{N}")},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}"
     "\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     DEEPSEEK3("[\\r\\n]*", LINES)},
    {"[\344\270\200-\351\276\245\343\201\200-\343\202\237\343\202\240-\343\203\277]+", CJK},
    {"[\344\270\200-\351\276\245\340\240\200-\344\270\200\352\260\200-\355\237\277]+", DEEPSEEK_CJK},
    {"\\s?\\p{L}+", W "?\\p{L}+"},
    {"\\s?\\p{P}+", W "?\\p{P}+"},
    {"\\s+$", TRAILING_SPACES},
    {"[\\r\\n]", "[\\r\\n]"},
    {"\\p{N}{1,3}", "\\p{N}{1,3}"},
    {"\\p{N}+", "\\p{N}+"},
    {"\\p{N}", "\\p{N}"},
    {"[0-9][0-9][0-9]", THREE_DIGITS},
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", GPT2},
    {" ?[^(\\s|[.,!?\342\200\246\343\200\202\357\274\214\343\200\201\340\245\244\333\224\330\214])]+", BLOOM},
    {" ?[^(\\s|.,!?\342\200\246\343\200\202\357\274\214\343\200\201\340\245\244\333\224\330\214)]+", BLOOM},
    {"\\s+", W "+"},
};

/* Whether one of the names is the one that is sought. */
static int has_name(const char *names, struct lli_text name)
{
    while (*names) {
        size_t n = strcspn(names, " ");
        if (n == name.len && memcmp(names, name.bytes, n) == 0)
            return 1;
        names += n + (names[n] == ' ');
    }
    return 0;
}

const struct lli_pre *lli_pre_find(struct lli_text name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (has_name(known[i].names, name))
            return &known[i];
    }
    return NULL;
}

/* The first name of each row: the others are models that do the same. */
void lli_pre_names(char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strcspn(known[i].names, " ");
        if (len + n + sizeof ", ..." > cap)
            break;
        if (len) {
            memcpy(out + len, ", ", 2);
            len += 2;
        }
        memcpy(out + len, known[i].names, n);
        len += n;
    }
    out[len] = '\0';
}

int32_t lli_pre_compile(struct lli_split **out, struct lli_heap *heap, const struct lli_pre *pre, struct llminf_error *err)
{
    struct lli_split_rule rules[LLI_MAX_RULES];
    size_t n = 0;
    for (; n < LLI_MAX_RULES && pre->patterns[n]; n++)
        rules[n] = (struct lli_split_rule){.pattern = pre->patterns[n], .cut = LLI_CUT_APART};
    return lli_split_new(out, heap, rules, n, err);
}

/* Whether a regex is one of the table; a file may hold the line ends that the table escapes. */
static int is_regex(const char *known_as, struct lli_text regex)
{
    size_t at = 0;
    for (size_t i = 0; i < regex.len; i++) {
        char c = regex.bytes[i];
        if ((c == '\r' || c == '\n') && known_as[at++] != '\\')
            return 0;
        c = c == '\r' ? 'r' : c == '\n' ? 'n' : c;
        if (known_as[at] == '\0' || known_as[at++] != c)
            return 0;
    }
    return known_as[at] == '\0';
}

const char *lli_pre_pattern(struct lli_text regex)
{
    for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
        if (is_regex(regexes[i].regex, regex))
            return regexes[i].pattern;
    }
    return NULL;
}
