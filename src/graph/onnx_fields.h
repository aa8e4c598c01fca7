// Takes: nothing; the field numbers of onnx.proto that the reader and the writer share.
// Gives: a name for each (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Never: logic.
#pragma once

#include <cstdint>

namespace embedforge::onnx {

struct Model {
  static constexpr uint32_t kIrVersion = 1, kProducerName = 2, kProducerVersion = 3, kGraph = 7,
                            kOpsetImport = 8, kMetadata = 14, kFunctions = 25;
};
struct GraphField {
  static constexpr uint32_t kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12,
                            kValueInfo = 13, kSparseInitializer = 15;
};
struct NodeField {
  static constexpr uint32_t kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5,
                            kDomain = 7, kOverload = 8;
};
struct AttributeField {
  static constexpr uint32_t kName = 1, kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kGraph = 6,
                            kFloats = 7, kInts = 8, kStrings = 9, kType = 20, kReference = 21;
};
/// AttributeProto.AttributeType
struct AttributeType {
  static constexpr int32_t kUndefined = 0, kFloat = 1, kInt = 2, kString = 3, kTensor = 4,
                           kGraph = 5, kFloats = 6, kInts = 7, kStrings = 8;
};
struct TensorField {
  static constexpr uint32_t kDims = 1, kDataType = 2, kFloatData = 4, kInt32Data = 5,
                            kStringData = 6, kInt64Data = 7, kName = 8, kRawData = 9,
                            kDoubleData = 10, kUint64Data = 11, kDocString = 12, kExternalData = 13,
                            kDataLocation = 14;
  static constexpr int32_t kExternal = 1;  // of kDataLocation
};
struct ValueField {
  static constexpr uint32_t kName = 1, kType = 2;
  static constexpr uint32_t kTensorType = 1;               // of TypeProto
  static constexpr uint32_t kElementType = 1, kShape = 2;  // of TypeProto.Tensor
  static constexpr uint32_t kDim = 1;                      // of TensorShapeProto
  static constexpr uint32_t kDimValue = 1, kDimParam = 2;  // of TensorShapeProto.Dimension
};
struct OpsetField {
  static constexpr uint32_t kDomain = 1, kVersion = 2;
};
struct EntryField {
  static constexpr uint32_t kKey = 1, kValue = 2;  // of StringStringEntryProto
};

/// A protobuf message may not pass this, so larger models keep their tensors in a file beside them.
constexpr uint64_t kMessageLimit = (uint64_t{1} << 31) - 1;

}  // namespace embedforge::onnx
