"""embedforge.spark with a real Spark: two executors in processes of their own, one of which is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embedforge
from texts import sentences

pytest.importorskip("pyspark")
TEXTS = sentences()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
        .getOrCreate()
    )
    yield session
    session.stop()


def same(rows: list[Any], embedder: embedforge.Embedder) -> None:
    assert sorted(row["id"] for row in rows) == list(range(len(TEXTS))), "each id once"
    wanted = embedder.encode(TEXTS)
    for row in rows:
        assert (np.float32(row["embedding"]) == wanted[row["id"]]).all()


def test_a_column_and_a_frame(
    spark: Any, converted: Path, embedder: embedforge.Embedder, tmp_path: Path
) -> None:
    import embedforge.spark

    archive = shutil.make_archive(str(tmp_path / "model"), "zip", converted)
    spark.sparkContext.addArchive(f"{archive}#sent")
    frame = spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string").repartition(4)
    udf = embedforge.spark.embed_udf(str(converted), batch_size=64)
    same(frame.select("id", udf("text").alias("embedding")).collect(), embedder)
    made = embedforge.spark.embed_arrow(frame, "sent")
    assert made.columns == ["id", "text", "embedding"]
    same(made.collect(), embedder)


def executors() -> list[int]:
    found = subprocess.run(
        ["pgrep", "-f", "CoarseGrainedExecutorBackend.*--executor-id"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(pid) for pid in found.stdout.split()]


def test_an_executor_is_killed(
    spark: Any, converted: Path, embedder: embedforge.Embedder, tmp_path: Path
) -> None:
    import embedforge.spark

    started = tmp_path / "started"

    def slowly(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            started.touch()
            time.sleep(0.2)
            yield batch

    def kill() -> None:
        while not started.exists():
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(executors()[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    frame = spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string").repartition(8)
    rows = (
        embedforge.spark.embed_arrow(frame, converted)
        .mapInArrow(slowly, "id long, text string, embedding array<float>")
        .collect()
    )
    killer.join()
    same(rows, embedder)
