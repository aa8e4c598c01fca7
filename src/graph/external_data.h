// Takes: where a tensor says that its bytes are. Gives: the bytes, mapped. Never: leaves the
// model's folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/mapped_file.h"

namespace embedforge {

/// TensorProto.external_data
struct ExternalLocation {
  std::string file;  // relative to the model's folder
  uint64_t offset = 0;
  std::optional<uint64_t> length;  // nullopt: as much as the shape needs
};

/// The data files beside one model, each mapped once.
class ExternalData {
 public:
  /// `model` is the .onnx file; "" refuses all external data.
  explicit ExternalData(std::filesystem::path model) : model_(std::move(model)) {}

  struct Bytes {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  /// `size`: bytes that the shape and type need. `what` names the model and tensor in errors
  /// (kBadInput).
  Bytes find(const ExternalLocation& location, uint64_t size, const std::string& what);

 private:
  std::filesystem::path resolve(const std::string& file, const std::string& what) const;

  std::filesystem::path model_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace embedforge
