"""embedforge in Ray Data: `embed(dataset, "minilm")`, or its class in a map_batches of your own.

Resuming is Ray's: ray.data.checkpoint.CheckpointConfig; what to mind is in docs/scale.md.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow
import ray
import ray.data

from embedforge.columns import fixed_size_list
from embedforge.embedder import Embedder
from embedforge.slices import encode_slices


class RayEmbedder:
    """For Dataset.map_batches with batch_format="pyarrow": adds the column `output` to each batch.

    The model is loaded once an actor, with as many threads as the actor has CPUs. `model` is a path that all nodes
    see, or a hub id; `options` are those of Embedder, `encode` those of Embedder.encode.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        column: str = "text",
        output: str = "embedding",
        encode: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        options.setdefault("threads", max(1, int(cpus)))
        self.embedder = Embedder(model, **options)
        self.column, self.output, self.encode = column, output, encode or {}

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        vectors = encode_slices(self.embedder, batch[self.column], **self.encode)
        return batch.append_column(self.output, fixed_size_list(vectors))


def embed(
    dataset: ray.data.Dataset,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    output: str = "embedding",
    actors: int | tuple[int, int] = 1,
    cpus: int = 1,
    batch_size: int = 1024,
    encode: dict[str, Any] | None = None,
    **options: Any,
) -> ray.data.Dataset:
    """The dataset with a column of embeddings more, made by `actors` (or from least to most) of `cpus` CPUs each."""
    least, most = (actors, actors) if isinstance(actors, int) else actors
    return dataset.map_batches(
        RayEmbedder,
        fn_constructor_kwargs={
            "model": os.fspath(model),
            "column": column,
            "output": output,
            "encode": encode,
            **options,
        },
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        num_cpus=cpus,
        batch_size=batch_size,
        batch_format="pyarrow",
        zero_copy_batch=True,
    )
