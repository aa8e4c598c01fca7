// The text of peer_worker.py, which the build puts into the library.
#pragma once

namespace embedforge::benchmarking {

extern const char* const kPeerWorker;

}  // namespace embedforge::benchmarking
