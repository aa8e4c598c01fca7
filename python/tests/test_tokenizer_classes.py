"""Tokenizer folders of every class that is built anew, with each setting of tokenizer_config.json changed by itself: ids as AutoTokenizer's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from conftest import Run
from texts import passages

TEXTS = [
    "The Quick brown fox",
    " two  spaces at both ends  ",
    "\tÉtude naïve ÀÉÎ İstanbul ẞ",
    "中文字 mixed 東京 text",
    "special [MASK] and <mask> and </s> and [CLS] inside",
    "New York, new york; <x><y> plus ``quotes''",
    "don't I'LL we're 12345 3.14",
    "line\nbreaks\r\nand\ttabs",
    "",
]
Json = dict[str, Any]


def trained(kind: str) -> Tokenizer:
    """A small vocabulary in the manner of `kind`: wordpiece, bytes, marks (BPE on U+2581) or unigram."""
    corpus = passages()[:60] + TEXTS * 3
    bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    fairseq = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=False)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=[*bert, *fairseq])
    elif kind == "unigram":
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=700, special_tokens=fairseq, unk_token="<unk>")
    else:
        made = Tokenizer(models.BPE())
        if kind == "bytes":
            made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            alphabet = pre_tokenizers.ByteLevel.alphabet()
        else:
            made.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
            alphabet = []
        trainer = trainers.BpeTrainer(
            vocab_size=900, special_tokens=[*fairseq, "<|endoftext|>"], initial_alphabet=alphabet
        )
    made.train_from_iterator(corpus, trainer)
    ends = ("[CLS]", "[SEP]") if kind == "wordpiece" else ("<s>", "</s>")
    made.post_processor = processors.TemplateProcessing(
        single="{} $A {}".format(*ends),
        special_tokens=[(token, made.token_to_id(token)) for token in ends],
    )
    return made


def with_bytes(document: Json) -> Json:
    vocabulary = document["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    document["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    return document


def of_unigram(unknown: int, token: str = "<unk>") -> Callable[[Json], Json]:
    def change(document: Json) -> Json:
        vocabulary = document["model"]["vocab"]
        at = next(i for i, (text, _) in enumerate(vocabulary) if text == "<unk>")
        vocabulary.insert(unknown, [token, 0.0] if (vocabulary.pop(at)) else None)
        document["model"]["unk_id"] = unknown
        vocabulary += [[frame, 0.0] for frame in ("[CLS]", "[SEP]")]
        ids = {text: i for i, (text, _) in enumerate(vocabulary)}
        document["added_tokens"] = [
            {**each, "id": ids[each["content"]]}
            for each in document["added_tokens"]
            if each["content"] in ids
        ]
        for each in document["post_processor"]["special_tokens"].values():
            each["ids"] = [ids[each["id"]]]
        return document

    return change


def same(document: Json) -> Json:
    return document


CLASSES: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "BertTokenizer": ("wordpiece", same),
    "DistilBertTokenizerFast": ("wordpiece", same),
    "MPNetTokenizerFast": ("wordpiece", same),
    "RobertaTokenizerFast": ("bytes", same),
    "GPT2TokenizerFast": ("bytes", same),
    "GPTNeoXTokenizer": ("bytes", same),
    "Qwen2TokenizerFast": ("bytes", same),
    "GemmaTokenizer": ("marks", with_bytes),
    "LlamaTokenizer": ("marks", with_bytes),
    "XLMRobertaTokenizerFast": ("unigram", of_unigram(3)),
    "CamembertTokenizer": ("unigram", of_unigram(3)),
    "T5TokenizerFast": ("unigram", of_unigram(2)),
    "AlbertTokenizer": ("unigram", of_unigram(1)),
    "DebertaV2Tokenizer": ("unigram", of_unigram(1, "[UNK]")),
    "PreTrainedTokenizerFast": ("wordpiece", same),
    "UnheardOfTokenizer": ("bytes", same),
}
LISTED = {
    "content": "<y>",
    "lstrip": True,
    "rstrip": False,
    "normalized": False,
    "single_word": False,
    "special": True,
}
SETTINGS: list[Json] = [
    {},
    {"do_lower_case": False},
    {"do_lower_case": True},
    {"strip_accents": True, "do_lower_case": False},
    {"strip_accents": False},
    {"tokenize_chinese_chars": False},
    {"add_prefix_space": True},
    {"add_prefix_space": False},
    {"keep_accents": True},
    {"split_by_punct": True},
    {"legacy": True},
    {"mask_token": "<x>"},
    {"mask_token": {"__type": "AddedToken", "content": "<x>", "lstrip": True, "normalized": False}},
    {"additional_special_tokens": ["<x>", "New York"]},
    {"extra_special_tokens": ["new york"]},
    {"image_token": "``quotes''"},
    {"truncation_side": "left"},
    {
        "added_tokens_decoder": {
            "2000": LISTED,
            "1": {**LISTED, "content": "brown", "special": False},
        }
    },
]
OTHERS: list[Json] = [
    {"added_tokens.json": {"<x>": 3000, "york": 3001}},
    {
        "special_tokens_map.json": {
            "mask_token": {"content": "<x>", "lstrip": True, "normalized": False}
        }
    },
    {"special_tokens_map.json": {"additional_special_tokens": ["<y>"], "bos_token": "<x>"}},
]


def write(
    folder: Path, name: str, settings: Json | None, others: Json, model_type: str = ""
) -> Path:
    kind, change = CLASSES[name]
    folder.mkdir(parents=True)
    document = change(json.loads(TRAINED.setdefault(kind, trained(kind).to_str())))
    (folder / "tokenizer.json").write_text(json.dumps(document))
    if settings is not None:
        settings = {"tokenizer_class": name, **settings}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(
        json.dumps({"model_type": model_type} if model_type else {})
    )
    for other, content in others.items():
        (folder / other).write_text(json.dumps(content))
    return folder


TRAINED: dict[str, str] = {}


def check(folder: Path, run: Run) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(folder)
    for limit in (None, 6):
        options = {} if limit is None else {"truncation": True, "max_length": limit}
        flags = [] if limit is None else ["--max-length", limit]
        done = run("tokenize", folder, *flags, "--", *[text.replace("\n", " ") for text in TEXTS])
        assert done.returncode == 0, done.stderr
        for text, line in zip(TEXTS, done.stdout.splitlines(), strict=True):
            wanted = reference(text.replace("\n", " "), **options)["input_ids"]
            assert json.loads(line)["ids"] == wanted, (text, json.loads(line)["tokens"])


@pytest.mark.parametrize("name", CLASSES)
def test_settings(name: str, tmp_path: Path, run: Run) -> None:
    for i, settings in enumerate(SETTINGS):
        folder = write(tmp_path / str(i), name, settings, {}, "made_up")
        try:
            check(folder, run)
        except AssertionError as error:
            raise AssertionError(f"{settings}: {error}") from None


@pytest.mark.parametrize(
    "name", ["BertTokenizer", "PreTrainedTokenizerFast", "RobertaTokenizerFast"]
)
def test_files_beside(name: str, tmp_path: Path, run: Run) -> None:
    for i, others in enumerate(OTHERS):
        check(write(tmp_path / str(i), name, {}, others, "made_up"), run)


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("BertTokenizer", "bert"),
        ("BertTokenizer", "nomic_bert"),
        ("MPNetTokenizerFast", "mpnet"),
        ("RobertaTokenizerFast", "roberta"),
        ("RobertaTokenizerFast", "modernbert"),
        ("Qwen2TokenizerFast", "qwen3"),
        ("XLMRobertaTokenizerFast", "xlm-roberta"),
        ("UnheardOfTokenizer", "modernbert"),
        ("PreTrainedTokenizerFast", "bert"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_class_of_the_model(
    name: str, model_type: str, named: bool, tmp_path: Path, run: Run
) -> None:
    """A class that a file names, and the model type's own where none does."""
    check(write(tmp_path / "model", name, {} if named else None, {}, model_type), run)


@pytest.mark.parametrize(
    "name", ["BertJapaneseTokenizer", "PhobertTokenizer", "BertweetTokenizer", "CanineTokenizer"]
)
def test_other_programs_are_refused(name: str, tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path / "json", "BertTokenizer", {"tokenizer_class": name}, {})
    done = run("tokenize", folder, "a")
    assert done.returncode == 4 and name in done.stderr
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\na\n")
    done = run("tokenize", folder, "a")
    assert done.returncode == 4 and name in done.stderr


def test_a_model_that_the_class_does_not_make(tmp_path: Path, run: Run) -> None:
    folder = write(
        tmp_path / "json", "UnheardOfTokenizer", {"tokenizer_class": "BertTokenizer"}, {}
    )
    done = run("tokenize", folder, "a")
    assert done.returncode == 4 and "tokenizer_class" in done.stderr and "WordPiece" in done.stderr
