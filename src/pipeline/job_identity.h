// Takes: a job. Gives: what must be the same for another run to go on with its output. Never: reads
// more of an input than its beginning.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "pipeline/embed_job.h"

namespace embedforge {

nlohmann::json job_identity(const Embedder& embedder, const JobOptions& options,
                            const std::vector<InputFile>& inputs,
                            const std::vector<FileIdentity>& identities);

}  // namespace embedforge
