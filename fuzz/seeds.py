"""Where the fuzz targets start from: the small tokenizers, texts and graphs of tests/golden. seeds.py CORPUS_FOLDER"""

import json
import shutil
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def main() -> None:
    corpus = Path(sys.argv[1])
    folders = {
        kind: corpus / f"{kind}_fuzz"
        for kind in ("tokenizer_json", "tokenizer_text", "onnx", "csv", "jsonl", "journal")
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(GOLDEN.glob("tokenizer_*.json")):
        golden = json.loads(path.read_text(encoding="utf-8"))
        (folders["tokenizer_json"] / path.name).write_text(json.dumps(golden["tokenizer"]))
        for i, one in enumerate(golden["cases"]):
            text = folders["tokenizer_text"] / f"{path.stem}_{i}"
            text.write_text(one["text"], encoding="utf-8", newline="")
    (folders["csv"] / "rows").write_bytes(b'id,text\r\n1,"a ""b"", c\n"\n2,"open\n3,"x" y\n')
    line = {"id": 17, "title": "a", "text": "b \u00e4 \U0001f600", "more": [1.5, None, {"c": True}]}
    (folders["jsonl"] / "line").write_text(json.dumps(line))
    (folders["jsonl"] / "template").write_text("{title}: {body} {{}}")
    (folders["journal"] / "head").write_text('{"journal":1,"job":{"field":"text"}}\n')
    for path in sorted((GOLDEN / "graphs").glob("*.onnx")):
        shutil.copy(path, folders["onnx"])


if __name__ == "__main__":
    main()
