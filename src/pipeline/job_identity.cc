#include "pipeline/job_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/mapped_file.h"
#include "pipeline/content_hash.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostHashed = uint64_t{8} << 30U;

std::string file_hash(const fs::path& path) {
  std::error_code unknown;
  const uint64_t size = fs::file_size(path, unknown);
  if (unknown || size > kMostHashed) return std::to_string(size) + " bytes";
  const MappedFile file = MappedFile::open(path);
  return fmt::format("{:016x}", content_hash({reinterpret_cast<const char*>(file.bytes().data()),
                                              file.bytes().size()}));
}

/// The .onnx file with its external data, and the settings and tokenizer files beside and above it.
nlohmann::json model_files(const fs::path& onnx) {
  std::set<fs::path> files = {onnx};
  std::vector<fs::path> folders = {onnx.parent_path()};
  if (onnx.parent_path().filename() == "onnx") folders.push_back(onnx.parent_path().parent_path());
  folders.push_back(folders.back() / "1_Pooling");
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder, ignored)) {
      const std::string extension = entry.path().extension().string();
      const bool setting = extension == ".json" || extension == ".txt" || extension == ".model";
      const std::string name = entry.path().filename().string();
      const bool data = name.starts_with(onnx.filename().string());
      if (entry.is_regular_file(ignored) && (setting || data)) files.insert(entry.path());
    }
  }
  nlohmann::json out = nlohmann::json::object();
  const fs::path base = folders.size() > 2 ? folders[1] : folders[0];
  for (const fs::path& file : files) out[file.lexically_relative(base).string()] = file_hash(file);
  return out;
}

}  // namespace

nlohmann::json job_identity(const Embedder& embedder, const JobOptions& options,
                            const std::vector<InputFile>& inputs,
                            const std::vector<FileIdentity>& identities) {
  nlohmann::json files = nlohmann::json::object();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const FileIdentity& identity = identities[i];
    nlohmann::json file = {{"format", static_cast<int>(inputs[i].format)}, {"place", i}};
    if (!identity.stream) {
      file["size"] = identity.size;
      file["modified"] = identity.modified;
      file["beginning"] = fmt::format("{:016x}", identity.prefix_hash);
    }
    const bool twice = files.contains(inputs[i].name);
    files[inputs[i].name + (twice ? fmt::format(" ({})", i) : "")] = std::move(file);
  }
  const EmbedderInfo info = embedder.info();
  nlohmann::json model = {{"dimension", embedder.dimension()},
                          {"backend", info.backend},
                          {"pooling", info.pooling},
                          {"max_length", info.max_length},
                          {"flags", options.model_flags}};
  if (info.model_path.empty()) {
    model["name"] = options.model;
  } else {
    model["files"] = model_files(info.model_path);
  }
  const FieldOptions& fields = options.read.fields;
  return {{"inputs", std::move(files)},
          {"of_inputs", options.of_inputs},
          {"model", std::move(model)},
          {"field", fields.field},
          {"id_field", fields.id_field},
          {"template", fields.text_template},
          {"header", options.read.header},
          {"max_line", options.read.max_line},
          {"chunk_tokens", options.chunk_tokens},
          {"overlap", options.overlap},
          {"normalize", options.encode.normalize},
          {"prompt_name", options.encode.prompt_name},
          {"prompt", options.encode.prompt.value_or("")},
          {"dimensions", options.encode.dimensions},
          {"precision", vector_type_name(options.type)},
          {"ranges", options.ranges.empty() ? "" : file_hash(options.ranges)},
          {"with_text", options.with_text},
          {"write_rows", options.write_rows}};
}

}  // namespace embedforge
