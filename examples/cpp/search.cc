// search MODEL QUERY TEXT...: the texts by how close they are to the query.
#include <embedforge/embedder.h>
#include <embedforge/error.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: search MODEL QUERY TEXT...\n", stderr);
    return 2;
  }
  try {
    const auto embedder = embedforge::Embedder::load(argv[1], {.threads = 2});
    const std::vector<std::string> texts(argv + 3, argv + argc);
    const embedforge::Matrix query = embedder.encode_query(std::vector<std::string>{argv[2]});
    const embedforge::Matrix vectors = embedder.encode_document(texts);

    struct Hit {
      float score;
      std::string text;
    };
    std::vector<Hit> hits;
    for (size_t i = 0; i < vectors.rows; ++i) {
      float score = 0;
      for (size_t j = 0; j < vectors.columns; ++j) score += query.row(0)[j] * vectors.row(i)[j];
      hits.push_back({score, texts[i]});
    }
    std::sort(hits.begin(), hits.end(),
              [](const Hit& a, const Hit& b) { return a.score > b.score; });
    for (const Hit& hit : hits) std::printf("%.4f  %s\n", hit.score, hit.text.c_str());
  } catch (const embedforge::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return embedforge::exit_status(error.code());
  }
}
