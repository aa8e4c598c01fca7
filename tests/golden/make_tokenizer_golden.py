"""Writes tokenizer_NAME.json: small tokenizers and what the `tokenizers` package makes of a few texts.

Run in this folder: pip install tokenizers==0.23.3 && python make_tokenizer_golden.py
"""

import json
import pathlib
import struct

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Text embeddings map sentences to vectors; similar sentences get similar vectors.",
    "Un café naïve à la crème, s'il vous plaît! Größe, Straße, İstanbul.",
    "ΑΣΑΣ και όσος. Привет, мир. 你好，世界。 こんにちは 안녕하세요 नमस्ते สวัสดี שלום مرحبا",
    "for (int i = 0; i < 10; ++i) { printf(\"%d\\n\", i); }  // 1,234.56 https://example.org/a?b=c#d",
]

TEXTS = CORPUS + [
    "",
    " ",
    "a",
    "  two  spaces\tand\nlines\r\n",
    "The [MASK] fox[SEP] jumps[CLS]over [UNK]",
    "cafe\u0301 A\u0323\u030a \u212b \ufb01 \u2460 \u1100\u1161\u11a8 \uac01",
    "zero\u200bwidth\u200d\ufeff\u00ad \x00\x01\x7f \ufffd \ue000",
    "👍🏽 👩‍👩‍👧 🇩🇪 ❤️",
    "x" * 30 + " " + "don't can't I'll we've they'd I'm you're",
    "\u226e\u2260 \u037e \u0344 \u1e9b\u0323 \u0130 \u01c5",
    "deemed <tok> <tok>s a<tok>  <tok>b  left  <l>  <r>  x",
]


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=260, special_tokens=specials, show_progress=False))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return t


def bert_cased():
    t = bert()
    t.normalizer = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.add_tokens([AddedToken("<tok>", single_word=True, normalized=False), AddedToken("<l>", lstrip=True, normalized=False)])
    t.add_special_tokens([AddedToken("<r>", rstrip=True, normalized=False)])
    return t


def darts(rules):
    """The `precompiled_charsmap` of a few rules: a Darts double array (darts-clone's units), then the replacements."""
    units, used, tails, text = {0: 0}, {0}, {}, b""
    for key, value in rules.items():
        tails[key.encode()] = len(text)
        text += value.encode() + b"\0"

    def place(node, prefix):
        children = sorted({k[len(prefix)] for k in tails if k.startswith(prefix) and len(k) > len(prefix)})
        labels = ([0] if prefix in tails else []) + children
        base = next(b for b in range(1, 1 << 20) if all((node ^ b ^ c) not in used for c in labels))
        used.update(node ^ base ^ c for c in labels)
        units[node] |= base << 10 | (0x100 if prefix in tails else 0)
        if prefix in tails:
            units[node ^ base] = 1 << 31 | tails[prefix]
        for c in children:
            units[node ^ base ^ c] = c
        for c in children:
            place(node ^ base ^ c, prefix + bytes([c]))

    place(0, b"")
    trie = struct.pack(f"<{max(units) + 257}I", *(units.get(i, 0) for i in range(max(units) + 257)))
    return struct.pack("<I", len(trie)) + trie + text


RULES = {"\ufb01": "fi", "\uff21": "A", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\u200b": "", "e\u0301": "\u00e9", "\u2460": "1", "\u00ad": ""}
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(pre, size=420, **options):
    t = Tokenizer(models.BPE(**options))
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False))
    return t


def roberta():
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return t


def qwen():
    split = pre_tokenizers.Split(Regex(QWEN), "isolated")
    t = byte_level(pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=True)
    t.normalizer = normalizers.NFC()
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B:1 </s>:1", special_tokens=[("</s>", 2)]),
    ])
    t.add_tokens([AddedToken("<tok>", normalized=True)])
    return t


def xlmr():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(darts(RULES)), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=230, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return t


def bytes_unigram():
    content = json.loads(xlmr().to_str())
    content["model"]["vocab"] += [[f"<0x{i:02X}>", -9.0] for i in range(256)]
    content["model"]["byte_fallback"] = True
    content["added_tokens"] = []
    content["pre_tokenizer"]["prepend_scheme"] = "first"
    t = Tokenizer.from_str(json.dumps(content))
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def llama():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.train_from_iterator(" ".join(CORPUS[:2]).split(" "), trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>", "<s>"], show_progress=False))
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def affixes():
    t = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Nmt()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    t.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(vocab_size=260, special_tokens=["[UNK]"], continuing_subword_prefix="##", end_of_word_suffix="</w>", show_progress=False)
    t.train_from_iterator(CORPUS, trainer)
    return t


def words():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("a", "\u00e1bc"), normalizers.Replace(Regex(r"[xyz]+"), "")])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\d+"), "merged_with_next"), pre_tokenizers.Split(" ", "merged_with_previous"),
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True),
    ])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=60, special_tokens=["[UNK]"], show_progress=False))
    return t


def case(t, text, pair=None, special=True, length=0, side="right"):
    t.no_truncation()
    if length:
        t.enable_truncation(length, direction=side)
    e = t.encode(text, pair, add_special_tokens=special)
    out = {"text": text, "ids": e.ids, "types": e.type_ids, "tokens": e.tokens, "offsets": e.offsets, "mask": e.special_tokens_mask}
    out["decoded"] = t.decode(e.ids)
    if pair is not None:
        out["pair"] = pair
    if not special:
        out["special"] = False
    if length:
        out["length"] = length
        out["side"] = side
    return out


def main():
    for make in (bert, bert_cased, roberta, qwen, xlmr, bytes_unigram, llama, affixes, words):
        t = make()
        cases = [case(t, text) for text in TEXTS]
        cases += [case(t, a, b) for a, b in zip(TEXTS[:8], TEXTS[8:16])]
        cases += [case(t, text, special=False) for text in TEXTS[:3]]
        cases += [case(t, TEXTS[0], length=n) for n in (3, 4, 9)] + [case(t, TEXTS[0], TEXTS[1], length=n) for n in (8, 15)]
        cases += [case(t, TEXTS[0], length=n, side="left") for n in (3, 9)] + [case(t, TEXTS[0], TEXTS[1], length=9, side="left")]
        t.no_truncation()
        file = pathlib.Path(__file__).with_name(f"tokenizer_{make.__name__}.json")
        content = {"tokenizer": json.loads(t.to_str()), "cases": cases}
        file.write_text(json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
