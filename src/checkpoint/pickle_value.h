// Takes: nothing; the values that the restricted pickle reader builds. Gives: them, in an arena
// that references index. Never: owns cycles: a reference is a number, so a list that holds itself
// is freed like any other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/state_dict.h"

namespace embedforge {

using PickleRef = uint32_t;

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kStorage,
    kTensor
  };
  Kind kind = Kind::kNone;
  int64_t number = 0;            // kBool, kInt
  std::string text;              // kString; kGlobal: "module.name"
  std::vector<PickleRef> items;  // kTuple, kList; kDict: key, value, key, value...
  StoredTensor tensor;           // kStorage (type, storage, storage_elements), kTensor
};

}  // namespace embedforge
