"""Byte-level BPE: trains the vocabulary, writes Hugging Face's tokenizer.json, encodes and decodes.

Text is cut at special tokens, then by the two regexes below (digits one at a time), then merged by
rank. The regexes are written with \\p classes for the file and translated for Python's `re` here.
Standard library only.
"""
import collections
import functools
import json
import re
import sys
import unicodedata

DIGIT = r"\p{N}"
WORD = (r" ?[\p{P}\p{S}]+[\r\n]*|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_letters():
    """GPT-2's printable stand-in for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in kept]
    table = {b: chr(b) for b in kept}
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return table


LETTERS = byte_letters()
BYTES = {letter: byte for byte, letter in LETTERS.items()}


@functools.lru_cache(None)
def python_pattern(pattern):
    """Compiles a pattern, spelling each \\p{X} as ranges of code points."""
    ranges = collections.defaultdict(list)
    for code in range(sys.maxunicode + 1):
        spans = ranges[unicodedata.category(chr(code))[0]]
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    def spelled(match):
        return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges[match[1]])
    if pattern == DIGIT:
        pattern = f"[{DIGIT}]"
    return re.compile(re.sub(r"\\p\{(.)\}", spelled, pattern))


def split(pattern, pieces):
    """Isolated split: matches and what lies between them are pieces of their own."""
    for piece in pieces:
        at = 0
        for match in python_pattern(pattern).finditer(piece):
            if match.start() > at:
                yield piece[at:match.start()]
            if match[0]:
                yield match[0]
            at = match.end()
        if at < len(piece):
            yield piece[at:]


def pretokenize(text):
    return split(WORD, split(DIGIT, [text]))


def letters(piece):
    return "".join(LETTERS[b] for b in piece.encode())


def train(texts, specials, size):
    """Vocabulary and merges of `size` entries in all, by counts of pairs; ties by text."""
    counts = collections.Counter(letters(p) for text in texts for p in pretokenize(text))
    words = {word: list(word) for word in counts}
    vocabulary = list(specials) + sorted(LETTERS.values())
    merges = []
    while len(vocabulary) < size:
        pairs = collections.Counter()
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        vocabulary.append(best[0] + best[1])
        for parts in words.values():
            merge(parts, best)
    return vocabulary, merges


def merge(parts, pair):
    at = 0
    while at < len(parts) - 1:
        if parts[at] == pair[0] and parts[at + 1] == pair[1]:
            parts[at:at + 2] = [pair[0] + pair[1]]
        at += 1


def to_json(vocabulary, merges, specials):
    added = [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": s not in ("<think>", "</think>")}
             for i, s in enumerate(specials)]
    def isolated(pattern):
        return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [isolated(DIGIT), isolated(WORD), level]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                           "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": {t: i for i, t in enumerate(vocabulary)},
                  "merges": [f"{a} {b}" for a, b in merges]}}


class Tokenizer:
    """Encodes and decodes by a tokenizer.json that to_json wrote."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.ids = document["model"]["vocab"]
        self.texts = {i: t for t, i in self.ids.items()}
        self.ranks = {tuple(m.split(" ")): r for r, m in enumerate(document["model"]["merges"])}
        self.specials = {t["content"]: t["id"] for t in document["added_tokens"]}
        self.cut = re.compile("(" + "|".join(map(re.escape, self.specials)) + ")")
        self.known = {}

    def word(self, piece):
        if piece not in self.known:
            parts = list(letters(piece))
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda p: self.ranks.get(p, len(self.ranks)))
                if best not in self.ranks:
                    break
                merge(parts, best)
            self.known[piece] = [self.ids[p] for p in parts]
        return self.known[piece]

    def encode(self, text):
        out = []
        for part in self.cut.split(text):
            if part in self.specials:
                out.append(self.specials[part])
            elif part:
                for piece in pretokenize(part):
                    out += self.word(piece)
        return out

    def decode(self, ids):
        out = bytearray()
        for i in ids:
            text = self.texts[i]
            out += text.encode() if text in self.specials else bytes(BYTES[c] for c in text)
        return out.decode(errors="replace")
