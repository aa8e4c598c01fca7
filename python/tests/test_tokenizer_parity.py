"""Equality with the `tokenizers` package: tokenizers trained here, in the styles of embedding models, and MiniLM's own.

The package's answers go to build/tokenize_test in the form of tests/golden, which compares ids, type ids, tokens, offsets,
special masks, decoded text and the ids of the fast path.

    test_tokenizer_parity.py MINILM_FOLDER [PAIRS.csv ..]

gives every tokenizer all of the texts, 100,000 random strings, 2,000 passages and the first two columns of the files among them
(half an hour).
"""

# ruff: noqa: RUF001

from __future__ import annotations

import bz2
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from texts import AWKWARD, passages, sentences

UNICODE = Path("/usr/share/unicode")
CHECKER = Path(__file__).parents[2] / "build" / "tokenize_test"
FUZZED = 100_000  # strings over all tokenizers

LANGUAGES = [
    "Hello, world! How's it going?",
    "Ünïcödé naïve façade Ångström e\u0301 ﬁ ﬂ ² ½ ™ Ⅷ",
    "你好，世界！今天天气很好。",
    "日本語のテキスト、カタカナとひらがな。",
    "한국어 텍스트입니다. 안녕하세요! \u1112\u1161\u11ab",
    "العربية: مرحبا بالعالم، كيف حالك؟",
    "עברית: שָׁלוֹם עולם",
    "ภาษาไทยไม่มีช่องว่าง สวัสดีครับ",
    "हिन्दी में पाठ: नमस्ते दुनिया",
    "Русский текст, ёлка й Й. Ελληνικά κείμενο ΌΣΟΣ",
    "👍🏽 👩‍👩‍👧‍👦 🇩🇪 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "a\u200bb\u200cc\u200dd\ufeffe\u00adf\u2060g\u180eh",
    "tab\there\nnew\r\nline\x0bvt\x0cff\x85nel\u2028ls",
    "\x00\x01\x7f\x80\ufffd\ue000",
    "def f(x):\n    return x**2  # comment",
    "https://example.com/a/b?c=d&e=f#g user@example.org 1,234.56",
    "[CLS] a [MASK] b[SEP]c [UNK] <s>x</s> <mask>",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + "é" * 101,
    "中" * 300,
    "a" + "\u0301\u0323\u0327" * 30,
    "≮≯≠ \u037e\u1fef\u212a\u212b \U0001d15e\U0001d165 i\u0307 İ I ı \u0344\u0958\uf900\U0002f800 \u0390\u1fd3",
    "",
    "   ",
]

RANGES = [
    (0x20, 0x7F), (0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x5B0, 0x700), (0x900, 0xA00), (0xE00, 0xE80),
    (0x1100, 0x1200), (0x1E00, 0x2100), (0x3000, 0x3100), (0x4E00, 0x4E80), (0xAC00, 0xAC80), (0xF900, 0xFB00),
    (0xFB00, 0x10000), (0x11000, 0x11500), (0x1D100, 0x1D250), (0x1F300, 0x1F700), (0, 0xD800), (0xE000, 0x110000),
]  # fmt: skip
WORDS = "the of running unbelievable [CLS] [SEP] don't I'LL 'S http://a.b/c?d=e#f Straße İstanbul café cafe\u0301 "
WORDS += "2023-11-24 123456 <s> </s> <mask> <tok> foo_bar() \u2581 ##ing \r\n     \u0300"


def fuzzed(count: int, seed: int) -> list[str]:
    pick = random.Random(seed)
    out = []
    for _ in range(count):
        text = ""
        for _ in range(pick.randint(0, 8)):
            if pick.random() < 0.35:
                text += pick.choice(WORDS.split(" "))
            else:
                low, high = pick.choice(RANGES)
                text += "".join(chr(pick.randrange(low, high)) for _ in range(pick.randint(1, 6)))
            if pick.random() < 0.5:
                text += pick.choice([" ", " ", "  ", "\t", "\n", "\u00a0", " \n "])
        out.append("".join(c for c in text if not "\ud800" <= c <= "\udfff"))
    return out


def corpus() -> list[str]:
    return (sentences() + passages())[:1200] + LANGUAGES * 10 + fuzzed(200, 9)


SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def template(t: Tokenizer, cls: str, sep: str, pair: str) -> Any:
    tokens = [(token, t.token_to_id(token)) for token in (cls, sep)]
    return processors.TemplateProcessing(single=f"{cls} $A {sep}", pair=pair, special_tokens=tokens)


def bert() -> Tokenizer:
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(
        corpus(),
        trainers.WordPieceTrainer(vocab_size=3000, special_tokens=names, show_progress=False),
    )
    t.post_processor = template(t, "[CLS]", "[SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    return t


def nomic() -> Tokenizer:  # BERT, cased
    t = bert()
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.add_tokens([AddedToken("<tok>", single_word=True), AddedToken("foo_bar", normalized=True)])
    return t


def byte_level(pre: Any, size: int = 3000, **options: Any) -> Tokenizer:
    t = Tokenizer(models.BPE(**options))
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIALS, initial_alphabet=ALPHABET, show_progress=False
    )
    t.train_from_iterator(corpus(), trainer)
    return t


def roberta() -> Tokenizer:
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return t


def modernbert() -> Tokenizer:
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.normalizer = normalizers.NFC()
    t.add_tokens([AddedToken(" " * n) for n in range(2, 12)] + [AddedToken("|||EMAIL|||")])
    t.post_processor = template(t, "<s>", "</s>", "<s> $A </s> $B </s>")
    return t


def qwen() -> Tokenizer:
    split = pre_tokenizers.Split(Regex(QWEN), "isolated")
    tail = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t = byte_level(pre_tokenizers.Sequence([split, tail]), ignore_merges=True)
    t.normalizer = normalizers.NFC()
    t.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            template(t, "<s>", "</s>", "$A </s> $B:1 </s>:1"),
        ]
    )
    return t


def xlmr() -> Tokenizer:
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=2500, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False
    )
    t.train_from_iterator(corpus(), trainer)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = template(t, "<s>", "</s>", "<s> $A </s> </s> $B </s>")
    # As users have it, read from a file: the package reads scores an ulp off those that it trained
    # (serde_json), and that decides between paths that are else equal.
    return Tokenizer.from_str(t.to_str())


def t5() -> Tokenizer:
    content = json.loads(xlmr().to_str())
    content["model"]["vocab"] += [[f"<0x{i:02X}>", -9.0] for i in range(256)]
    content["model"]["byte_fallback"] = True
    content["pre_tokenizer"]["prepend_scheme"] = "first"
    return Tokenizer.from_str(json.dumps(content))


def llama() -> Tokenizer:
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    words = [word for text in corpus()[:600] for word in text.split(" ")]
    t.train_from_iterator(
        words, trainers.BpeTrainer(vocab_size=1500, special_tokens=SPECIALS, show_progress=False)
    )
    t.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return t


def word_level() -> Tokenizer:
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence(
        [
            normalizers.NFD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Strip(),
            normalizers.Nmt(),
        ]
    )
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Whitespace(),
            pre_tokenizers.Digits(True),
            pre_tokenizers.Punctuation("contiguous"),
        ]
    )
    trainer = trainers.WordLevelTrainer(
        vocab_size=2000, special_tokens=["[UNK]"], show_progress=False
    )
    t.train_from_iterator(corpus(), trainer)
    return t


STYLES = [bert, nomic, roberta, modernbert, qwen, xlmr, t5, llama, word_level]


def case(
    t: Tokenizer, text: str, pair: str | None = None, length: int = 0, side: str = "right"
) -> dict[str, Any]:
    t.no_truncation()
    if length:
        t.enable_truncation(length, direction=side)
    e = t.encode(text, pair)
    out: dict[str, Any] = {
        "text": text,
        "ids": e.ids,
        "types": e.type_ids,
        "tokens": e.tokens,
        "offsets": e.offsets,
    }
    out |= {
        "mask": e.special_tokens_mask,
        "decoded": t.decode(e.ids),
        "length": length,
        "side": side,
    }
    return out if pair is None else out | {"pair": pair}


def cases(t: Tokenizer, fuzz: list[str], texts: list[str]) -> Iterator[dict[str, Any]]:
    for text in LANGUAGES + texts + fuzz:
        yield case(t, text)
    for first, second in zip(fuzz[:300], fuzz[300:600], strict=True):
        yield case(t, first, second)
        yield case(t, first, second, length=9)
    for text in texts[:40] + fuzz[:200]:
        for side in ("right", "left"):
            yield case(t, text, length=8, side=side)


def compare(folder: Path, name: str, t: Tokenizer, all_cases: list[dict[str, Any]]) -> None:
    t.no_padding()
    t.no_truncation()
    content = {"tokenizer": json.loads(t.to_str()), "cases": all_cases}
    (folder / f"tokenizer_{name}.json").write_text(json.dumps(content))
    done = subprocess.run(
        [CHECKER, "--gtest_filter=Golden/*"],
        env=os.environ | {"EMBEDFORGE_GOLDEN": str(folder)},
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "[  PASSED  ] 2 tests" in done.stdout, done.stdout[-2000:]  # not: no test ran


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_trained(style: Callable[[], Tokenizer], tmp_path: Path) -> None:
    t = style()
    fuzz = fuzzed(FUZZED // 2 // len(STYLES), STYLES.index(style))
    compare(tmp_path, style.__name__, t, list(cases(t, fuzz, passages()[:200])))


def every_character() -> list[str]:
    points = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000] + list(range(0xE0000, 0xE0200))
    return ["".join(f"a{chr(c)}b " for c in points[i : i + 40]) for i in range(0, len(points), 40)]


def test_every_character(tmp_path: Path) -> None:
    """Each assigned plane's characters between letters, through the BERT and the byte-level rules."""
    for style in (bert, qwen):
        t = style()
        compare(tmp_path, "characters", t, [case(t, text) for text in every_character()])


def unicode_test_strings() -> list[str]:
    """The strings of Unicode's own normalization and segmentation tests (Debian's unicode-data)."""
    texts = []
    with bz2.open(UNICODE / "NormalizationTest.txt.bz2", "rt", encoding="utf-8") as file:
        for line in file:
            if line[0] not in "#@\n":
                columns = line.split("#")[0].split(";")[:5]
                texts += ["".join(chr(int(c, 16)) for c in column.split()) for column in columns]
    for kind in ("Grapheme", "Word", "Sentence", "Line"):
        lines = (UNICODE / "auxiliary" / f"{kind}BreakTest.txt").read_text(encoding="utf-8")
        for line in lines.splitlines():
            points = [c for c in line.split("#")[0].split() if c not in "÷×"]
            if points:
                texts.append("".join(chr(int(c, 16)) for c in points if not c.startswith("D8")))
    return list(dict.fromkeys(texts))


@pytest.mark.skipif(not UNICODE.is_dir(), reason="needs Debian's unicode-data")
@pytest.mark.parametrize("style", [bert, qwen, xlmr, t5], ids=lambda style: style.__name__)
def test_unicode_test_strings(style: Callable[[], Tokenizer], tmp_path: Path) -> None:
    t = style()
    texts = unicode_test_strings()
    assert len(texts) > 20000
    compare(tmp_path, "unicode", t, [case(t, text) for text in texts])


def test_minilm(model_folder: Path, tmp_path: Path) -> None:
    t = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    t.no_padding()
    fuzz = fuzzed(FUZZED // 2, 77)
    compare(tmp_path, "minilm", t, list(cases(t, fuzz, sentences() + passages())))


def test_a_difference_is_seen(tmp_path: Path) -> None:
    t = bert()
    wrong = case(t, "hello")
    wrong["ids"] = [*wrong["ids"][:-1], 0]
    with pytest.raises(AssertionError):
        compare(tmp_path, "wrong", t, [wrong] * 30)


def main() -> None:
    minilm, *files = sys.argv[1:]
    texts = passages(2000) + sentences() + AWKWARD + LANGUAGES + every_character()
    texts += unicode_test_strings()
    for file in files:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            texts += [text for row in csv.reader(lines) for text in row[:2]]
    texts += fuzzed(100_000, 3)
    makers = {style.__name__: style for style in STYLES}
    makers["MiniLM"] = lambda: Tokenizer.from_file(str(Path(minilm) / "tokenizer.json"))
    for name, make in makers.items():
        t = make()
        t.no_padding()  # MiniLM's file asks for 128 tokens, always
        with tempfile.TemporaryDirectory() as folder:
            for start in range(0, len(texts), 20_000):
                some = texts[start : start + 20_000]
                compare(Path(folder), name, t, [case(t, text) for text in some])
        print(f"{name}: {len(texts)} texts are equal", flush=True)


if __name__ == "__main__":
    main()
