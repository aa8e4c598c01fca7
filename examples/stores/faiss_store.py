"""faiss: floats by inner product, and binary vectors by Hamming distance. faiss_store.py MODEL"""

import sys

import faiss
from corpus import DOCUMENTS, QUESTIONS, check

from embedforge import Embedder

model = Embedder(sys.argv[1])
questions = list(QUESTIONS)

index = faiss.IndexFlatIP(model.dimension)  # of normalized vectors: the cosine
index.add(model.encode_document(DOCUMENTS))
_, places = index.search(model.encode_query(questions), 1)
check("faiss float32", dict(zip(questions, places[:, 0].tolist(), strict=True)))

binary = faiss.IndexBinaryFlat(model.dimension)  # 8 dimensions a byte
binary.add(model.encode_document(DOCUMENTS, precision="ubinary"))
_, places = binary.search(model.encode_query(questions, precision="ubinary"), 1)
check("faiss binary", dict(zip(questions, places[:, 0].tolist(), strict=True)))
