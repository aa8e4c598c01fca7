#include "checkpoint/state_dict.h"
#include "checkpoint/zip.h"
#include "support/expect_error.h"
#include "support/tiny_bert.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename T>
std::string little(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

struct ZipEntry {
  std::string name;
  std::string data;
  uint16_t method = 0;
  uint16_t flags = 0;
};

/// A zip archive of stored entries, as torch.save writes it but for checksums, which the reader
/// does not look at.
std::string zip_bytes(const std::vector<ZipEntry>& entries) {
  std::string body;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    const auto size = static_cast<uint32_t>(entry.data.size());
    const auto name_size = static_cast<uint16_t>(entry.name.size());
    const std::string common = little(entry.flags) + little(entry.method) + little(uint32_t{0}) +
                               little(uint32_t{0}) + little(size) + little(size) +
                               little(name_size) + little(uint16_t{0});
    directory += little(uint32_t{0x02014b50}) + little(uint16_t{0}) + little(uint16_t{0}) + common +
                 little(uint16_t{0}) + little(uint16_t{0}) + little(uint16_t{0}) +
                 little(uint32_t{0}) + little(static_cast<uint32_t>(body.size())) + entry.name;
    body += little(uint32_t{0x04034b50}) + little(uint16_t{0}) + common + entry.name + entry.data;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return body + directory + little(uint32_t{0x06054b50}) + little(uint32_t{0}) + little(count) +
         little(count) + little(static_cast<uint32_t>(directory.size())) +
         little(static_cast<uint32_t>(body.size())) + little(uint16_t{0});
}

std::string text_opcode(const std::string& text) {
  return "X" + little(static_cast<uint32_t>(text.size())) + text;
}

/// {"x": a float tensor of `shape` and `strides` (opcodes) in storage "0" of `elements`}
std::string tensor_pickle(const std::string& shape, const std::string& strides, uint8_t elements,
                          const std::string& type = "FloatStorage") {
  const std::string storage = "(" + text_opcode("storage") + "ctorch\n" + type + "\n" +
                              text_opcode("0") + text_opcode("cpu") + "K" + little(elements) + "tQ";
  return std::string("\x80\x02") + "}" + text_opcode("x") + "ctorch._utils\n_rebuild_tensor_v2\n(" +
         storage + "K" + little(uint8_t{0}) + shape + strides + "\x89" +
         "ccollections\nOrderedDict\n)RtRs.";
}

const std::string kTwoByThree = std::string("K\x02K\x03\x86");
const std::string kRowMajor = std::string("K\x03K\x01\x86");

class TorchBinTest : public testing::Test {
 protected:
  std::string failure(ErrorCode code, const std::string& bytes) const {
    write_bytes(path_, bytes);
    const std::string message = error_of(code, [&] { read_torch_bin(path_); });
    EXPECT_THAT(message, HasSubstr("pytorch_model.bin"));
    return message;
  }
  std::string pickle_failure(ErrorCode code, const std::string& pickle) const {
    return failure(code, zip_bytes({{"archive/data.pkl", pickle}}));
  }
  TensorMap read(const std::string& pickle, const std::vector<float>& values) const {
    const std::string data(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    write_bytes(path_, zip_bytes({{"archive/data.pkl", pickle}, {"archive/data/0", data}}));
    return read_torch_bin(path_);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "pytorch_model.bin";
};

TEST_F(TorchBinTest, ReadsATensor) {
  const Tensor x = read(tensor_pickle(kTwoByThree, kRowMajor, 6), {1, 2, 3, 4, 5, 6}).at("x");
  EXPECT_EQ(x.dims, (std::vector<int64_t>{2, 3}));
  EXPECT_THAT(x.as<float>(), testing::ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(TorchBinTest, ReadsATransposedView) {
  const std::string column_major("K\x01K\x02\x86");
  const Tensor x = read(tensor_pickle(kTwoByThree, column_major, 6), {1, 2, 3, 4, 5, 6}).at("x");
  EXPECT_THAT(x.as<float>(), testing::ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST_F(TorchBinTest, RefusesAViewThatLeavesItsStorage) {
  const auto bytes = [](const std::string& pickle) {
    return zip_bytes({{"archive/data.pkl", pickle}, {"archive/data/0", std::string(20, '\0')}});
  };
  EXPECT_THAT(failure(ErrorCode::kBadInput, bytes(tensor_pickle(kTwoByThree, kRowMajor, 6))),
              HasSubstr("leaves its storage"));
  const std::string huge_strides = "\x8a\x08" + little(INT64_MAX) + "K\x01\x86";
  EXPECT_THAT(failure(ErrorCode::kBadInput, bytes(tensor_pickle(kTwoByThree, huge_strides, 6))),
              HasSubstr("storage"));
  const std::string huge_shape = "\x8a\x08" + little(INT64_MAX) + "K\x03\x86";
  EXPECT_THAT(failure(ErrorCode::kBadInput, bytes(tensor_pickle(huge_shape, kRowMajor, 6))),
              HasSubstr("too large"));
  const std::string no_strides = std::string("K") + '\0' + "K" + '\0' + "\x86";
  const std::string large_shape = "M\xFF\xFFM\xFF\xFF\x86";
  EXPECT_THAT(failure(ErrorCode::kBadInput, bytes(tensor_pickle(large_shape, no_strides, 6))),
              HasSubstr("expanded view"));
}

TEST_F(TorchBinTest, ExecutesNothing) {
  EXPECT_THAT(pickle_failure(ErrorCode::kNotSupported,
                             "\x80\x02"
                             "cos\nsystem\n" +
                                 text_opcode("true") + "\x85R."),
              HasSubstr("os.system"));
  EXPECT_THAT(pickle_failure(ErrorCode::kNotSupported,
                             "\x80\x04\x8c\x08"
                             "builtins\x8c\x04"
                             "eval\x93."),
              HasSubstr("builtins.eval"));
  EXPECT_THAT(pickle_failure(ErrorCode::kNotSupported,
                             "\x80\x02"
                             "(ios\nsystem\n."),
              HasSubstr("opcode 105"));
  EXPECT_THAT(pickle_failure(ErrorCode::kBadInput,
                             tensor_pickle(kTwoByThree, kRowMajor, 6, "FloatStorage")),
              HasSubstr("lacks its storage"));
}

TEST_F(TorchBinTest, SurvivesEveryTruncation) {
  const std::string pickle = tensor_pickle(kTwoByThree, kRowMajor, 6);
  for (size_t size = 0; size < pickle.size(); ++size) {
    EXPECT_THROW(read_state_dict(bytes_of(pickle.substr(0, size)), "test"), Error) << size;
  }
  const std::string archive = zip_bytes({{"archive/data.pkl", pickle}, {"archive/data/0", "123"}});
  for (size_t size = 2; size < archive.size(); ++size) {
    const std::string part = archive.substr(0, size);
    EXPECT_THROW(read_zip(bytes_of(part), "test"), Error) << size;
  }
}

TEST_F(TorchBinTest, SurvivesEveryFlippedByteOfThePickle) {
  const std::string pickle = tensor_pickle(kTwoByThree, kRowMajor, 6);
  for (size_t i = 0; i < pickle.size(); ++i) {
    for (const char value : {'\0', '\x7F', '\xFF', '.', '(', 'R'}) {
      std::string changed = pickle;
      changed[i] = value;
      try {
        read_state_dict(bytes_of(changed), "test");
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::kBug);
      }
    }
  }
}

TEST_F(TorchBinTest, RefusesOtherArchives) {
  EXPECT_THAT(failure(ErrorCode::kNotSupported, std::string("\x80\x02\x8a\x0al\xfc\x9c", 7)),
              HasSubstr("before version 1.6"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, "hello"), HasSubstr("no zip archive"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, "PK"), HasSubstr("too short"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, zip_bytes({{"a/../../etc", ""}})),
              HasSubstr("leaves the archive"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, zip_bytes({{"/etc", ""}})),
              HasSubstr("leaves the archive"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, zip_bytes({{"x", ""}, {"x", ""}})), HasSubstr("twice"));
  EXPECT_THAT(failure(ErrorCode::kNotSupported, zip_bytes({{"x", "", 8}})),
              HasSubstr("compressed"));
  EXPECT_THAT(failure(ErrorCode::kNotSupported, zip_bytes({{"x", "", 0, 1}})),
              HasSubstr("encrypted"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, zip_bytes({{"archive/other", ""}})),
              HasSubstr("data.pkl"));
  EXPECT_THAT(failure(ErrorCode::kBadInput, zip_bytes({{"archive/data.pkl", "\x80\x02]."}})),
              HasSubstr("no dict"));
}

}  // namespace
}  // namespace embedforge
