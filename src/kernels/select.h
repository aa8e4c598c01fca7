// Takes: the processor's features and EMBEDFORGE_ISA. Gives: the one kernel table to use. Never:
// falls back silently from a forced one.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace embedforge::kernels {

/// The names of all tables, best first.
std::vector<std::string> table_names();

/// Why this processor can't run the table of that name; "" when it can.
std::string why_unsupported(const std::string& name);

/// Errors: kUsage for an unknown name, kNotSupported when the processor lacks it; both name
/// EMBEDFORGE_ISA's choices.
const KernelTable& table(const std::string& name);

/// The table that EMBEDFORGE_ISA names, else the best that the processor supports. Chosen at the
/// first call.
const KernelTable& best_table();

}  // namespace embedforge::kernels
