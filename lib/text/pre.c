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
/* Spaces by powers of two. A run of them holds a line end from where it begins on, or not at all: only there is it sought. */
#define JAIS2                                                                                                                  \
    ENDINGS "|" LETTERS "|\\p{N}{1,3}|" REST "|(?<![^" NOT_W "\\r\\n])" LINES "|" W "{512}(?!" NOT_W ")|" W "{256}(?!" NOT_W   \
            ")|" W "{128}(?!" NOT_W ")|" W "{64}(?!" NOT_W ")|" W "{32}(?!" NOT_W ")|" W "{16}(?!" NOT_W ")|" W "{8}(?!" NOT_W \
            ")|" W "{4}(?!" NOT_W ")|" W "{1,2}(?!" NOT_W ")|" W

/* A word ends where small letters are followed by a capital one. */
#define CAPITAL "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define SMALL "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define BY_CASE(ending)                                                                                                        \
    "[^\\r\\n\\p{L}\\p{N}]?[" CAPITAL "]*[" SMALL "]+" ending "|[^\\r\\n\\p{L}\\p{N}]?[" CAPITAL "]+[" SMALL "]*" ending
#define BY_CASE_REST(digits) "|" digits "| ?[^" W "\\p{L}\\p{N}]+[\\r\\n/]*|" LINES "|" SPACES
#define TEKKEN BY_CASE("") BY_CASE_REST("\\p{N}")
#define GPT4O BY_CASE("(?:" ENDINGS ")?") BY_CASE_REST("\\p{N}{1,3}")
#define YOUTU BY_CASE("(?:" ENDINGS ")?") BY_CASE_REST("\\p{N}")

/* The same letters but for those of Han, told by what they are not: one class takes no memory for each letter. */
#define NO_LETTER "\\p{N}\\p{P}\\p{S}\\p{Z}\\p{C}\\p{sc:Han}"
#define CAPITAL_NO_HAN "[^\\p{Ll}" NO_LETTER "]"
#define SMALL_NO_HAN "[^\\p{Lu}\\p{Lt}" NO_LETTER "]"
#define KIMI_K2                                                                                                                \
    "\\p{sc:Han}+|[^\\r\\n\\p{L}\\p{N}]?" CAPITAL_NO_HAN "*" SMALL_NO_HAN "+(?:" ENDINGS                                       \
    ")?|[^\\r\\n\\p{L}\\p{N}]?" CAPITAL_NO_HAN "+" SMALL_NO_HAN "*(?:" ENDINGS ")?|\\p{N}{1,3}|" REST "|" LINES "|" SPACES

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

/* Groups of three digits from the right, and what is left in front of them. Only where a run begins is all of it looked
 * through; each later group begins where one ended. */
#define BY_THREE(digit, run_end) "(?<!" digit ")" digit "{1,3}(?=(?:" digit "{3})*+" run_end ")|\\G(?<=" digit ")" digit "{3}"
#define TINY_AYA BY_THREE("\\p{Nd}", "(?![\\p{L}\\p{M}\\p{N}\\p{Pc}])")
#define AFMOE BY_THREE("\\p{N}", "(?!\\p{N})")
#define AFMOE_SCRIPTS                                                                                                          \
    "[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{F900}-\\x{FAFF}\\x{3040}-\\x{30FF}\\x{FF65}-\\x{FF9F}\\x{2F00}-\\x{2FDF}"      \
    "\\x{E40}-\\x{EFF}\\x{1780}-\\x{17FF}\\x{1000}-\\x{109F}\\x{AA60}-\\x{AA7F}\\x{A9E0}-\\x{A9FF}\\x{AC00}-\\x{D7AF}"         \
    "\\x{1100}-\\x{11FF}]+"

/* Words up to a space or a sentence's mark, in several scripts. */
#define BLOOM " ?[^(" W "|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+"

#define THREE_DIGITS "[0-9][0-9][0-9]"
#define LINE_OR_ENDS "[^\\n]+|[\\n]+"

const char lli_pre_gpt2[] = GPT2;

/* From one place where a number of whole groups of three digits follows up to the next such place: the groups begin where a
 * run has shed its one or two digits too many, or where the group before ended. Behind a group may stand what is no digit,
 * and the digits too many of the run that follows. */
#define GROUPS "(?=(?:\\p{Nd}{3})"
#define RUN_ENDS "(?!\\p{Nd}))"
const char lli_pre_thousands[] = "(?:(?<!\\p{Nd})\\p{Nd}{0,2}\\K" GROUPS "++" RUN_ENDS
                                 "|(?!\\A)\\G)\\p{Nd}{3}(?:\\P{Nd}++\\p{Nd}{0,2}" GROUPS "*+" RUN_ENDS ")*";

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
    {"tiny_aya cohere2moe", 0, {TINY_AYA, GPT4O}},
    {"tekken", BOS | WHOLE, {TEKKEN}},
    {"deepseek-llm",
     0,
     {"[\\r\\n]", W "?[" DEEPSEEK_LETTERS "]+", W "?" DEEPSEEK_MARKS, TRAILING_SPACES, DEEPSEEK_CJK, "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", W "?\\p{L}+", W "?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", 0, {"\\p{N}{1,3}", CJK, DEEPSEEK3("[\\r\\n]*", LINES)}},
    {"afmoe", 0, {AFMOE, AFMOE_SCRIPTS, DEEPSEEK3("[\\r\\n]*", LINES)}},
    {"superbpe", 0, {"\\p{N}+", lli_pre_thousands}},
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
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n"
     "]+|\\s+(?!\\S)|\\s+",
     SEED_CODER},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L"
     "}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     EXAONE_MOE},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*["
     "\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}"
     "(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}",
     JAIS2},
    {"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", NO_ENDINGS},
    {"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'"
     "m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'"
     "t|'re|'ve|'m|'ll|'d)?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     YOUTU},
    {"[\352\260\200-\355\236\243\343\204\261-\343\206\216]+|[\357\274\201\342\200\246\342\200\234\342\200\235\342"
     "\200\230\342\200\231\342\200\224\357\274\232\357\274\233\357\274\214\343\200\201-\343\200\277\357\270\260-"
     "\357\271\217]+|[\343\204\205-\343\204\257]+|[\344\270\200-\351\276\245\343\201\200-\343\202\237\343\202\240-"
     "\343\203\277]+",
     YOUTU_SCRIPTS},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}"
     "\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+",
     DEEPSEEK3("", "[\\r\\n]")},
    {"\\s?[A-Za-z\302\265\303\200-\303\226\303\230-\303\266\303\270-\306\272\306\274-\306\277\307\204-\312\223\312"
     "\225-\312\257\315\260-\315\263\315\266\315\267\315\273-\315\275\315\277\316\206\316\210-\316\212\316\214\316"
     "\216-\316\241\316\243-\317\265\317\267-\322\201\322\212-\324\257\324\261-\325\226\341\202\240-\341\203\205"
     "\341\216\240-\341\217\265\341\217\270-\341\217\275\341\262\220-\341\262\272\341\262\275-\341\262\277\341\264"
     "\200-\341\264\253\341\265\253-\341\265\267\341\265\271-\341\266\232\341\270\200-\341\274\225\341\274\230-"
     "\341\274\235\341\274\240-\341\275\205\341\275\210-\341\275\215\341\275\220-\341\275\227\341\275\231\341\275"
     "\233\341\275\235\341\275\237-\341\275\275\341\276\200-\341\276\264\341\276\266-\341\276\274\341\276\276\341"
     "\277\202-\341\277\204\341\277\206-\341\277\214\341\277\220-\341\277\223\341\277\226-\341\277\233\341\277\240"
     "-\341\277\254\341\277\262-\341\277\264\341\277\266-\341\277\274\342\204\202\342\204\207\342\204\212-\342\204"
     "\223\342\204\225\342\204\231-\342\204\235\342\204\244\342\204\246\342\204\250\342\204\252-\342\204\255\342"
     "\204\257-\342\204\264\342\204\271\342\204\274-\342\204\277\342\205\205-\342\205\211\342\205\216\342\206\203"
     "\342\206\204\342\260\200-\342\261\273\342\261\276-\342\263\244\342\263\253-\342\263\256\342\263\262\342\263"
     "\263\352\231\200-\352\231\255\352\232\200-\352\232\233\352\234\242-\352\235\257\352\235\261-\352\236\207\352"
     "\236\213-\352\236\216\352\255\260-\352\256\277\357\254\200-\357\254\206\357\254\223-\357\254\227\357\274\241"
     "-\357\274\272\357\275\201-\357\275\232\360\220\220\200-\360\220\221\217\360\220\222\260-\360\220\223\223\360"
     "\220\223\230-\360\220\223\273\360\220\262\200-\360\220\262\262\360\220\263\200-\360\220\263\262\360\221\242"
     "\240-\360\221\243\237\360\236\244\200-\360\236\245\203]+",
     W "?[" DEEPSEEK_LETTERS "]+"},
    {"\\s?[!-/:-~\357\274\201-\357\274\217\357\274\232-\357\275\236\342\200\230-\342\200\237\\u3000-\343\200\202]+",
     W "?" DEEPSEEK_MARKS},
    {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", GPT2},
    {"\\d{1,3}(?=(?:\\d{3})*\\b)", TINY_AYA},
    {"(?=(\\d{3})+(?!\\d))", lli_pre_thousands},
    {"[^\\n]+|[\\n]+", LINE_OR_ENDS},
    {"(?:\\r?\\n)+(?!\\r?\\n)", "(?:\\r?\\n)+"},
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
