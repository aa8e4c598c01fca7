"""Where the fuzz targets start from: the small tokenizers, texts and graphs of tests/golden, a body for each field
of the server's OpenAPI document, requests in all framings. seeds.py CORPUS_FOLDER"""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


def sample(schema: dict, schemas: dict) -> object:
    """A value of a JSON schema."""
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas)
    for choice in ("anyOf", "enum"):
        if choice in schema:
            first = schema[choice][0]
            return first if choice == "enum" else sample(first, schemas)
    kind = schema.get("type", "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        fields = {name: sample(one, schemas) for name, one in schema.get("properties", {}).items()}
        return fields | {"model": "small"} if "model" in fields else fields
    if kind == "array":
        return [sample(schema["items"], schemas)] if "items" in schema else []
    return {"string": "query", "integer": 1, "number": 0.5, "boolean": True}.get(kind)


def main() -> None:
    corpus = Path(sys.argv[1])
    folders = {
        kind: corpus / f"{kind}_fuzz"
        for kind in (
            "tokenizer_json",
            "tokenizer_text",
            "onnx",
            "serve_body",
            "http_request",
            "csv",
            "jsonl",
            "journal",
        )
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
    host = "Host: h\r\n"
    requests = (
        f"GET /models/a%20b/embed?x=1 HTTP/1.1\r\n{host}\r\n" * 2,
        f"POST /embed HTTP/1.1\r\n{host}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        f"POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: t\r\n\r\n",
        "POST http://h/ HTTP/1.0\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
    )
    for i, request in enumerate(requests):
        (folders["http_request"] / str(i)).write_bytes(b"\x05" + request.encode())
    document = json.loads((ROOT / "src/serve/openapi.json").read_text())
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        (folders["serve_body"] / name).write_text(json.dumps(sample(schema, schemas)))


if __name__ == "__main__":
    main()
