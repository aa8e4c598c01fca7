#include "graph/read_records.h"

#include "graph/onnx_fields.h"
#include "graph/tensor.h"

namespace embedforge {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

std::string standard_domain(std::string domain) {
  return domain == "ai.onnx" ? std::string() : std::move(domain);
}

std::pair<std::string, std::string> read_entry(pbf_reader message) {
  std::pair<std::string, std::string> out;
  while (message.next()) {
    if (message.tag_and_type() == record(onnx::EntryField::kKey)) {
      out.first = message.get_string();
    } else if (message.tag_and_type() == record(onnx::EntryField::kValue)) {
      out.second = message.get_string();
    } else {
      message.skip();
    }
  }
  return out;
}

std::pair<std::string, int64_t> read_opset(pbf_reader message) {
  std::pair<std::string, int64_t> out;
  while (message.next()) {
    if (message.tag_and_type() == record(onnx::OpsetField::kDomain)) {
      out.first = standard_domain(message.get_string());
    } else if (message.tag_and_type() == number(onnx::OpsetField::kVersion)) {
      out.second = message.get_int64();
    } else {
      message.skip();
    }
  }
  return out;
}

namespace {

Dim read_dim(pbf_reader message) {
  Dim out = std::string();
  while (message.next()) {
    if (message.tag_and_type() == number(onnx::ValueField::kDimValue)) {
      out = message.get_int64();
    } else if (message.tag_and_type() == record(onnx::ValueField::kDimParam)) {
      out = message.get_string();
    } else {
      message.skip();
    }
  }
  return out;
}

std::vector<Dim> read_shape(pbf_reader message) {
  std::vector<Dim> out;
  while (message.next()) {
    if (message.tag_and_type() == record(onnx::ValueField::kDim)) {
      out.push_back(read_dim(message.get_message()));
    } else {
      message.skip();
    }
  }
  return out;
}

/// The TypeProto's tensor type; sequences, maps and optionals leave the type undefined.
void read_type(pbf_reader type, ValueInfo& out) {
  while (type.next()) {
    if (type.tag_and_type() != record(onnx::ValueField::kTensorType)) {
      type.skip();
      continue;
    }
    pbf_reader tensor = type.get_message();
    while (tensor.next()) {
      if (tensor.tag_and_type() == number(onnx::ValueField::kElementType)) {
        const int32_t element = tensor.get_int32();
        out.type = is_known_type(element) ? static_cast<DataType>(element) : DataType::kUndefined;
      } else if (tensor.tag_and_type() == record(onnx::ValueField::kShape)) {
        out.shape = read_shape(tensor.get_message());
      } else {
        tensor.skip();
      }
    }
  }
}

}  // namespace

ValueInfo read_value(pbf_reader message) {
  ValueInfo out;
  while (message.next()) {
    if (message.tag_and_type() == record(onnx::ValueField::kName)) {
      out.name = message.get_string();
    } else if (message.tag_and_type() == record(onnx::ValueField::kType)) {
      read_type(message.get_message(), out);
    } else {
      message.skip();
    }
  }
  return out;
}

RawAttribute read_raw_attribute(pbf_reader message) {
  using Field = onnx::AttributeField;
  RawAttribute out;
  int32_t seen = onnx::AttributeType::kUndefined;
  while (message.next()) {
    const bool packed = message.wire_type() == pbf_wire_type::length_delimited;
    switch (message.tag_and_type()) {
      case record(Field::kName):
        out.name = message.get_string();
        break;
      case number(Field::kType):
        out.type = message.get_int32();
        break;
      case protozero::tag_and_type(Field::kFloat, pbf_wire_type::fixed32):
        out.f = message.get_float();
        seen = onnx::AttributeType::kFloat;
        break;
      case number(Field::kInt):
        out.i = message.get_int64();
        seen = onnx::AttributeType::kInt;
        break;
      case record(Field::kString):
        out.s = message.get_string();
        seen = onnx::AttributeType::kString;
        break;
      case record(Field::kTensor):
        out.tensor = message.get_view();
        seen = onnx::AttributeType::kTensor;
        break;
      case record(Field::kGraph):
        out.graph = message.get_view();
        seen = onnx::AttributeType::kGraph;
        break;
      case record(Field::kFloats):
      case protozero::tag_and_type(Field::kFloats, pbf_wire_type::fixed32):
        if (packed) {
          for (const float value : message.get_packed_float()) out.floats.push_back(value);
        } else {
          out.floats.push_back(message.get_float());
        }
        seen = onnx::AttributeType::kFloats;
        break;
      case record(Field::kInts):
      case number(Field::kInts):
        if (packed) {
          for (const int64_t value : message.get_packed_int64()) out.ints.push_back(value);
        } else {
          out.ints.push_back(message.get_int64());
        }
        seen = onnx::AttributeType::kInts;
        break;
      case record(Field::kStrings):
        out.strings.push_back(message.get_string());
        seen = onnx::AttributeType::kStrings;
        break;
      default:
        message.skip();
    }
  }
  if (out.type == onnx::AttributeType::kUndefined) out.type = seen;
  return out;
}

}  // namespace embedforge
