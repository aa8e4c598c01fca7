"""Chroma: embedforge as its embedding function. chroma_store.py MODEL"""

import sys

import chromadb
from corpus import DOCUMENTS, QUESTIONS, check

from embedforge.integrations.chroma import EmbedforgeEmbeddingFunction

client = chromadb.EphemeralClient()
documents = client.create_collection(
    "documents", embedding_function=EmbedforgeEmbeddingFunction(sys.argv[1])
)
documents.add(ids=[str(place) for place in range(len(DOCUMENTS))], documents=DOCUMENTS)
hits = documents.query(query_texts=list(QUESTIONS), n_results=1)
check("chroma", {q: int(ids[0]) for q, ids in zip(QUESTIONS, hits["ids"], strict=True)})
