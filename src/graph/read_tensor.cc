#include "graph/read_tensor.h"

#include <charconv>
#include <limits>

#include "embedforge/error.h"
#include "graph/onnx_fields.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using Field = onnx::TensorField;

/// TensorProto with its typed data already in the element type's own width.
struct RawTensor {
  std::string name;
  std::vector<int64_t> dims;
  int32_t type = 0;
  std::span<const std::byte> raw;
  bool has_raw = false;
  std::vector<float> floats;
  std::vector<int32_t> ints32;
  std::vector<int64_t> ints64;
  std::vector<double> doubles;
  std::vector<uint64_t> uints64;
  std::vector<size_t> string_sizes;
  std::vector<std::byte> strings;  // one after another
  ExternalLocation location;
  bool external = false;
};

std::span<const std::byte> as_bytes(data_view view) {
  return {reinterpret_cast<const std::byte*>(view.data()), view.size()};
}

uint64_t parse_number(const std::string& text, const std::string& what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw_bad_input(what + ": external data has the offset or length '" + text + "'");
  }
  return value;
}

void read_location(pbf_reader entry, ExternalLocation& location, const std::string& what) {
  std::string key;
  std::string value;
  while (entry.next()) {
    if (entry.tag_and_type() ==
        protozero::tag_and_type(onnx::EntryField::kKey, pbf_wire_type::length_delimited)) {
      key = entry.get_string();
    } else if (entry.tag_and_type() ==
               protozero::tag_and_type(onnx::EntryField::kValue, pbf_wire_type::length_delimited)) {
      value = entry.get_string();
    } else {
      entry.skip();
    }
  }
  if (key == "location") location.file = value;
  if (key == "offset") location.offset = parse_number(value, what);
  if (key == "length") location.length = parse_number(value, what);
}

template <typename Range, typename T>
void append(const Range& range, std::vector<T>& out) {
  for (const auto value : range) out.push_back(static_cast<T>(value));
}

/// Repeated numbers, packed or one record each. Returns false when the field is not one of them.
bool read_numbers(pbf_reader& message, RawTensor& out) {
  const bool packed = message.wire_type() == pbf_wire_type::length_delimited;
  const bool varint = message.wire_type() == pbf_wire_type::varint;
  switch (message.tag()) {
    case Field::kDims:
      if (packed) append(message.get_packed_int64(), out.dims);
      if (varint) out.dims.push_back(message.get_int64());
      return packed || varint;
    case Field::kInt32Data:
      if (packed) append(message.get_packed_int32(), out.ints32);
      if (varint) out.ints32.push_back(message.get_int32());
      return packed || varint;
    case Field::kInt64Data:
      if (packed) append(message.get_packed_int64(), out.ints64);
      if (varint) out.ints64.push_back(message.get_int64());
      return packed || varint;
    case Field::kUint64Data:
      if (packed) append(message.get_packed_uint64(), out.uints64);
      if (varint) out.uints64.push_back(message.get_uint64());
      return packed || varint;
    case Field::kFloatData:
      if (packed) {
        append(message.get_packed_float(), out.floats);
      } else if (message.wire_type() == pbf_wire_type::fixed32) {
        out.floats.push_back(message.get_float());
      } else {
        return false;
      }
      return true;
    case Field::kDoubleData:
      if (packed) {
        append(message.get_packed_double(), out.doubles);
      } else if (message.wire_type() == pbf_wire_type::fixed64) {
        out.doubles.push_back(message.get_double());
      } else {
        return false;
      }
      return true;
    default:
      return false;
  }
}

RawTensor read_fields(pbf_reader message, const std::string& what) {
  RawTensor out;
  while (message.next()) {
    if (read_numbers(message, out)) continue;
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(Field::kDataType, pbf_wire_type::varint):
        out.type = message.get_int32();
        break;
      case protozero::tag_and_type(Field::kName, pbf_wire_type::length_delimited):
        out.name = message.get_string();
        break;
      case protozero::tag_and_type(Field::kRawData, pbf_wire_type::length_delimited):
        out.raw = as_bytes(message.get_view());
        out.has_raw = true;
        break;
      case protozero::tag_and_type(Field::kStringData, pbf_wire_type::length_delimited): {
        const data_view view = message.get_view();
        out.string_sizes.push_back(view.size());
        append(as_bytes(view), out.strings);
        break;
      }
      case protozero::tag_and_type(Field::kExternalData, pbf_wire_type::length_delimited):
        read_location(message.get_message(), out.location, what);
        break;
      case protozero::tag_and_type(Field::kDataLocation, pbf_wire_type::varint):
        out.external = message.get_int32() == Field::kExternal;
        break;
      default:
        message.skip();
    }
  }
  return out;
}

template <typename T, typename Wide>
Tensor narrow(DataType type, std::vector<int64_t> dims, const std::vector<Wide>& values) {
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<T>(values[i]);
  return Tensor::from(type, std::move(dims), std::move(out));
}

Tensor from_typed_data(RawTensor& raw, DataType type) {
  switch (type) {
    case DataType::kFloat:
      return Tensor::from(type, raw.dims, std::move(raw.floats));
    case DataType::kDouble:
      return Tensor::from(type, raw.dims, std::move(raw.doubles));
    case DataType::kInt64:
      return Tensor::from(type, raw.dims, std::move(raw.ints64));
    case DataType::kInt32:
      return Tensor::from(type, raw.dims, std::move(raw.ints32));
    case DataType::kUint64:
      return Tensor::from(type, raw.dims, std::move(raw.uints64));
    case DataType::kUint32:
      return narrow<uint32_t>(type, raw.dims, raw.uints64);
    case DataType::kInt8:
      return narrow<int8_t>(type, raw.dims, raw.ints32);
    case DataType::kInt16:
      return narrow<int16_t>(type, raw.dims, raw.ints32);
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return narrow<uint16_t>(type, raw.dims, raw.ints32);
    default:
      return narrow<uint8_t>(type, raw.dims, raw.ints32);
  }
}

/// Strings have no fixed size: `bytes` are 8 bytes of length and then the text, for each.
Tensor from_strings(const RawTensor& raw, const std::string& what) {
  const auto count = checked_element_count(raw.dims);
  if (!count || *count != static_cast<int64_t>(raw.string_sizes.size())) {
    throw_bad_input(what + ": its shape doesn't match its number of strings");
  }
  std::vector<std::byte> bytes;
  size_t at = 0;
  for (const size_t size : raw.string_sizes) {
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(std::byte((size >> shift) & 0xFF));
    bytes.insert(bytes.end(), raw.strings.begin() + static_cast<ptrdiff_t>(at),
                 raw.strings.begin() + static_cast<ptrdiff_t>(at + size));
    at += size;
  }
  return Tensor::from(DataType::kString, raw.dims, std::move(bytes));
}

}  // namespace

NamedTensor read_tensor(pbf_reader message, const std::shared_ptr<const void>& owner,
                        ExternalData& external, const std::string& model,
                        const std::string& where) {
  RawTensor raw = read_fields(message, model + ": " + where);
  const std::string what = model + ": " + where + (raw.name.empty() ? "" : " '" + raw.name + "'");
  if (!is_known_type(raw.type)) {
    throw_not_supported(what + ": element type " + std::to_string(raw.type) + " of onnx.proto");
  }
  const auto type = static_cast<DataType>(raw.type);
  if (type == DataType::kString) return {std::move(raw.name), from_strings(raw, what)};

  const auto count = checked_element_count(raw.dims);
  const size_t size = element_size(type);
  if (!count || static_cast<uint64_t>(*count) > std::numeric_limits<uint64_t>::max() / size) {
    throw_bad_input(what + ": its shape has a negative size or is too large");
  }
  const uint64_t needed = static_cast<uint64_t>(*count) * size;
  if (raw.external) {
    const ExternalData::Bytes found = external.find(raw.location, needed, what);
    return {std::move(raw.name), make_view(type, std::move(raw.dims), found.bytes, found.owner)};
  }
  Tensor tensor = raw.has_raw ? Tensor{type, raw.dims, raw.raw, owner} : from_typed_data(raw, type);
  if (tensor.bytes.size() != needed) {
    throw_bad_input(what + ": its shape needs " + std::to_string(needed) + " bytes, the file has " +
                    std::to_string(tensor.bytes.size()));
  }
  if (raw.has_raw) tensor = make_view(type, std::move(raw.dims), raw.raw, owner);
  return {std::move(raw.name), std::move(tensor)};
}

}  // namespace embedforge
