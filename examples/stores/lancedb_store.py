"""LanceDB: a table with a column of vectors. lancedb_store.py MODEL"""

import sys
import tempfile

import lancedb
import pyarrow
from corpus import DOCUMENTS, QUESTIONS, check

from embedforge import Embedder
from embedforge.columns import fixed_size_list

model = Embedder(sys.argv[1])
rows = pyarrow.table(
    {
        "place": range(len(DOCUMENTS)),
        "text": DOCUMENTS,
        "vector": fixed_size_list(model.encode_document(DOCUMENTS)),
    }
)
with tempfile.TemporaryDirectory() as folder:
    table = lancedb.connect(folder).create_table("documents", rows)
    found = {}
    for question in QUESTIONS:
        hits = table.search(model.encode_query(question)).metric("dot").limit(1).to_list()
        found[question] = hits[0]["place"]
    check("lancedb", found)
