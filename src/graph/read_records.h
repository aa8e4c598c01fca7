// Takes: small records of an ONNX file. Gives: them as values. Never: touches tensors or graphs.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// The tags that protozero's tag_and_type() gives for varints and for length-delimited records.
constexpr uint32_t number(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::varint);
}
constexpr uint32_t record(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

/// "" for "ai.onnx", which is another name of the standard domain.
std::string standard_domain(std::string domain);
std::pair<std::string, std::string> read_entry(protozero::pbf_reader message);
std::pair<std::string, int64_t> read_opset(protozero::pbf_reader message);
/// Sequences, maps and optionals leave the type undefined.
ValueInfo read_value(protozero::pbf_reader message);

/// AttributeProto, with the tensor or graph that it may hold still unread.
struct RawAttribute {
  std::string name;
  int32_t type = 0;  // of onnx::AttributeType, by the field that is there where older files have
                     // none the type field
  float f = 0;
  int64_t i = 0;
  std::string s;
  protozero::data_view tensor;
  protozero::data_view graph;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
};
RawAttribute read_raw_attribute(protozero::pbf_reader message);

}  // namespace embedforge
