#!/usr/bin/env python3
"""Pre-tokenizers against the models' own regexes, as their tokenizer.json spells them, run by Python's `regex`.

usage: splits.py TRY_TEXT            random texts of many scripts; ends with 77 (skipped) without the module regex
       splits.py TRY_TEXT --write    writes tests/unit/pre_cases.h: what regex makes of some of them
"""
import pathlib
import random
import subprocess
import sys
import unicodedata

try:
    import regex
except ImportError:
    print("no module regex (Debian: python3-regex)")
    sys.exit(77)

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"


def with_digits(digits, endings=ENDINGS + "|"):
    return endings + r"[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + REST + TAIL


UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def by_case(ending, digits, upper=UPPER, lower=LOWER):
    word = r"[^\r\n\p{L}\p{N}]?"
    return (word + upper + "*" + lower + "+" + ending + "|" + word + upper + "+" + lower + "*" + ending + "|" + digits
            + r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)


def no_han(of):
    return "[" + of + r"&&[^\p{Script=Han}]]"


CJK = "[一-龥\u3040-ゟ゠-ヿ]+"
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"| ?[\p{P}\p{S}]+[\r\n]*" + TAIL)
SPARK = DEEPSEEK3.replace(r"[\p{P}\p{S}]+[\r\n]*", r"[\p{P}\p{S}]+").replace(r"\s*[\r\n]+", r"[\r\n]")
# Code points, since some look like others.
DEEPSEEK_LETTERS = "".join("-".join(chr(int(end, 16)) for end in part.split("-")) for part in """
    41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1
    3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A
    1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4
    1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128
    212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D
    A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F
    104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
    """.split())
DEEPSEEK_CJK = "[一-龥\u0800-一가-\uD7FF]+"
PUNCTUATION = r"[\p{P}\$\+<=>\^~\|`]+"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"

CASCADE = "".join(r"|\s{%d}(?!\S)" % 2 ** k for k in range(9, 1, -1))

# What Oniguruma's \b is behind a digit: its words have all numbers in them.
RUN_ENDS = r"(?![\p{L}\p{M}\p{N}\p{Pc}])"

RULES = {
    "llama-bpe": [with_digits(r"\p{N}{1,3}")],
    "qwen2": [with_digits(r"\p{N}")],
    "qwen35": [ENDINGS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL],
    "gpt-2": [GPT2],
    "gpt-4o": [by_case(ENDINGS + "?", r"\p{N}{1,3}")],
    "tekken": [by_case("", r"\p{N}")],
    "deepseek-llm": [r"[\r\n]", r"\s?[" + DEEPSEEK_LETTERS + "]+", r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$",
                     DEEPSEEK_CJK, r"\p{N}+"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_CJK, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", CJK, DEEPSEEK3],
    "falcon": [PUNCTUATION, GPT2, "[0-9][0-9][0-9]"],
    "smollm": [r"\p{N}", GPT2],
    "dbrx": [with_digits(r"\p{N}{1,3}")],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "jais-2": [with_digits(r"\p{N}{1,3}").replace(r"|\s+(?!\S)|\s+", CASCADE + r"|\s{1,2}(?!\S)|\s{1}")],
    "kimi-k2": [r"\p{Script=Han}+|" + by_case(ENDINGS + "?", r"\p{N}{1,3}", no_han(UPPER), no_han(LOWER))
                .replace("[\\r\\n/]*", "[\\r\\n]*")],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                   r"|\s+(?!\S)|\s+"],
    "seed-coder": [ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+" + TAIL],
    "exaone-moe": [ENDINGS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]"
                   r"|\s+(?!\S)|\s+"],
    "laguna": [r"[^\n]+|[\n]+", with_digits(r"\p{N}")],
    "minicpm5": [r"\p{N}{1,3}", with_digits(r"\p{N}+")],
    "youtu": ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + CJK, by_case(ENDINGS + "?", r"\p{N}")],
    "spark2_5": [r"\p{N}{1,3}", CJK, SPARK, r"\p{N}"],
    "ufakzeka": [with_digits(r"\p{N}", "")],
    "chameleon": ["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
                  r"[\p{P}!-/:-@\[-`{-~]", GPT2],
    "gemma4": [r"[^\n]+|[\n]+"],
    "tiny_aya": [r"\d{1,3}(?=(?:\d{3})*" + RUN_ENDS + ")", by_case(ENDINGS + "?", r"\p{N}{1,3}")],
    "afmoe": [r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", "[一-鿿㐀-䶿豈-\ufaff\u3040-ゟ゠-ヿ･-ﾟ⼀-\u2fdfเ-\u0e7f\u0e80-\u0effក-\u17ffက-႟ꩠ-ꩿꧠ-\ua9ff가-\ud7afᄀ-ᇿ]+",
              DEEPSEEK3],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "default": [PUNCTUATION.replace("`", ""), GPT2.replace(r"|\s+(?!\S)|\s+", r"|\s+(?!\S)"), r"\p{N}+", "[0-9][0-9][0-9]"],
}

# Regexes that a tokenizer.json may spell: those above but for what only GGUF files have, and some more.
ONLY_NAMED = ["kimi-k2", "chameleon", "default", "falcon", "afmoe", "tiny_aya", "minicpm5", "laguna"]
SPELLED = sorted({rule for name, rules in RULES.items() if name not in ONLY_NAMED for rule in rules} | {
    with_digits(r"\p{N}+"), r"\d{1,3}(?=(?:\d{3})*\b)", r"(?:\r?\n)+(?!\r?\n)", "[0-9][0-9][0-9]", r"\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"})

POOLS = [range(0x20, 0x7F), range(0x61, 0x7B), range(0x41, 0x5B), [0x20, 0x20, 9, 10, 13], range(0x30, 0x3A), range(0xA0, 0x250),
         range(0x370, 0x530), range(0x590, 0x700), range(0x900, 0xA00), range(0xE00, 0xE80), range(0x1E00, 0x2000),
         range(0x2000, 0x2070), range(0x300, 0x370), range(0x3000, 0x3100), range(0x4E00, 0x5200), range(0xAC00, 0xAC80),
         range(0xFF00, 0xFFF0), range(0x1F300, 0x1F700), range(0x10000, 0x20000), [0x27, 0x27, 0x73, 0x74, 0x53, 0x6C, 0x4C, 0x64],
         range(0x80, 0x3000), range(0x30, 0x33), range(0x30, 0x34), [0x31, 0xBD, 0x663, 0x966, 0x5F], [0x180E, 0x85, 0xA0, 0x3000, 0x200B, 0x2028]]
# Where the regex of a model means (?i:'s), a long s is an s too; here it is none.
SKIPPED = {0x17F, 0}


def known(code):
    """Not in the newest versions of Unicode, of which PCRE2 knows nothing."""
    category = unicodedata.category(chr(code))
    return code not in SKIPPED and category not in ("Cn", "Cs") and regex.match(r"\p{%s}" % category, chr(code))


def random_text(rng):
    out = []
    for _ in range(rng.randrange(1, 16)):
        pool = rng.choice(POOLS)
        codes = [rng.choice(pool) for _ in range(rng.choice([1, 1, 1, 2, 3, 6]))]
        out += [chr(code) for code in codes if known(code)]
    return "".join(out)


def cut(rules, text):
    pieces = [text]
    for rule in rules:
        after = []
        for piece in pieces:
            at = 0
            for match in regex.finditer(rule, piece, flags=regex.V1 if "&&" in rule else 0):
                after += [piece[at:match.start()], match.group()]
                at = match.end()
            after.append(piece[at:])
        pieces = [piece for piece in after if piece]
    return [len(piece.encode()) for piece in pieces]


def ours(try_text, mode, name, texts):
    data = b"".join(text.encode() + b"\0" for text in texts)
    out = subprocess.run([try_text, mode, name], input=data, check=True, capture_output=True).stdout.decode()
    return [[int(n) for n in line.split()] for line in out.split("\n")[:-1]]


def literal(text):
    """The bytes of a C string; octal, since an octal escape ends by itself."""
    units = [chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in text.encode()]
    return '"\n     "'.join("".join(units[i:i + 28]) for i in range(0, len(units), 28))


def write(rng):
    rows = []
    for name, rules in RULES.items():
        for text in ["I'M you're  a\r\n\n 1234567 x!?\n\n", "a¼ ½b ǅàB'S Ünï₂ 漢字かな٣٤ कि  \t", random_text(rng), random_text(rng)]:
            lengths = " ".join(map(str, cut(rules, text)))
            rows.append('    {"%s",\n     "%s",\n     "%s"},\n' % (name, literal(text), lengths))
    head = ("/* What Python's regex makes of texts by the regexes of models; written by tests/golden/splits.py. */\n"
            "static const struct {\n    const char *pre, *text, *lengths;\n} pre_cases[] = {\n")
    path = pathlib.Path(__file__).parent.parent / "unit" / "pre_cases.h"
    path.write_text(head + "".join(rows) + "};\n")


def main():
    rng = random.Random(3)
    if sys.argv[2:] == ["--write"]:
        write(rng)
        return
    n_texts, n_bad = int(sys.argv[2]) if len(sys.argv) > 2 else 300, 0
    cases = [("pieces", name, rules) for name, rules in RULES.items()]
    cases += [("regex", rule, [rule.replace(r"\b", RUN_ENDS)]) for rule in SPELLED]
    for mode, name, rules in cases:
        texts = [text for text in (random_text(rng) for _ in range(n_texts)) if text]
        for text, got in zip(texts, ours(sys.argv[1], mode, name, texts)):
            want = cut(rules, text)
            if got != want:
                n_bad += 1
                if n_bad < 10:
                    print(f"{name}: {ascii(text)}: {got}, want {want}")
    print(f"{len(RULES)} pre-tokenizers, {len(SPELLED)} regexes, {n_texts} texts each, {n_bad} differ")
    sys.exit(1 if n_bad else 0)


if __name__ == "__main__":
    main()
