// Milliseconds of Embedder::encode on the lines of a file: once for each line that comes in on
// standard input, so that bench/python_overhead.py can take turns with it.
//
//   encode_time MODEL TEXTS.txt
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "embedforge/embedder.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: encode_time MODEL TEXTS.txt\n");
    return 2;
  }
  try {
    std::vector<std::string> texts;
    std::ifstream in(argv[2]);
    for (std::string line; std::getline(in, line);) texts.push_back(line);
    const embedforge::Embedder embedder = embedforge::Embedder::load(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      const auto start = std::chrono::steady_clock::now();
      const embedforge::Matrix vectors = embedder.encode(texts);
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - start;
      if (vectors.rows != texts.size()) return 1;
      std::printf("%.4f\n", took.count());
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encode_time: %s\n", error.what());
    return 1;
  }
  return 0;
}
