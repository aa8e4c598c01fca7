// Cutting pieces at matches of a pattern: the five behaviours of the `tokenizers` package.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenize/normalize/rewrites.h"
#include "tokenize/pieces.h"

namespace embedforge {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// A run of bytes of the text: a match of the pattern, or what lies between two.
struct Run {
  uint32_t begin;
  uint32_t end;
  bool match;
};

/// Appends the pieces that `runs` (which cover the piece, in order) make under `behavior`; empty
/// ones go.
void append_splits(const Pieces& in, const std::vector<Run>& runs, SplitBehavior behavior,
                   std::vector<Piece>& out);

/// Replaces every piece without a token by what `runs_of(piece, runs)` and `behavior` make of it.
template <class RunsOf>
void split_pieces(Pieces& pieces, Pieces& scratch, SplitBehavior behavior, RunsOf&& runs_of) {
  std::vector<Piece>& out = scratch.pieces;
  out.clear();
  std::vector<Run> runs;
  for (const Piece& piece : pieces.pieces) {
    if (piece.token != kNoToken) {
      out.push_back(piece);
      continue;
    }
    runs.clear();
    runs_of(piece, runs);
    append_splits(pieces, runs, behavior, out);
  }
  std::swap(pieces.pieces, out);
}

/// Runs of a predicate over code points: every matching character is a match of its own.
template <class Predicate>
void character_runs(const Pieces& in, const Piece& piece, Predicate&& matches,
                    std::vector<Run>& runs) {
  const char* const text = in.text.data();
  const char* p = text + piece.begin;
  const char* const end = text + piece.end;
  uint32_t last = piece.begin;
  while (p < end) {
    const auto begin = static_cast<uint32_t>(p - text);
    if (!matches(decode_utf8(p))) continue;
    const auto next = static_cast<uint32_t>(p - text);
    if (last < begin) runs.push_back({last, begin, false});
    runs.push_back({begin, next, true});
    last = next;
  }
  if (last < piece.end) runs.push_back({last, piece.end, false});
}

template <class Predicate>
void split_characters(Pieces& pieces, Pieces& scratch, SplitBehavior behavior,
                      Predicate&& matches) {
  split_pieces(pieces, scratch, behavior, [&](const Piece& piece, std::vector<Run>& runs) {
    character_runs(pieces, piece, matches, runs);
  });
}

}  // namespace embedforge
