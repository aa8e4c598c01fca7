// Takes: operations. Gives: a slot for every value, shared by values that never live at once.
#pragma once

#include "engine/compile.h"

namespace embedforge {

/// Fills slot_of_value and slot_width. A value's slot is free again after the operation that reads
/// it last.
void assign_slots(Compiled& compiled);

}  // namespace embedforge
