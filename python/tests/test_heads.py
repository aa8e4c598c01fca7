"""Dense modules, cross-encoders, kinds of weight files, and checkpoints that contradict themselves."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import checkpoints
import embedforge
from checkpoints import FAMILIES
from conftest import Run
from test_families import run_onnx, unit


def test_dense_module(tmp_path: Path) -> None:
    """Pooled rows times a matrix, tanh: as sentence-transformers computes it."""
    family = FAMILIES["roberta"]
    folder = tmp_path / "checkpoint"
    model = checkpoints.make_checkpoint("roberta", folder)
    checkpoints.write_modules(family, folder, dense=True)
    dense = checkpoints.write_dense(folder / "2_Dense", 20)
    texts = checkpoints.sample_texts(family)
    inputs = checkpoints.feeds(family, folder, texts)
    hidden = checkpoints.torch_hidden(model, inputs)
    pooled = checkpoints.pool(family, hidden, inputs["attention_mask"])
    expected = unit(torch.tanh(dense(torch.from_numpy(pooled).float())).detach().numpy())
    embedforge.convert(folder, tmp_path / "out", with_pooling=True)
    embedder = embedforge.Embedder(tmp_path / "out")
    assert np.abs(embedder.encode(texts) - expected).max() < 1e-5
    assert embedder.encode("x").shape == (20,)
    sentences = run_onnx(tmp_path / "out" / "onnx" / "model.onnx", inputs)[1]
    assert np.abs(sentences - expected).max() < 1e-5
    shutil.rmtree(tmp_path / "out" / "2_Dense")
    with pytest.raises(embedforge.BadInputError, match="2_Dense"):
        embedforge.Embedder(tmp_path / "out")


@pytest.mark.parametrize("model_type", ["bert", "roberta", "xlm-roberta", "distilbert", "mpnet"])
def test_reranker(
    tmp_path: Path, run: Run, model_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = next(each for each in FAMILIES.values() if each.model_type == model_type)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    torch.manual_seed(7)
    config = transformers.AutoConfig.for_model(model_type, num_labels=1, **family.settings)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    checkpoints.enlarge(model)
    model.save_pretrained(folder)
    checkpoints.make_tokenizer(family, folder)
    embedforge.convert(folder, tmp_path / "out")
    texts = [text for text in checkpoints.sample_texts(family) if text]
    query = texts[2]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(family.limit)
    tokenizer.enable_padding(pad_id=family.pad, pad_token="<pad>")
    rows = tokenizer.encode_batch([(query, text) for text in texts])
    inputs = {
        "input_ids": np.array([row.ids for row in rows], np.int64),
        "attention_mask": np.array([row.attention_mask for row in rows], np.int64),
    }
    if model_type == "bert":
        inputs["token_type_ids"] = np.array([row.type_ids for row in rows], np.int64)
    with torch.no_grad():
        given = {name: torch.from_numpy(value) for name, value in inputs.items()}
        expected = model(**given).logits[:, 0].numpy()
    (logits,) = run_onnx(tmp_path / "out" / "onnx" / "model.onnx", inputs)
    assert np.abs(logits[:, 0] - expected).max() < 1e-4
    library = Path(onnxruntime.__file__).parent / "capi"
    monkeypatch.setenv("ONNXRUNTIME_LIB", str(library))
    for backend in ("native", "onnxruntime"):
        done = run(
            "rerank", tmp_path / "out", query, *texts, "--raw", "--json", "--backend", backend
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found = np.empty(len(texts))
        for line in lines:
            found[line["index"]] = line["score"]
        assert np.abs(found - expected).max() < 1e-4
        assert [line["score"] for line in lines] == sorted(found, reverse=True)
    plain = run("rerank", tmp_path / "out", query, *texts)
    first = float(plain.stdout.split()[0])
    assert abs(first - 1 / (1 + np.exp(-expected.max()))) < 1e-3
    embedforge.quantize(tmp_path / "out", tmp_path / "out" / "onnx" / "int8.onnx")
    assert (
        run("rerank", tmp_path / "out", query, *texts, "--file", "onnx/int8.onnx").returncode == 0
    )
    if model_type == "bert":  # the classifier, which has nothing to be calibrated with, stays float
        static = embedforge.quantize(tmp_path / "out", method="static")
        assert not any("classifier" in node or "pooler" in node for node in static.errors)
        done = run(
            "rerank", tmp_path / "out", query, *texts, "--raw", "--json", "--file", static.model
        )
        scores = {
            line["index"]: line["score"] for line in map(json.loads, done.stdout.splitlines())
        }
        near = np.array([scores[i] for i in range(len(texts))])
        assert np.corrcoef(near, expected)[0, 1] > 0.99
    refused = run("encode", tmp_path / "out", "x")
    assert refused.returncode == 4 and "rerank" in refused.stderr
    for flag, value in (("--device", "cuda"), ("--pooling", "cls"), ("--backend", "tei")):
        refused = run("rerank", tmp_path / "out", query, "x", flag, value)
        assert refused.returncode in (2, 4) and flag[2:] in refused.stderr


def test_a_classifier_of_several_labels_is_no_reranker(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES["bert"]
    config = transformers.AutoConfig.for_model("bert", num_labels=3, **family.settings)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    checkpoints.make_tokenizer(family, tmp_path)
    embedforge.convert(tmp_path, tmp_path / "out")
    monkeypatch.setenv("ONNXRUNTIME_LIB", str(Path(onnxruntime.__file__).parent / "capi"))
    for backend in ("native", "onnxruntime"):
        refused = run("rerank", tmp_path / "out", "query", "text", "--backend", backend)
        assert refused.returncode == 4 and "3 logits" in refused.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    checkpoints.make_checkpoint("bert", folder)
    return folder


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "copy"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["safetensors", "sharded", "bin", "sharded bin"])
def test_kinds_of_weights(copy: Path, tmp_path: Path, dtype: torch.dtype, kind: str) -> None:
    state = {name: value.to(dtype) for name, value in load_file(copy / "model.safetensors").items()}
    exact = Path(shutil.copytree(copy, tmp_path / "exact"))
    save_file(
        {k: v.float() for k, v in state.items()}, exact / "model.safetensors", {"format": "pt"}
    )
    (copy / "model.safetensors").unlink()
    parts = [state]
    if kind.startswith("sharded"):
        names = sorted(state)
        parts = [{name: state[name] for name in names[first::2]} for first in (0, 1)]
    stem, end = ("pytorch_model", ".bin") if kind.endswith("bin") else ("model", ".safetensors")
    shards = {}
    for i, part in enumerate(parts, 1):
        shard = f"{stem}-0000{i}-of-00002{end}" if len(parts) > 1 else stem + end
        shards |= dict.fromkeys(part, shard)
        if end == ".bin":
            torch.save(part, copy / shard)
        else:
            save_file(part, copy / shard, {"format": "pt"})
    if len(parts) > 1:
        (copy / f"{stem}{end}.index.json").write_text(json.dumps({"weight_map": shards}))
    for folder in (copy, exact):
        embedforge.convert(folder, folder / "out")
    files = [(folder / "out/onnx/model.onnx").read_bytes() for folder in (copy, exact)]
    assert files[0] == files[1]


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def refusal(run: Run, folder: Path, status: int) -> str:
    done = run("convert", folder, "-o", folder / "out")
    assert done.returncode == status, done.stderr
    errors = [
        line for line in done.stderr.splitlines() if not line.startswith("embedforge: warning: ")
    ]
    assert len(errors) == 1
    assert not (folder / "out").exists()
    return done.stderr


def test_unsupported_architecture(copy: Path, run: Run) -> None:
    change_config(copy, model_type="t5")
    said = refusal(run, copy, 4)
    assert '"t5"' in said
    for known in ("bert", "xlm-roberta", "mpnet", "nomic_bert", "modernbert", "qwen3"):
        assert known in said


@pytest.mark.parametrize(
    ("changes", "status", "part"),
    [
        ({"hidden_size": 32}, 3, "embeddings.word_embeddings.weight"),
        ({"vocab_size": 12}, 3, "embeddings.word_embeddings.weight"),
        ({"num_hidden_layers": 4}, 3, "encoder.layer.3."),
        ({"num_hidden_layers": 2}, 3, "encoder.layer.2."),
        ({"intermediate_size": 100}, 3, "encoder.layer.0.intermediate.dense.weight"),
        ({"num_attention_heads": 7}, 3, "heads"),
        ({"hidden_act": "softsign"}, 4, "softsign"),
        ({"num_hidden_layers": 10**9}, 3, "num_hidden_layers"),
        ({"hidden_size": "64"}, 3, "hidden_size"),
        ({"model_type": "mpnet"}, 3, "encoder.relative_attention_bias.weight"),
        ({"model_type": "qwen3"}, 3, "num_key_value_heads"),
        ({"model_type": "modernbert"}, 3, "local_attention"),
    ],
)
def test_config_against_weights(
    copy: Path, run: Run, changes: dict[str, object], status: int, part: str
) -> None:
    change_config(copy, **changes)
    assert part in refusal(run, copy, status)


def test_configurations_of_transformers_5(tmp_path: Path, run: Run) -> None:
    """rope_parameters and layer_types stand for the same as the fields before them."""
    for name, old, new in (
        ("qwen3", {"rope_theta": 5e5}, {"rope_theta": 5e5, "rope_type": "default"}),
        (
            "modernbert",
            {"global_rope_theta": 7e4, "local_rope_theta": 3e3, "global_attn_every_n_layers": 3},
            {"full_attention": {"rope_theta": 7e4}, "sliding_attention": {"rope_theta": 3e3}},
        ),
    ):
        folder = tmp_path / name
        checkpoints.make_checkpoint(name, folder)
        change_config(folder, **{"rope_parameters": None, "layer_types": None, **old})
        files = [embedforge.convert(folder, tmp_path / "old").model.read_bytes()]
        near, far = "sliding_attention", "full_attention"
        layers = [far, near, near, far, near] if name == "modernbert" else None
        changes = {**dict.fromkeys(old), "rope_parameters": new, "layer_types": layers}
        change_config(folder, **changes)
        files.append(embedforge.convert(folder, tmp_path / "new").model.read_bytes())
        assert files[0] == files[1], name
        flat = {"rope_type": "yarn", "rope_theta": 1e4}
        change_config(folder, rope_parameters=flat)
        assert "rope_parameters" in refusal(run, folder, 4)
        kinds = flat if name == "qwen3" else {far: flat, near: flat}
        change_config(folder, rope_parameters=kinds)
        assert "yarn" in refusal(run, folder, 4)
        change_config(folder, rope_parameters=new, layer_types=["full_attention"])
        if name == "modernbert":
            assert "layer_types" in refusal(run, folder, 3)


def test_missing_shard(copy: Path, run: Run) -> None:
    state = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    shards = dict.fromkeys(state, "model-00001-of-00002.safetensors")
    shards[next(iter(state))] = "model-00002-of-00002.safetensors"
    save_file(dict(list(state.items())[1:]), copy / "model-00001-of-00002.safetensors")
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert "model-00002-of-00002.safetensors" in refusal(run, copy, 3)
    shards[next(iter(state))] = "../secret.safetensors"
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert "file name" in refusal(run, copy, 3)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch /tmp/embedforge_was_run",)


def test_hostile_bin(copy: Path, run: Run) -> None:
    (copy / "model.safetensors").unlink()
    with zipfile.ZipFile(copy / "pytorch_model.bin", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(Bomb(), protocol=2))
    assert "system" in refusal(run, copy, 4)
    assert not Path("/tmp/embedforge_was_run").exists()
    for name in ("../../escaped", "/etc/escaped", "a/../../escaped"):
        with zipfile.ZipFile(copy / "pytorch_model.bin", "w") as archive:
            archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
            archive.writestr(name, b"x")
        assert "escaped" in refusal(run, copy, 3)


def test_nomic_and_qwen_settings(tmp_path: Path, run: Run) -> None:
    nomic_folder = tmp_path / "nomic"
    checkpoints.make_checkpoint("nomic", nomic_folder)
    for changes in (
        {"prenorm": True},
        {"rotary_emb_interleaved": True},
        {"rotary_emb_fraction": 0.5},
    ):
        change_config(nomic_folder, **changes)
        assert next(iter(changes)) in refusal(run, nomic_folder, 4)
        (nomic_folder / "config.json").write_text(json.dumps(checkpoints.NOMIC_CONFIG))
    qwen = tmp_path / "qwen"
    checkpoints.make_checkpoint("qwen3", qwen)
    change_config(qwen, rope_scaling={"type": "yarn"})
    assert "rope_scaling" in refusal(run, qwen, 4)
    change_config(qwen, rope_scaling=None, num_key_value_heads=3)
    assert "num_key_value_heads" in refusal(run, qwen, 3)
