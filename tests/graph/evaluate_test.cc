#include "graph/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/tensor.h"
#include "graphs.h"

namespace embedforge {
namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

Tensor ints(Ints dims, Ints values) {
  return Tensor::from_ints(std::move(dims), std::move(values));
}
Tensor vector(Ints values) {
  const auto size = static_cast<int64_t>(values.size());
  return ints({size}, std::move(values));
}

std::vector<Tensor> run(const Node& node, const std::vector<Tensor>& inputs, int64_t opset = 17) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  return evaluate(node, pointers, opset);
}

std::vector<Tensor> run(const std::string& op, const std::vector<Tensor>& inputs,
                        std::map<std::string, Attribute> attributes = {}, int64_t opset = 17) {
  return run(testing::make_node(op, {}, {"y"}, std::move(attributes)), inputs, opset);
}

void expect_ints(const Tensor& tensor, const Ints& dims, const Ints& values) {
  EXPECT_EQ(tensor.dims, dims);
  EXPECT_EQ(to_ints(tensor), values);
}

const Tensor kSix = ints({2, 3}, {0, 1, 2, 3, 4, 5});

TEST(Evaluate, Reshape) {
  expect_ints(run("Reshape", {kSix, vector({0, -1, 1})})[0], {2, 3, 1}, {0, 1, 2, 3, 4, 5});
  testing::expect_error(ErrorCode::kBadInput, {"Reshape_y"}, [] {
    run("Reshape", {kSix, vector({4, -1})});
  });
  testing::expect_error(ErrorCode::kBadInput, {"Reshape_y"}, [] {
    run("Reshape", {kSix, vector({-1, -1})});
  });
  testing::expect_error(ErrorCode::kBadInput, {"Reshape_y"}, [] {
    run("Reshape", {kSix, vector({5})});
  });
}

TEST(Evaluate, SliceForwardsBackwardsAndByOldAttributes) {
  expect_ints(run("Slice", {kSix, vector({1}), vector({100}), vector({-1})})[0], {2, 2},
              {1, 2, 4, 5});
  expect_ints(run("Slice", {kSix, vector({-1}), vector({-100}), vector({1}), vector({-2})})[0],
              {2, 2}, {2, 0, 5, 3});
  expect_ints(run("Slice", {kSix, vector({2}), vector({1}), vector({1})})[0], {2, 0}, {});
  expect_ints(run("Slice", {kSix}, {{"starts", Ints{1}}, {"ends", Ints{2}}}, 9)[0], {1, 3},
              {3, 4, 5});
}

TEST(Evaluate, Gathers) {
  expect_ints(run("Gather", {kSix, ints({}, {-1})}, {{"axis", int64_t{1}}})[0], {2}, {2, 5});
  expect_ints(run("Gather", {kSix, ints({1, 2}, {1, 0})})[0], {1, 2, 3}, {3, 4, 5, 0, 1, 2});
  testing::expect_error(ErrorCode::kBadInput, {"Gather_y"}, [] {
    run("Gather", {kSix, vector({2})});
  });
  expect_ints(run("GatherND", {kSix, ints({2, 2}, {0, 2, -1, 0})})[0], {2}, {2, 3});
  expect_ints(run("GatherElements", {kSix, ints({2, 1}, {2, 0})}, {{"axis", int64_t{1}}})[0],
              {2, 1}, {2, 3});
}

TEST(Evaluate, ShapesAndAxes) {
  expect_ints(run("Shape", {kSix}, {{"start", int64_t{-1}}})[0], {1}, {3});
  expect_ints(run("Unsqueeze", {vector({7, 8}), vector({0, -1})})[0], {1, 2, 1}, {7, 8});
  expect_ints(run("Unsqueeze", {vector({7})}, {{"axes", Ints{0}}}, 11)[0], {1, 1}, {7});
  expect_ints(run("Squeeze", {ints({1, 2, 1}, {7, 8})})[0], {2}, {7, 8});
  expect_ints(run("Transpose", {kSix})[0], {3, 2}, {0, 3, 1, 4, 2, 5});
  expect_ints(run("Concat", {kSix, ints({2, 1}, {8, 9})}, {{"axis", int64_t{-1}}})[0], {2, 4},
              {0, 1, 2, 8, 3, 4, 5, 9});
  expect_ints(run("Expand", {ints({2, 1}, {7, 8}), vector({2, 1, 3})})[0], {2, 2, 3},
              {7, 7, 7, 8, 8, 8, 7, 7, 7, 8, 8, 8});
  expect_ints(run("Tile", {ints({1, 2}, {7, 8}), vector({2, 2})})[0], {2, 4},
              {7, 8, 7, 8, 7, 8, 7, 8});
  expect_ints(run("ConstantOfShape", {vector({2})}, {{"value", vector({5})}})[0], {2}, {5, 5});
  expect_ints(run("Range", {ints({}, {5}), ints({}, {0}), ints({}, {-2})})[0], {3}, {5, 3, 1});
  expect_ints(run("Trilu", {ints({2, 2}, {1, 2, 3, 4})}, {{"upper", int64_t{0}}})[0], {2, 2},
              {1, 0, 3, 4});
}

TEST(Evaluate, SplitsUnevenly) {
  Node node = testing::make_node("Split", {}, {"a", "b"}, {{"axis", int64_t{1}}});
  const std::vector<Tensor> halves = run(node, {kSix}, 18);
  expect_ints(halves[0], {2, 2}, {0, 1, 3, 4});
  expect_ints(halves[1], {2, 1}, {2, 5});
  testing::expect_error(ErrorCode::kBadInput, {"Split_a"}, [&] {
    run(node, {kSix, vector({2, 2})});
  });
}

TEST(Evaluate, Arithmetic) {
  expect_ints(run("Div", {vector({7, -7, 7}), vector({2})})[0], {3}, {3, -3, 3});
  expect_ints(run("Mod", {vector({-7, 7}), vector({3, -3})})[0], {2}, {2, -2});
  expect_ints(run("Add", {kSix, vector({10, 20, 30})})[0], {2, 3}, {10, 21, 32, 13, 24, 35});
  expect_ints(run("Max", {vector({1, 9}), vector({5}), vector({2, 2})})[0], {2}, {5, 9});
  const Tensor greater = run("GreaterOrEqual", {vector({1, 2}), vector({2})})[0];
  EXPECT_EQ(greater.type, DataType::kBool);
  expect_ints(greater, {2}, {0, 1});
  expect_ints(run("Where", {greater, vector({1}), vector({5, 6})})[0], {2}, {5, 1});
  expect_ints(run("CumSum", {kSix, ints({}, {1})})[0], {2, 3}, {0, 1, 3, 3, 7, 12});
  expect_ints(run("CumSum", {kSix, ints({}, {0})}, {{"exclusive", int64_t{1}}})[0], {2, 3},
              {0, 0, 0, 0, 1, 2});
  expect_ints(run("ReduceSum", {kSix, vector({1})}, {{"keepdims", int64_t{0}}})[0], {2}, {3, 12});
  testing::expect_error(ErrorCode::kBadInput, {"Add_y"}, [] {
    run("Add", {kSix, vector({1, 2})});
  });
}

TEST(Evaluate, FloatsAreRoundedOnce) {
  const Tensor third = run("Div", {Tensor::from_floats({}, {1}), Tensor::from_floats({}, {3})})[0];
  EXPECT_EQ(third.as<float>()[0], 1.0F / 3.0F);
  const Tensor product =
      run("MatMul", {Tensor::from_floats({1, 2}, {2, 3}), Tensor::from_floats({2, 1}, {5, 7})})[0];
  EXPECT_EQ(product.dims, (Ints{1, 1}));
  EXPECT_EQ(product.as<float>()[0], 31);
  EXPECT_EQ(run("Erf", {Tensor::from_floats({}, {0.5F})})[0].as<float>()[0], std::erf(0.5F));
}

TEST(Evaluate, Casts) {
  const Tensor floats =
      Tensor::from_floats({4}, {-1.7F, 0, 2.9F, std::numeric_limits<float>::quiet_NaN()});
  expect_ints(run("Cast", {floats}, {{"to", int64_t{7}}})[0], {4}, {-1, 0, 2, 0});
  expect_ints(run("Cast", {floats}, {{"to", int64_t{9}}})[0], {4}, {1, 0, 1, 1});
  EXPECT_EQ(run("Cast", {vector({1})}, {{"to", int64_t{10}}})[0].as<uint16_t>()[0], 0x3C00);
}

TEST(Evaluate, DequantizesByChannel) {
  const Tensor q = Tensor::from<int8_t>(DataType::kInt8, {2, 2}, {1, 2, 3, -4});
  const Tensor scale = Tensor::from_floats({2}, {0.5F, 2});
  const Tensor zero = Tensor::from<int8_t>(DataType::kInt8, {2}, {1, 0});
  EXPECT_EQ(to_floats(run("DequantizeLinear", {q, scale, zero}, {{"axis", int64_t{0}}})[0]),
            (Floats{0, 0.5F, 6, -8}));
  EXPECT_EQ(to_floats(run("DequantizeLinear", {q, scale, zero})[0]), (Floats{0, 4, 1, -8}));
}

TEST(Evaluate, RefusesGiantsAndStrangers) {
  testing::expect_error(ErrorCode::kNotSupported, {"ConstantOfShape_y"}, [] {
    run("ConstantOfShape", {vector({1 << 20, 1 << 20})});
  });
  testing::expect_error(ErrorCode::kBadInput, {"Expand_y"}, [] {
    run("Expand", {vector({1}), vector({int64_t{1} << 62, 1 << 20})});
  });
  testing::expect_error(ErrorCode::kNotSupported, {"Range_y"}, [] {
    run("Range", {ints({}, {0}), ints({}, {int64_t{1} << 40}), ints({}, {1})});
  });
  testing::expect_error(ErrorCode::kNotSupported, {"Frobnicate_y"},
                        [] { run("Frobnicate", {kSix}); });
}

}  // namespace
}  // namespace embedforge
