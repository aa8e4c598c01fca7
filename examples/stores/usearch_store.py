"""usearch: an HNSW index of floats, and one of bits. usearch_store.py MODEL"""

import sys

import numpy as np
from corpus import DOCUMENTS, QUESTIONS, check
from usearch.index import Index

from embedforge import Embedder

model = Embedder(sys.argv[1])
questions = list(QUESTIONS)
keys = np.arange(len(DOCUMENTS))

index = Index(ndim=model.dimension, metric="cos", dtype="f32")
index.add(keys, model.encode_document(DOCUMENTS))
vectors = model.encode_query(questions)
found = {q: int(index.search(v, 1).keys[0]) for q, v in zip(questions, vectors, strict=True)}
check("usearch float32", found)

bits = Index(ndim=model.dimension, metric="hamming", dtype="b1")
bits.add(keys, model.encode_document(DOCUMENTS, precision="ubinary"))
vectors = model.encode_query(questions, precision="ubinary")
found = {q: int(bits.search(v, 1).keys[0]) for q, v in zip(questions, vectors, strict=True)}
check("usearch binary", found)
