"""llama.cpp's server with an embedding model, through the package xllamacpp: serve_peer_llama.py MODEL.gguf PORT SLOTS."""

import sys
import time

import xllamacpp

model, port, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.embedding = True
parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.n_parallel = slots
parameters.n_ctx = 512 * slots
parameters.n_batch = parameters.n_ubatch = 2048
parameters.n_threads_http = 4
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
parameters.warmup = False
server = xllamacpp.Server(parameters)
while True:
    time.sleep(3600)
