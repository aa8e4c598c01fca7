"""Writes tokenizer_NAME.json: small tokenizers and what the `tokenizers` package makes of a few texts.

Run in this folder: pip install tokenizers==0.23.3 && python make_tokenizer_golden.py
"""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

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
    for make in (bert, bert_cased):
        t = make()
        cases = [case(t, text) for text in TEXTS]
        cases += [case(t, a, b) for a, b in zip(TEXTS[:8], TEXTS[8:16])]
        cases += [case(t, text, special=False) for text in TEXTS[:3]]
        cases += [case(t, TEXTS[0], length=n) for n in (3, 4, 9)] + [case(t, TEXTS[0], TEXTS[1], length=n) for n in (8, 15)]
        t.no_truncation()
        file = pathlib.Path(__file__).with_name(f"tokenizer_{make.__name__}.json")
        content = {"tokenizer": json.loads(t.to_str()), "cases": cases}
        file.write_text(json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
