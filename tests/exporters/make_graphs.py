#!/usr/bin/env python3
"""Writes ONNX graphs of tiny random-weight encoders, as each exporter makes them, and what they compute.

    make_graphs.py OUTPUT_DIR [--layers 2] [--hidden 64] [--only NAME]... [--list]

For each graph NAME: NAME.onnx and NAME.bin. The .bin is little-endian: int64 n (sequences); for each its int64 length, int64
ids and int64 types; then float32 values as ONNX Runtime computes them: for each sequence the rows of its hidden states
(when the graph gives them), then for each sequence its sentence embedding (when the graph gives one).
"""

import argparse
import json
import logging
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from onnxruntime import quantization

VOCABULARY = 40
LENGTHS = (9, 4, 1)


class Hidden(torch.nn.Module):
    """A transformer that gives last_hidden_state alone."""

    def __init__(self, model):
        super().__init__()
        self.m = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.m(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]


class HiddenWithoutTypes(Hidden):
    def forward(self, input_ids, attention_mask):
        return self.m(input_ids=input_ids, attention_mask=attention_mask)[0]


class Sentence(torch.nn.Module):
    """Token embeddings and a pooled sentence embedding, computed as sentence-transformers' modules do."""

    def __init__(self, model, pooling, normalize):
        super().__init__()
        self.m, self.pooling, self.normalize = model, pooling, normalize

    def forward(self, input_ids, attention_mask, token_type_ids):
        tokens = self.m(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]
        mask = attention_mask.unsqueeze(-1).expand(tokens.size()).to(tokens.dtype)
        if self.pooling == "cls":
            out = tokens[:, 0]
        elif self.pooling == "max":
            out = torch.max(tokens.masked_fill(mask == 0, -1e9), 1)[0]
        else:
            total = torch.sum(tokens * mask, 1)
            count = torch.clamp(mask.sum(1), min=1e-9)
            out = total / (torch.sqrt(count) if self.pooling == "mean_sqrt_len_tokens" else count)
        out = torch.cat([out], 1)  # of the one pooling mode
        if self.normalize:
            out = torch.nn.functional.normalize(out, p=2, dim=1)
        return tokens, out


def config_for(family, args, **changes):
    common = {
        "vocab_size": VOCABULARY,
        "hidden_size": args.hidden,
        "num_hidden_layers": args.layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * args.hidden,
        "max_position_embeddings": 48,
        "pad_token_id": 0,
    }
    if family == "distilbert":
        common = {
            "vocab_size": VOCABULARY,
            "dim": args.hidden,
            "n_layers": args.layers,
            "n_heads": 4,
            "hidden_dim": 2 * args.hidden,
            "max_position_embeddings": 48,
        }
    if family in ("roberta", "xlm-roberta", "mpnet"):
        common["pad_token_id"] = 1
    common.update(changes)
    return transformers.AutoConfig.for_model(family, **common)


def make_model(family, args, attention="sdpa", **changes):
    torch.manual_seed(7)
    config = config_for(family, args, **changes)
    config._attn_implementation = attention
    model = transformers.AutoModel.from_config(config, attn_implementation=attention)
    with torch.no_grad():  # larger than the usual start, so that every part matters
        for name, weight in model.named_parameters():
            if "LayerNorm" in name or "layer_norm" in name:
                weight.add_(0.2 * torch.randn_like(weight))
            else:
                weight.copy_(0.15 * torch.randn_like(weight))
    return model.eval()


def export(module, path, types, dynamo, opset, outputs=("last_hidden_state",)):
    ids = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    inputs = {"input_ids": ids, "attention_mask": mask}
    if types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    options = {
        "input_names": list(inputs),
        "output_names": list(outputs),
        "opset_version": opset,
        "dynamo": dynamo,
    }
    if dynamo:
        batch, sequence = torch.export.Dim("batch"), torch.export.Dim("sequence", min=2, max=48)
        options["dynamic_shapes"] = tuple({0: batch, 1: sequence} for _ in inputs)
        options["external_data"] = False
        options["verbose"] = False
    else:
        axes = {name: {0: "batch", 1: "sequence"} for name in inputs}
        axes[outputs[0]] = {0: "batch", 1: "sequence"}
        for name in outputs[1:]:
            axes[name] = {0: "batch"}
        options["dynamic_axes"] = axes
    torch.onnx.export(module, tuple(inputs.values()), str(path), **options)
    model = onnx.load(path)  # without the stack traces that the exporters keep for each node
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    onnx.save(model, path)


def pytorch(family="bert", types=True, dynamo=False, opset=17, attention="sdpa", half=False, **changes):
    def make(path, args):
        model = make_model(family, args, attention, **changes)
        wrapper = Hidden(model) if types else HiddenWithoutTypes(model)
        export(wrapper.half() if half else wrapper, path, types, dynamo, opset)

    return make


def sentence(pooling, normalize, dynamo=False, opset=17):
    def make(path, args):
        module = Sentence(make_model("bert", args), pooling, normalize)
        export(module, path, True, dynamo, opset, ("token_embeddings", "sentence_embedding"))

    return make


def pooler(path, args):
    """Both outputs of BertModel: the pooler's is not the sentence embedding."""

    class Both(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.m = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            out = self.m(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
            return out.last_hidden_state, out.pooler_output

    export(Both(make_model("bert", args)), path, True, False, 17, ("last_hidden_state", "pooler_output"))


def fused(kind="bert", base=None, half=False):
    """ONNX Runtime's own optimizer over PyTorch's file."""

    def make(path, args):
        from onnxruntime.transformers import optimizer

        source = path.with_name(path.name + ".source")
        (base or pytorch())(source, args)
        model = optimizer.optimize_model(
            str(source), model_type=kind, num_heads=4, hidden_size=args.hidden, opt_level=0
        )
        if half:
            model.convert_float_to_float16(keep_io_types=True)
        model.save_model_to_file(str(path))
        source.unlink()

    return make


def ort_level(level, base=None):
    """What ONNX Runtime saves when it optimizes at load."""

    def make(path, args):
        source = path.with_name(path.name + ".source")
        (base or pytorch())(source, args)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        source.unlink()

    return make


def dynamic_int8(base=None, **options):
    def make(path, args):
        source = path.with_name(path.name + ".source")
        (base or pytorch())(source, args)
        settings = {"weight_type": quantization.QuantType.QInt8, **options}
        quantization.quantize_dynamic(str(source), str(path), **settings)
        source.unlink()

    return make


def static_int8(base=None, linear_inputs_only=False, **options):
    def make(path, args):
        source = path.with_name(path.name + ".source")
        (base or pytorch())(source, args)
        batches = [feeds_for(args, lengths)[0] for lengths in ((9, 5), (4, 7), (11, 2), LENGTHS)]

        class Reader(quantization.CalibrationDataReader):
            def __init__(self):
                self.rest = iter(batches)

            def get_next(self):
                return next(self.rest, None)

        settings = {
            "quant_format": quantization.QuantFormat.QDQ,
            "activation_type": quantization.QuantType.QUInt8,
            "weight_type": quantization.QuantType.QInt8,
            "op_types_to_quantize": ["MatMul", "Gather"],
            **options,
        }
        if linear_inputs_only:  # the one kind of rounding that the native engine keeps
            graph = onnx.load(source).graph
            weights = {each.name for each in graph.initializer}
            settings["op_types_to_quantize"] = ["MatMul"]
            settings["extra_options"] = {
                "OpTypesToExcludeOutputQuantization": ["MatMul"],
                "DedicatedQDQPair": True,
            }
            settings["nodes_to_exclude"] = [
                node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] not in weights
            ]
        quantization.quantize_static(str(source), str(path), Reader(), **settings)
        source.unlink()

    return make


GRAPHS = {
    **{f"legacy{opset}": pytorch(opset=opset) for opset in (14, 15, 16, 17, 18, 19, 20)},
    **{f"legacy{opset}_eager": pytorch(opset=opset, attention="eager") for opset in (11, 12, 13, 14, 17)},
    **{f"dynamo{opset}": pytorch(opset=opset, dynamo=True) for opset in (18, 20, 22, 23)},
    "dynamo18_eager": pytorch(opset=18, dynamo=True, attention="eager"),
    "dynamo18_no_types": pytorch(opset=18, dynamo=True, types=False),
    "legacy17_no_types": pytorch(types=False),
    "legacy14_no_types": pytorch(types=False, opset=14),
    "legacy17_gelu_new": pytorch(hidden_act="gelu_new"),
    "legacy17_gelu_fast": pytorch(hidden_act="gelu_fast"),
    "dynamo20_gelu_new": pytorch(hidden_act="gelu_pytorch_tanh", dynamo=True, opset=20),
    "legacy17_relu": pytorch(hidden_act="relu"),
    "legacy17_silu": pytorch(hidden_act="silu"),
    "legacy17_long": pytorch(max_position_embeddings=512),
    "dynamo18_half": pytorch(half=True, dynamo=True, opset=18),
    "pooler": pooler,
    "sentence_mean": sentence("mean", True),
    "sentence_mean14": sentence("mean", True, opset=14),
    "sentence_mean_plain": sentence("mean", False),
    "sentence_cls": sentence("cls", True),
    "sentence_max": sentence("max", False),
    "sentence_sqrt": sentence("mean_sqrt_len_tokens", False),
    "sentence_dynamo": sentence("mean", True, dynamo=True, opset=18),
    "sentence_dynamo_cls": sentence("cls", True, dynamo=True, opset=18),
    "roberta": pytorch("roberta", types=False),
    "roberta_dynamo": pytorch("roberta", types=False, dynamo=True, opset=18),
    "xlm_roberta": pytorch("xlm-roberta", types=False),
    "electra": pytorch("electra", embedding_size=64),
    "electra_small": pytorch("electra", embedding_size=32),
    "distilbert": pytorch("distilbert", types=False),
    "distilbert_eager": pytorch("distilbert", types=False, attention="eager"),
    "distilbert_dynamo": pytorch("distilbert", types=False, dynamo=True, opset=18),
    "albert": pytorch("albert", embedding_size=32),
    "fused": fused(),
    "fused14": fused(base=pytorch(opset=14)),
    "fused_eager": fused(base=pytorch(attention="eager")),
    "fused_half": fused(half=True),
    "fused_tanh": fused(base=pytorch(hidden_act="gelu_new")),
    "ort_basic": ort_level("ORT_ENABLE_BASIC"),
    "ort_extended": ort_level("ORT_ENABLE_EXTENDED"),
    "ort_extended_dynamo": ort_level("ORT_ENABLE_EXTENDED", base=pytorch(dynamo=True, opset=18)),
    "ort_extended_eager": ort_level("ORT_ENABLE_EXTENDED", base=pytorch(attention="eager")),
    "ort_all": ort_level("ORT_ENABLE_ALL"),
    "int8": dynamic_int8(),
    "int8_per_channel": dynamic_int8(per_channel=True),
    "int8_uint8": dynamic_int8(weight_type=quantization.QuantType.QUInt8),
    "int8_reduced": dynamic_int8(per_channel=True, reduce_range=True),
    "int8_dynamo": dynamic_int8(base=pytorch(dynamo=True, opset=18)),
    "int8_fused": dynamic_int8(
        base=fused(), extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT}
    ),
    "int8_ort_extended": ort_level("ORT_ENABLE_EXTENDED", base=dynamic_int8()),
    "int8_static": static_int8(),
    "int8_static_per_channel": static_int8(per_channel=True),
    "int8_static_inputs": static_int8(linear_inputs_only=True, per_channel=True),
    "int8_fused_eager": dynamic_int8(
        base=fused(base=pytorch(attention="eager")),
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        op_types_to_quantize=["MatMul", "Attention", "EmbedLayerNormalization"],
    ),
    "int8_static_all": static_int8(op_types_to_quantize=None),
    "int8_static_dynamo": static_int8(base=pytorch(dynamo=True, opset=18)),
}


def feeds_for(args, lengths):
    random = np.random.default_rng(3)
    longest = max(lengths)
    ids = np.zeros((len(lengths), longest), np.int64)
    types, mask = np.zeros_like(ids), np.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = random.integers(5, VOCABULARY, length)
        mask[row, :length] = 1
        types[row, :length] = random.integers(0, 2, length)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}, mask


def run(session, feeds):
    """Hidden states and sentence embeddings; None for one that the graph doesn't give."""
    names = {each.name for each in session.get_inputs()}
    outputs = session.run(None, {name: value for name, value in feeds.items() if name in names})
    about = [each.name for each in session.get_outputs()]
    hidden = next((value for value in outputs if value.ndim == 3), None)
    pooled = next((v for v, name in zip(outputs, about) if v.ndim == 2 and name != "pooler_output"), None)
    return hidden, pooled


def write_expected(path, args):
    feeds, mask = feeds_for(args, LENGTHS)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if "int8" in path.name:
        # Dynamic quantization takes its range from the whole batch, padding included, so each sequence runs alone.
        rows = [
            run(session, {name: value[row : row + 1, :length] for name, value in feeds.items()})
            for row, length in enumerate(LENGTHS)
        ]
        hiddens = [hidden[0] for hidden, _ in rows if hidden is not None]
        pooled = [sentence for _, sentence in rows if sentence is not None]
    else:
        hidden, sentence = run(session, feeds)
        hiddens = [hidden[row, :length] for row, length in enumerate(LENGTHS)] if hidden is not None else []
        pooled = [sentence] if sentence is not None else []
    with open(path.with_suffix(".bin"), "wb") as out:
        out.write(struct.pack("<q", len(LENGTHS)))
        for row, length in enumerate(LENGTHS):
            out.write(struct.pack("<q", length))
            out.write(feeds["input_ids"][row, :length].tobytes())
            out.write(feeds["token_type_ids"][row, :length].tobytes())
        for value in hiddens + pooled:
            out.write(value.astype(np.float32).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--only", action="append")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list:
        print("\n".join(GRAPHS))
        return 0
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    args.output.mkdir(parents=True, exist_ok=True)
    failed = {}
    for name in args.only or GRAPHS:
        path = args.output / f"{name}.onnx"
        try:
            with torch.no_grad():
                GRAPHS[name](path, args)
            write_expected(path, args)
        except Exception as error:  # an exporter that this version of PyTorch doesn't have
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
            path.unlink(missing_ok=True)
    print(json.dumps({"failed": failed}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
