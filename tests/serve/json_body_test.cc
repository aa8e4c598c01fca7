#include "serve/json_body.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "serve/fake_catalog.h"
#include "serve/json_writer.h"

namespace embedforge::serve {
namespace {

FailureKind kind_of(const Request& request, ContentType type = ContentType::kMustBeJson) {
  try {
    parse_body(request, type);
  } catch (const Failure& failure) {
    EXPECT_EQ(std::string(failure.what()).find('\n'), std::string::npos);
    return failure.kind();
  }
  return FailureKind::kBug;  // none
}

TEST(ParseBody, TakesObjectsOnly) {
  EXPECT_EQ(parse_body(json_request(R"({"a":1,"a":2})"))["a"], 2);
  EXPECT_EQ(kind_of(json_request("[]")), FailureKind::kValidation);
  EXPECT_EQ(kind_of(json_request("\"a\"")), FailureKind::kValidation);
}

TEST(ParseBody, RefusesWhatIsNoJson) {
  for (const char* body : {"", " ", "{", "{}{}", "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}",
                           "{\"a\":1e999}", "{\"a\":\"\xFF\"}", "{\"a\":\"\xC0\x80\"}",
                           "{\"a\":\"\\ud800\"}", "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\n\"}"}) {
    EXPECT_EQ(kind_of(json_request(body)), FailureKind::kSyntax) << body;
  }
}

TEST(ParseBody, BoundsNesting) {
  const auto nested = [](size_t levels) {
    return "{\"a\":" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  EXPECT_NO_THROW(parse_body(json_request(nested(kMaxJsonDepth - 1))));
  EXPECT_EQ(kind_of(json_request(nested(kMaxJsonDepth))), FailureKind::kSyntax);
  EXPECT_EQ(kind_of(json_request(std::string(1'000'000, '['))), FailureKind::kSyntax);
  std::string wide = "{\"a\":[[]";
  for (size_t i = 0; i < kMaxJsonLists; ++i) wide += ",[]";
  EXPECT_EQ(kind_of(json_request(wide + "]}")), FailureKind::kSyntax);
  EXPECT_NO_THROW(parse_body(json_request("{\"a\":\"" + std::string(500, '[') + "\\\"[\"}")));
}

TEST(ParseBody, ChecksTheContentType) {
  Request request = json_request("{}");
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8",
                           "application/vnd.api+json", "application/json;"}) {
    request.headers = {{"content-type", type}};
    EXPECT_NO_THROW(parse_body(request)) << type;
  }
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded", "text/json"}) {
    request.headers = {{"content-type", type}};
    EXPECT_EQ(kind_of(request), FailureKind::kMediaType) << type;
    EXPECT_NO_THROW(parse_body(request, ContentType::kAny)) << type;
  }
  request.headers = {};
  EXPECT_NO_THROW(parse_body(request, ContentType::kJsonOrNone));
  request.headers = {{"content-type", "text/plain"}};
  EXPECT_EQ(kind_of(request, ContentType::kJsonOrNone), FailureKind::kMediaType);
  request.headers = {{"content-type", "application/json"}, {"content-encoding", "gzip"}};
  EXPECT_EQ(kind_of(request), FailureKind::kMediaType);
}

TEST(FieldsOf, NameWhatIsWrong) {
  Json body = Json::parse(R"({"s":1,"n":-1,"f":1.5,"b":"true","l":["a",2],"o":[],"z":null})");
  const Fields fields(body, "in.");
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind(), FailureKind::kValidation);
      return failure.field() + "|" + failure.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] { fields.take_string("s"); }), "in.s|`in.s` must be a string, found 1");
  EXPECT_EQ(message([&] { fields.need_string("x"); }),
            "in.x|`in.x` is missing: it must be a string");
  EXPECT_EQ(message([&] { fields.count("n"); }),
            "in.n|`in.n` must be an integer from 0 on, found -1");
  EXPECT_EQ(message([&] { fields.count("f"); }),
            "in.f|`in.f` must be an integer from 0 on, found 1.5");
  EXPECT_EQ(message([&] { fields.boolean("b"); }),
            "in.b|`in.b` must be true or false, found \"true\"");
  EXPECT_EQ(message([&] { fields.need_strings("l"); }),
            "in.l[1]|`in.l[1]` must be a string, found 2");
  EXPECT_EQ(message([&] { fields.object("o"); }), "in.o|`in.o` must be an object, found []");
  EXPECT_EQ(fields.take_string("z"), "");
  EXPECT_FALSE(fields.has("z"));
}

TEST(WriteJson, FloatsComeBackAsTheyWere) {
  std::vector<float> values = {0.0F,          -0.0F,  1.0F,   0.1F,       -1e-38F,
                               3.4028235e38F, 1e-45F, 1e-05F, 16777216.0F};
  for (uint32_t i = 1; i < 2000; ++i) values.push_back(std::sin(static_cast<float>(i)) / 19);
  for (float power = 1e-44F; power < 1e36F; power *= 10) {
    for (const float digits : {1.0F, -1.2345678F, 9.9999F, 3.0F / 7}) {
      values.push_back(power * digits);
    }
  }
  std::string text;
  append_floats(text, values);
  EXPECT_EQ(Json::parse(text).get<std::vector<float>>(), values);
  text.clear();
  append_floats(text, {});
  EXPECT_EQ(text, "[]");
}

TEST(WriteJson, NeverWritesWhatIsNoNumber) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> values = {1, bad};
    std::string text;
    EXPECT_THROW(append_floats(text, values), Failure);
    EXPECT_THROW(append_base64(text, std::span<const float>(values)), Failure);
    EXPECT_THROW(append_float(text, bad), Failure);
  }
}

TEST(WriteJson, Base64) {
  const auto encode = [](std::string_view bytes) {
    std::string out;
    append_base64(out, std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
    return out;
  };
  EXPECT_EQ(encode(""), "\"\"");
  EXPECT_EQ(encode("f"), "\"Zg==\"");
  EXPECT_EQ(encode("fo"), "\"Zm8=\"");
  EXPECT_EQ(encode("foo"), "\"Zm9v\"");
  EXPECT_EQ(encode("foobar"), "\"Zm9vYmFy\"");
  std::string out;
  const std::vector<float> values = {1.0F, -2.5F};
  append_base64(out, std::span<const float>(values));
  EXPECT_EQ(out, "\"AACAPwAAIMA=\"");
}

TEST(WriteJson, StringsAreEscaped) {
  const auto quote = [](std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
  };
  EXPECT_EQ(quote("plain"), "\"plain\"");
  EXPECT_EQ(quote("a\"b\\\n\t"), R"("a\"b\\\n\t")");
  EXPECT_EQ(quote("w\xC3\xB6"), "\"w\xC3\xB6\"");
  EXPECT_EQ(quote("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(quote(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(WriteJson, Bytes) {
  std::string out;
  const std::vector<uint8_t> bytes = {0, 127, 128, 255};
  append_bytes(out, bytes, true);
  append_bytes(out, bytes, false);
  EXPECT_EQ(out, "[0,127,-128,-1][0,127,128,255]");
}

}  // namespace
}  // namespace embedforge::serve
