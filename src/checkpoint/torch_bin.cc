#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/state_dict.h"
#include "checkpoint/weights.h"
#include "checkpoint/zip.h"
#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

using Entries = std::map<std::string, std::span<const std::byte>>;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The folder that the archive's entries lie in ("archive/"), known by its data.pkl.
std::string archive_folder(const Entries& entries, const std::string& file) {
  std::optional<std::string> folder;
  for (const auto& [name, bytes] : entries) {
    if (!name.ends_with("/data.pkl")) continue;
    if (folder) throw_bad_input(file + ": has more than one data.pkl");
    folder = name.substr(0, name.size() - std::strlen("data.pkl"));
  }
  if (!folder) throw_bad_input(file + ": has no data.pkl; torch.save did not write it");
  return *folder;
}

bool is_contiguous(const StoredTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.dims.size(); i-- > 0;) {
    if (tensor.dims[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.dims[i];
  }
  return true;
}

/// Elements from the first to the last that the view touches. Errors: kBadInput when the sum
/// overflows.
uint64_t extent(const StoredTensor& tensor, const std::string& where) {
  uint64_t last = 0;
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    uint64_t reach = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(tensor.dims[i] - 1),
                               static_cast<uint64_t>(tensor.strides[i]), &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      throw_bad_input(where + ": its strides are too large");
    }
  }
  return last + 1;
}

/// A copy in row-major order of a view with any strides.
std::shared_ptr<const std::vector<std::byte>> gathered(const StoredTensor& tensor,
                                                       std::span<const std::byte> from,
                                                       size_t element, uint64_t byte_count) {
  auto copy = std::make_shared<std::vector<std::byte>>(byte_count);
  std::vector<int64_t> index(tensor.dims.size(), 0);
  for (uint64_t out = 0; out < byte_count; out += element) {
    int64_t in = 0;
    for (size_t i = 0; i < index.size(); ++i) in += index[i] * tensor.strides[i];
    std::memcpy(copy->data() + out, from.data() + static_cast<size_t>(in) * element, element);
    for (size_t i = index.size(); i > 0; --i) {
      if (++index[i - 1] < tensor.dims[i - 1]) break;
      index[i - 1] = 0;
    }
  }
  return copy;
}

Tensor view(const StoredTensor& stored, std::span<const std::byte> storage,
            const std::shared_ptr<const MappedFile>& owner, const std::string& where) {
  const size_t element = element_size(stored.type);
  const uint64_t byte_count = checked_byte_count(stored.dims, element, where);
  Tensor tensor{stored.type, stored.dims, {}, owner};
  if (byte_count == 0) return tensor;
  const uint64_t available = storage.size() / element;
  const uint64_t needed = extent(stored, where);
  if (stored.offset > available || needed > available - stored.offset) {
    throw_bad_input(where + ": shape " + dims_text(stored.dims) + " leaves its storage of " +
                    std::to_string(available) + " elements");
  }
  const auto from = storage.subspan(stored.offset * element);
  if (is_contiguous(stored)) {
    return make_view(stored.type, stored.dims, from.first(byte_count), owner);
  }
  if (byte_count / element > available) {
    throw_bad_input(where + ": is larger than its storage (an expanded view); save it contiguous");
  }
  auto copy = gathered(stored, from, element, byte_count);
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return tensor;
}

void refuse_other_formats(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text = text_of(bytes);
  if (text.starts_with("PK")) return;
  if (text.starts_with("\x80\x02\x8a\x0a")) {
    throw_not_supported(file +
                        ": is in PyTorch's format of before version 1.6; load and save it with a "
                        "newer PyTorch, or as model.safetensors");
  }
  throw_bad_input(file + ": is no file of torch.save (no zip archive)");
}

}  // namespace

TensorMap read_torch_bin(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto mapped = std::make_shared<const MappedFile>(MappedFile::open(path));
  refuse_other_formats(mapped->bytes(), file);
  const Entries entries = read_zip(mapped->bytes(), file);
  const std::string folder = archive_folder(entries, file);
  if (const auto order = entries.find(folder + "byteorder");
      order != entries.end() && text_of(order->second) != "little") {
    throw_not_supported(file + ": was saved on a big-endian machine");
  }
  TensorMap tensors;
  for (const auto& [name, stored] : read_state_dict(entries.at(folder + "data.pkl"), file)) {
    const std::string where = file + ": tensor \"" + name + "\"";
    const auto storage = entries.find(folder + "data/" + stored.storage);
    if (storage == entries.end()) {
      throw_bad_input(where + ": the archive lacks its storage data/" + stored.storage);
    }
    tensors[name] = view(stored, storage->second, mapped, where);
  }
  return tensors;
}

}  // namespace embedforge
