"""DuckDB: embed() as a function of SQL, and an array column. duckdb_store.py MODEL"""

import sys

import duckdb
from corpus import DOCUMENTS, QUESTIONS, check

from embedforge import Embedder
from embedforge.columns import embed_column

model = Embedder(sys.argv[1])
base = duckdb.connect()
kind = f"FLOAT[{model.dimension}]"
base.create_function(
    "embed", lambda texts: embed_column(model, texts), ["VARCHAR"], kind, type="arrow"
)
base.execute(f"CREATE TABLE documents (place INTEGER, text VARCHAR, embedding {kind})")
base.executemany("INSERT INTO documents (place, text) VALUES (?, ?)", list(enumerate(DOCUMENTS)))
base.execute("UPDATE documents SET embedding = embed(text)")
nearest = f"""
    WITH question AS (SELECT embed(?)::{kind} AS vector)
    SELECT place FROM documents, question
    ORDER BY array_inner_product(embedding, vector) DESC LIMIT 1
"""
check("duckdb", {q: base.execute(nearest, [q]).fetchone()[0] for q in QUESTIONS})
