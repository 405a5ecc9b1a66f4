#!/usr/bin/env python3
"""Writes the tables of text/unicode.c from Python's unicodedata, of the version named below.

usage: make_unicode.py           writes unicode_canonical.c, unicode_compatible.c and unicode_marks.c beside itself
       make_unicode.py --check   ends with 0 if they are as they would be written, 77 (skipped) with data of another version
"""
import pathlib
import sys
import unicodedata

VERSION = "14.0.0"
HEAD = """/* text/{name}.c - {what}
 * Of Unicode {version}; written by make_unicode.py. */
#include "text/unicode.h"

"""
HANGUL = range(0xAC00, 0xD7A4)  # by arithmetic


def scalars():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def units(text):
    """UTF-16, so that one table of 16-bit numbers holds all."""
    data = text.encode("utf-16-le")
    return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]


def lines(items):
    out, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > 124:
            out.append("    " + line.rstrip())
            line = ""
        line += item + ", "
    return "\n".join(out + ["    " + line.rstrip()]) + "\n"


def array(kind, name, items):
    return f"const {kind} {name}[] = {{\n{lines(items)}}};\n\n"


def decompositions(name, rows):
    """rows: code -> text. Ranges of neighbours, where each text begins, and the texts."""
    ranges, starts, pool = [], [], []
    for code in sorted(rows):
        if ranges and ranges[-1][0] + ranges[-1][1] == code:
            ranges[-1][1] += 1
        else:
            ranges.append([code, 1, len(starts)])
        starts.append(len(pool))
        pool += units(rows[code])
    starts.append(len(pool))
    prefix = "lli_unicode_" + name
    return (array("struct lli_unicode_range", prefix + "_ranges", ("{0x%X, %d, %d}" % tuple(r) for r in ranges))
            + array("uint16_t", prefix + "_starts", map(str, starts))
            + array("uint16_t", prefix + "_units", map(str, pool))
            + f"const size_t {prefix}_n = sizeof {prefix}_ranges / sizeof *{prefix}_ranges;\n")


def classes():
    found = []
    for code in scalars():
        value = unicodedata.combining(chr(code))
        if not value:
            continue
        if found and found[-1][0] + found[-1][1] == code and found[-1][2] == value:
            found[-1][1] += 1
        else:
            found.append([code, 1, value])
    return found


def pairs():
    """(first, second, what they compose to), without what is excluded from composition."""
    found = []
    for code in scalars():
        text = unicodedata.decomposition(chr(code))
        if not text or text[0] == "<" or code in HANGUL:
            continue
        parts = [int(part, 16) for part in text.split()]
        if len(parts) == 2 and unicodedata.normalize("NFC", chr(parts[0]) + chr(parts[1])) == chr(code):
            found.append((parts[0], parts[1], code))
    return sorted(found)


def lower():
    """(first, n, step, difference): every step-th character of a range becomes the one so far off. One character each."""
    rows = [(c, ord(chr(c).lower()) - c) for c in scalars() if len(chr(c).lower()) == 1 and chr(c).lower() != chr(c)]
    found = []
    for code, difference in rows:
        last = found[-1] if found else None
        if last and last[3] == difference:
            gap = code - (last[0] + (last[1] - 1) * last[2])
            if gap <= 2 and (last[1] == 1 or gap == last[2]):
                last[1] += 1
                last[2] = gap
                continue
        found.append([code, 1, 1, difference])
    assert [c for c in scalars() if len(chr(c).lower()) > 1] == [0x130]  # unicode.c knows it
    return found


def tables():
    canonical = {c: unicodedata.normalize("NFD", chr(c)) for c in scalars() if c not in HANGUL}
    compatible = {c: unicodedata.normalize("NFKD", chr(c)) for c in canonical}
    compatible = {c: text for c, text in compatible.items() if text != canonical[c]}
    canonical = {c: text for c, text in canonical.items() if text != chr(c)}
    marks = (array("struct lli_unicode_range", "lli_unicode_classes", ("{0x%X, %d, %d}" % tuple(r) for r in classes()))
             + "const size_t lli_unicode_n_classes = sizeof lli_unicode_classes / sizeof *lli_unicode_classes;\n\n"
             + array("struct lli_unicode_pair", "lli_unicode_pairs", ("{0x%X, 0x%X, 0x%X}" % p for p in pairs()))
             + "const size_t lli_unicode_n_pairs = sizeof lli_unicode_pairs / sizeof *lli_unicode_pairs;\n\n"
             + array("struct lli_unicode_lower", "lli_unicode_lowers", ("{0x%X, %d, %d, %d}" % tuple(r) for r in lower()))
             + "const size_t lli_unicode_n_lowers = sizeof lli_unicode_lowers / sizeof *lli_unicode_lowers;\n")
    return {
        "unicode_canonical": ("canonical decompositions, whole.", decompositions("canonical", canonical)),
        "unicode_compatible": ("decompositions of compatibility, whole, where they are others.",
                               decompositions("compatible", compatible)),
        "unicode_marks": ("classes of combining characters, what composes, and small letters.", marks),
    }


def main():
    if unicodedata.unidata_version != VERSION:
        print(f"Unicode {unicodedata.unidata_version}, want {VERSION}")
        sys.exit(77)
    stale = []
    for name, (what, body) in tables().items():
        path = pathlib.Path(__file__).with_name(name + ".c")
        text = HEAD.format(name=name, what=what, version=VERSION) + body
        if sys.argv[1:] == ["--check"]:
            stale += [] if path.read_text() == text else [path.name]
        else:
            path.write_text(text)
    for name in stale:
        print(f"{name} is not what make_unicode.py writes")
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
