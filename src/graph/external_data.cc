#include "graph/external_data.h"

#include <algorithm>

#include "embedforge/error.h"

namespace embedforge {
namespace fs = std::filesystem;
namespace {

bool is_inside(const fs::path& file, const fs::path& folder) {
  const auto [end_of_folder, ignored] =
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end_of_folder == folder.end();
}

}  // namespace

fs::path ExternalData::resolve(const std::string& file, const std::string& what) const {
  const fs::path relative(file);
  const auto up = std::find(relative.begin(), relative.end(), "..");
  if (file.empty() || relative.is_absolute() || up != relative.end() ||
      file.find('\0') != std::string::npos) {
    throw_bad_input(what + ": external data '" + file + "' is outside of the model's folder");
  }
  const fs::path path = model_.parent_path() / relative;
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  if (error) throw_bad_input(what + ": external data " + path.string() + " is missing");
  // A hub cache links the model and its data to one folder of blobs, so links may lead to where the
  // model itself is.
  const fs::path folder = fs::canonical(fs::absolute(model_).parent_path());
  const fs::path blobs = fs::canonical(model_).parent_path();
  if (!is_inside(real, folder) && !is_inside(real, blobs)) {
    throw_bad_input(what + ": external data '" + file + "' links outside of the model's folder");
  }
  return real;
}

ExternalData::Bytes ExternalData::find(const ExternalLocation& location, uint64_t size,
                                       const std::string& what) {
  if (model_.empty()) throw_bad_input(what + ": external data in a model without a folder");
  auto& file = files_[location.file];
  if (file == nullptr) {
    file = std::make_shared<const MappedFile>(MappedFile::open(resolve(location.file, what)));
  }
  const std::span<const std::byte> all = file->bytes();
  if (location.length.value_or(size) != size) {
    throw_bad_input(what + ": external data has " + std::to_string(*location.length) +
                    " bytes, the shape needs " + std::to_string(size));
  }
  if (location.offset > all.size() || size > all.size() - location.offset) {
    throw_bad_input(what + ": external data '" + location.file + "' is too short: needs " +
                    std::to_string(size) + " bytes at " + std::to_string(location.offset) +
                    ", has " + std::to_string(all.size()));
  }
  return {all.subspan(location.offset, size), file};
}

}  // namespace embedforge
