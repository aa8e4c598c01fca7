// Takes: lines as peer_worker.py does, on standard input. Gives: the same answers for the native
// engine, on standard output. Never: is run by users; `embedforge bench` starts it.
#pragma once

namespace embedforge::benchmarking {

void run_native_worker();

}  // namespace embedforge::benchmarking
