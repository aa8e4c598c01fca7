// Takes: an embedding step and a sequence's tokens. Gives: the sum of their table rows. Never:
// checks ids (the engine has).
#pragma once

#include "engine/tile.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// out [length, width]: for each token the sum over the step's tables of the row that its source
/// names.
void embed_tokens(const EmbedStep& step, const kernels::KernelTable& table, const TokenBatch& batch,
                  const TileSequence& sequence, float* out);

}  // namespace embedforge
