"""Train and apply the demo model's tokenizer: byte-pair pieces with byte fallback.

The vocabulary is <unk>, <s>, </s>, the 256 byte tokens, the merged pieces in the order
in which they were learned, and the single characters. A piece holds letters only or
punctuation only, may begin with U+2581 (which stands for a space) and never holds one
elsewhere; digits stay single. Scores fall with the rank, so that joining the adjacent
pair whose merged piece scores best, leftmost first, gives the encoding.

    python3 tokenizer.py --corpus corpus.txt --size 2048 --out tokenizer.json
"""

import argparse
import collections
import json
import re

SPACE = "\u2581"
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
BOS, EOS = 1, 2
FIRST_BYTE, FIRST_PIECE = 3, 259
CHARACTERS = [SPACE] + [chr(c) for c in range(33, 127)]
CHUNK = re.compile(SPACE + r"?[A-Za-z]+|[0-9]|" + SPACE + r"?[!-/:-@\[-`{-~]+|" + SPACE + r"|[^ ]")


def marked(text):
    """Return the text with one space put in front and every space marked."""
    return (" " + text).replace(" ", SPACE)


def documents(path):
    """Yield the documents of a corpus file."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n").replace("\\n", "\n")


def learn(counts, merges):
    """Return the pieces that the given number of byte-pair merges makes."""
    words = [(list(chunk), count) for chunk, count in sorted(counts.items())]
    pieces = {}
    while len(pieces) < merges:
        pairs = collections.Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        if not pairs:
            raise SystemExit("the corpus has too few words for this vocabulary")
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        pieces["".join(best)] = None
        for symbols, _ in words:
            join(symbols, best)
    return list(pieces)


def join(symbols, pair):
    """Join every occurrence of the pair in the list of symbols, from the left."""
    at = 0
    while at + 1 < len(symbols):
        if symbols[at] == pair[0] and symbols[at + 1] == pair[1]:
            symbols[at:at + 2] = ["".join(pair)]
        at += 1


def build(corpus, size):
    """Return the vocabulary learned from a corpus file, as tokens, scores and types."""
    counts = collections.Counter()
    for text in documents(corpus):
        counts.update(CHUNK.findall(marked(text)))
    counts = {c: n for c, n in counts.items() if all(x in CHARACTERS for x in c)}
    pieces = learn(counts, size - FIRST_PIECE - len(CHARACTERS)) + CHARACTERS
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + pieces
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(pieces)
    scores = [0.0] * FIRST_PIECE + [-float(rank) for rank in range(len(pieces))]
    return {"tokens": tokens, "scores": scores, "types": types}


class Tokenizer:
    """Turns text into tokens and back, given a vocabulary as build() returns it."""

    def __init__(self, vocabulary):
        self.tokens = vocabulary["tokens"]
        self.types = vocabulary["types"]
        self.scores = vocabulary["scores"]
        self.ids = {t: i for i, t in enumerate(self.tokens) if self.types[i] == NORMAL}
        self.known = {}

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def encode(self, text):
        """Return the text's tokens, without a token for its beginning."""
        out = []
        for chunk in CHUNK.findall(marked(text)):
            if chunk not in self.known:
                self.known[chunk] = self.encode_marked(chunk)
            out += self.known[chunk]
        return out

    def encode_marked(self, text):
        """Encode without cutting the text into chunks first."""
        symbols = list(text)
        while True:
            best, at = None, None
            for i in range(len(symbols) - 1):
                token = self.ids.get(symbols[i] + symbols[i + 1])
                if token is not None and (best is None or self.scores[token] > best):
                    best, at = self.scores[token], i
            if at is None:
                break
            symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
        out = []
        for symbol in symbols:
            if symbol in self.ids:
                out.append(self.ids[symbol])
            else:
                out += [FIRST_BYTE + byte for byte in symbol.encode("utf-8")]
        return out

    def decode(self, tokens):
        """Return the text of the tokens, without the space put in front of it."""
        raw = b""
        for token in tokens:
            if self.types[token] == BYTE:
                raw += bytes([token - FIRST_BYTE])
            elif self.types[token] == NORMAL:
                raw += self.tokens[token].replace(SPACE, " ").encode("utf-8")
        return raw.decode("utf-8", "replace").removeprefix(" ")


def main():
    parser = argparse.ArgumentParser(description="train the demo model's tokenizer")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    vocabulary = build(args.corpus, args.size)
    tokenizer = Tokenizer(vocabulary)
    total = 0
    for number, text in enumerate(documents(args.corpus)):
        tokens = tokenizer.encode(text)
        total += len(tokens)
        if number < 200:
            assert tokenizer.decode(tokens) == text
            assert tokenizer.encode_marked(marked(text)) == tokens
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(vocabulary, out)
    print(f"{len(vocabulary['tokens'])} tokens in the vocabulary, {total} in the corpus")


if __name__ == "__main__":
    main()
