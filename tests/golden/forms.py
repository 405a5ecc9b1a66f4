#!/usr/bin/env python3
"""Unicode's normal forms and small letters against Python's: each character alone, and random runs of characters with marks.

usage: forms.py TRY_TEXT      ends with 77 (skipped) where Python knows another version of Unicode
"""
import random
import subprocess
import sys
import unicodedata

VERSION = "14.0.0"
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]


def random_texts(n):
    rng = random.Random(9)
    marks = [c for c in range(0x300, 0x1F000) if unicodedata.combining(chr(c))]
    changed = [c for c in range(0xA0, 0x30000) if unicodedata.decomposition(chr(c))]
    hangul = [*range(0x1100, 0x1200), *range(0xAC00, 0xAD00)]
    for _ in range(n):
        pools = [rng.choice([marks, changed, hangul, range(0x61, 0x7B), range(0x20, 0x370)]) for _ in range(rng.randrange(1, 20))]
        yield "".join(chr(rng.choice(pool)) for pool in pools)


def main():
    if unicodedata.unidata_version != VERSION:
        print(f"Unicode {unicodedata.unidata_version}, want {VERSION}")
        sys.exit(77)
    texts = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000] + list(random_texts(20000))
    data = b"".join(text.encode() + b"\0" for text in texts)
    n_bad = 0
    for form in FORMS + ["lower"]:
        out = subprocess.run([sys.argv[1], "form", form], input=data, check=True, capture_output=True).stdout
        for text, got in zip(texts, out.decode().split("\0"), strict=False):
            want = unicodedata.normalize(form, text) if form != "lower" else "".join(c.lower() for c in text)
            if got != want:
                n_bad += 1
                if n_bad < 10:
                    print(f"{form}: {ascii(text)}: {ascii(got)}, want {ascii(want)}")
    print(f"{len(texts)} texts in {len(FORMS) + 1} forms, {n_bad} differ")
    sys.exit(1 if n_bad else 0)


if __name__ == "__main__":
    main()
