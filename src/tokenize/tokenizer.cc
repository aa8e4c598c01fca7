#include "tokenize/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "tokenize/files/legacy_files.h"
#include "tokenize/files/tokenizer_class.h"
#include "tokenize/post/truncate.h"
#include "tokenize/tokenizer_impl.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

constexpr size_t kMaxText = size_t{1} << 30;  // bytes; keeps every offset in 32 bits

void check_text(std::string_view text) {
  if (text.size() > kMaxText) throw_bad_input("text is longer than 1 GiB: split it");
  const size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) {
    throw_bad_input(fmt::format("text is not valid UTF-8 at byte {}", bad));
  }
}

TokenizerParts read_tokenizer_file(const std::filesystem::path& file) {
  const MappedFile mapped = MappedFile::open(file);
  const auto bytes = mapped.bytes();
  return read_tokenizer_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                             file.string());
}

/// Whether lower case before the steps would change nothing.
bool lowers_first(const std::vector<Normalizer>& steps) {
  const auto* bert = steps.empty() ? nullptr : std::get_if<BertNormalizer>(steps.data());
  return (bert != nullptr && bert->lowercase) ||
         std::ranges::any_of(steps, [](const Normalizer& step) {
           return std::holds_alternative<LowercaseNormalizer>(step);
         });
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path, bool lower_case) {
  TokenizerParts parts;
  if (std::filesystem::is_directory(path)) {
    const TokenizerSettings settings = read_tokenizer_settings(path);
    const bool json = std::filesystem::exists(path / "tokenizer.json");
    parts =
        json ? read_tokenizer_file(path / "tokenizer.json") : read_legacy_folder(path, settings);
    apply_settings(settings, json, parts);
  } else {
    parts = read_tokenizer_file(path);
  }
  if (lower_case && !lowers_first(parts.normalizers))
    parts.normalizers.insert(parts.normalizers.begin(), LowercaseNormalizer{});
  return Tokenizer(std::make_unique<Impl>(std::move(parts)));
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  return Tokenizer(std::make_unique<Impl>(read_tokenizer_json(json, name)));
}

void Tokenizer::append_ids(std::string_view text, const TokenizeOptions& options,
                           std::vector<int32_t>& ids) const {
  const auto& affixes = impl_->affixes[options.add_special_tokens ? 1 : 0];
  if (!affixes) {
    const Encoding encoding = encode(text, options);
    ids.insert(ids.end(), encoding.ids.begin(), encoding.ids.end());
    return;
  }
  check_text(text);
  const size_t before = ids.size();
  ids.insert(ids.end(), affixes->before.begin(), affixes->before.end());
  const size_t start = ids.size();
  const size_t room = impl_->content_limit(options, false);
  const bool left = impl_->cuts_left(options);
  try {
    const ScratchPool::Lease scratch(impl_->pool);
    const size_t limit = room == kNoLimit || left ? kNoLimit : start + room;
    impl_->append_content(text, limit, *scratch, ids);
  } catch (...) {
    ids.resize(before);
    throw;
  }
  if (ids.size() - start > room) {
    if (left)
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(start),
                ids.end() - static_cast<std::ptrdiff_t>(room));
    ids.resize(start + room);
  }
  ids.insert(ids.end(), affixes->after.begin(), affixes->after.end());
}

size_t Tokenizer::count_tokens(std::string_view text, const TokenizeOptions& options) const {
  std::vector<int32_t> ids;
  append_ids(text, options, ids);
  return ids.size();
}

Encoding Tokenizer::encode(std::string_view text, const TokenizeOptions& options) const {
  check_text(text);
  const size_t limit = impl_->content_limit(options, false);
  const bool left = impl_->cuts_left(options);
  Encoding encoding = impl_->encode_sequence(text, left ? kNoLimit : limit);
  truncate(encoding, limit, left ? TruncationSide::kLeft : TruncationSide::kRight);
  return post_process(impl_->parts.post_processors, {std::move(encoding)},
                      options.add_special_tokens);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const TokenizeOptions& options) const {
  check_text(first);
  check_text(second);
  std::vector<Encoding> both{impl_->encode_sequence(first, kNoLimit),
                             impl_->encode_sequence(second, kNoLimit)};
  const auto [a, b] =
      pair_lengths(both[0].ids.size(), both[1].ids.size(), impl_->content_limit(options, true));
  const auto side = impl_->cuts_left(options) ? TruncationSide::kLeft : TruncationSide::kRight;
  truncate(both[0], a, side);
  truncate(both[1], b, side);
  Encoding all =
      post_process(impl_->parts.post_processors, std::move(both), options.add_special_tokens);
  if (!impl_->parts.gives_types) std::ranges::fill(all.type_ids, 0);
  return all;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    const auto added = impl_->added_texts.find(id);
    std::string text;
    if (added != impl_->added_texts.end()) {
      text = added->second;
    } else if (vocabulary(*impl_->parts.model).has(id)) {
      text = vocabulary(*impl_->parts.model).text(id);
    } else {
      continue;
    }
    if (!skip_special_tokens || !impl_->special_texts.contains(text)) {
      tokens.push_back(std::move(text));
    }
  }
  if (impl_->parts.has_decoder) return decode_tokens(impl_->parts.decoders, std::move(tokens));
  std::string joined;
  for (size_t i = 0; i < tokens.size(); ++i) joined.append(i > 0 ? " " : "").append(tokens[i]);
  return joined;
}

size_t Tokenizer::vocabulary_size() const {
  size_t size = vocabulary(*impl_->parts.model).id_count();
  for (const AddedToken& token : impl_->parts.added_tokens) {
    size = std::max(size, static_cast<size_t>(token.id) + 1);
  }
  return size;
}

}  // namespace embedforge
