#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/weights.h"
#include "config/json_file.h"
#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own bound

struct NamedType {
  std::string_view name;
  DataType type;
};
constexpr std::array<NamedType, 12> kTypes = {{{"F64", DataType::kDouble},
                                               {"F32", DataType::kFloat},
                                               {"F16", DataType::kFloat16},
                                               {"BF16", DataType::kBfloat16},
                                               {"I64", DataType::kInt64},
                                               {"I32", DataType::kInt32},
                                               {"I16", DataType::kInt16},
                                               {"I8", DataType::kInt8},
                                               {"U8", DataType::kUint8},
                                               {"U16", DataType::kUint16},
                                               {"U32", DataType::kUint32},
                                               {"BOOL", DataType::kBool}}};

struct Entry {
  std::string name;
  DataType type = DataType::kUndefined;
  std::vector<int64_t> dims;
  uint64_t begin = 0;
  uint64_t end = 0;
};

uint64_t offset_at(const nlohmann::json& offsets, size_t i, const std::string& where) {
  if (!offsets[i].is_number_unsigned()) throw_bad_input(where + ": data_offsets must be integers");
  return offsets[i].get<uint64_t>();
}

/// One entry of the header, checked by itself; `data_size` bounds its offsets.
Entry parse_entry(const std::string& name, const nlohmann::json& value, uint64_t data_size,
                  const std::string& file) {
  const std::string where = file + ": tensor \"" + name + "\"";
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets") || !value["dtype"].is_string() ||
      !value["shape"].is_array() || !value["data_offsets"].is_array() ||
      value["data_offsets"].size() != 2) {
    throw_bad_input(where + ": the header must give dtype, shape and two data_offsets");
  }
  Entry entry;
  entry.name = name;
  const std::string dtype = value["dtype"].get<std::string>();
  const auto known = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const NamedType& type) { return type.name == dtype; });
  if (known == kTypes.end()) throw_not_supported(where + ": dtype " + dtype + " is not supported");
  entry.type = known->type;
  for (const nlohmann::json& dim : value["shape"]) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > INT64_MAX) {
      throw_bad_input(where + ": shape must hold sizes");
    }
    entry.dims.push_back(dim.get<int64_t>());
  }
  entry.begin = offset_at(value["data_offsets"], 0, where);
  entry.end = offset_at(value["data_offsets"], 1, where);
  if (entry.begin > entry.end || entry.end > data_size) {
    throw_bad_input(where + ": data_offsets [" + std::to_string(entry.begin) + ", " +
                    std::to_string(entry.end) + "] leave the " + std::to_string(data_size) +
                    " bytes of data; the file is truncated or damaged");
  }
  const uint64_t expected = checked_byte_count(entry.dims, element_size(entry.type), where);
  if (expected != entry.end - entry.begin) {
    throw_bad_input(where + ": shape " + dims_text(entry.dims) + " of " + dtype + " needs " +
                    std::to_string(expected) + " bytes, data_offsets give " +
                    std::to_string(entry.end - entry.begin));
  }
  return entry;
}

/// The tensors must fill the data from its first byte to its last, one after another.
void check_no_gaps(std::vector<Entry>& entries, uint64_t data_size, const std::string& file) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      throw_bad_input(file + ": tensor \"" + entry.name + "\" starts at byte " +
                      std::to_string(entry.begin) + " of the data, expected " + std::to_string(at) +
                      " (tensors must neither overlap nor leave gaps)");
    }
    at = entry.end;
  }
  if (at != data_size) {
    throw_bad_input(file + ": " + std::to_string(data_size - at) +
                    " bytes after the last tensor belong to none");
  }
}

nlohmann::json parse_header(std::string_view text, const std::string& file) {
  if (text.empty() || text.front() != '{') throw_bad_input(file + ": the header is not JSON");
  return JsonFile::parse(text, file + ": header").value();
}

}  // namespace

TensorMap read_safetensors(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto mapped = std::make_shared<const MappedFile>(MappedFile::open(path));
  const std::span<const std::byte> bytes = mapped->bytes();
  if (bytes.size() < 8) {
    throw_bad_input(file + ": " + std::to_string(bytes.size()) + " bytes are no safetensors file");
  }
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > bytes.size() - 8 || header_size > kMaxHeader) {
    throw_bad_input(file + ": the header claims " + std::to_string(header_size) +
                    " bytes, the file has " + std::to_string(bytes.size()) +
                    "; it is truncated or no safetensors file");
  }
  const nlohmann::json header =
      parse_header({reinterpret_cast<const char*>(bytes.data()) + 8, header_size}, file);
  const std::span<const std::byte> data = bytes.subspan(8 + header_size);

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") entries.push_back(parse_entry(name, value, data.size(), file));
  }
  check_no_gaps(entries, data.size(), file);
  TensorMap tensors;
  for (Entry& entry : entries) {
    const auto span = data.subspan(entry.begin, entry.end - entry.begin);
    tensors[entry.name] = make_view(entry.type, std::move(entry.dims), span, mapped);
  }
  return tensors;
}

}  // namespace embedforge
