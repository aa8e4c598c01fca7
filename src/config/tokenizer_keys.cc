#include "config/tokenizer_keys.h"

#include <array>

namespace embedforge {
namespace {

using enum KnownKey::Use;

// By transformers 5's PreTrainedTokenizerBase, TokenizersBackend and the classes that
// tokenize/files/class_parts.cc builds. A token's name, such as image_token, is used, too.
constexpr std::array kKeys = std::to_array<KnownKey>({
    {"tokenizer_class"},
    {"auto_map"},
    {"added_tokens_decoder"},
    {"additional_special_tokens"},
    {"extra_special_tokens"},
    {"model_specific_special_tokens", kOnly, "[{}]"},
    {"model_max_length"},
    {"max_len"},
    {"truncation_side"},
    {"model_input_names"},
    {"do_lower_case"},
    {"strip_accents"},
    {"tokenize_chinese_chars"},
    {"keep_accents"},
    {"split_by_punct"},
    {"add_prefix_space"},
    {"legacy"},
    {"extra_ids"},
    {"trim_offsets"},
    {"split_special_tokens", kOnly, "[false]"},
    {"fix_mistral_regex", kOnly, "[false]"},
    {"fast_tokenizer_files", kOnly, R"([["tokenizer.json"], []])"},
    {"init_inputs", kOnly, "[[]]"},
    {"vocab", kOnly, "[]"},
    {"merges", kOnly, "[]"},
    {"gguf_file", kOnly, "[]"},
    {"src_lang", kOnly, "[]"},
    {"tgt_lang", kOnly, "[]"},
    // What only slow classes read, decoding, padding, chats, and where the files came from.
    {"add_bos_token", kHarmless},
    {"add_eos_token", kHarmless},
    {"do_basic_tokenize", kHarmless},
    {"never_split", kHarmless},
    {"remove_space", kHarmless},
    {"sp_model_kwargs", kHarmless},
    {"unk_id", kHarmless},
    {"vocab_type", kHarmless},
    {"errors", kHarmless},
    {"clean_up_tokenization_spaces", kHarmless},
    {"clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", kHarmless},
    {"padding_side", kHarmless},
    {"padding", kHarmless},
    {"truncation", kHarmless},
    {"pad_token_type_id", kHarmless},
    {"pad_token_id", kHarmless},
    {"pad_to_multiple_of", kHarmless},
    {"max_length", kHarmless},
    {"stride", kHarmless},
    {"truncation_strategy", kHarmless},
    {"pad_token_box", kHarmless},
    {"sep_token_box", kHarmless},
    {"cls_token_box", kHarmless},
    {"pad_token_label", kHarmless},
    {"only_label_first_subword", kHarmless},
    {"chat_template", kHarmless},
    {"response_schema", kHarmless},
    {"response_template", kHarmless},
    {"chat_control_tokens", kHarmless},
    {"use_default_system_prompt", kHarmless},
    {"spaces_between_special_tokens", kHarmless},
    {"processor_class", kHarmless},
    {"backend", kHarmless},
    {"use_fast", kHarmless},
    {"from_slow", kHarmless},
    {"slow_tokenizer_class", kHarmless},
    {"name_or_path", kHarmless},
    {"is_local", kHarmless},
    {"local_files_only", kHarmless},
    {"files_loaded", kHarmless},
    {"tokenizer_file", kHarmless},
    {"full_tokenizer_file", kHarmless},
    {"special_tokens_map_file", kHarmless},
    {"vocab_file", kHarmless},
    {"merges_file", kHarmless},
    {"device_map", kHarmless},
    {"use_auth_token", kHarmless},
    {"trust_remote_code", kHarmless},
    {"verbose", kHarmless},
    {"_commit_hash", kHarmless},
    {"transformers_version", kHarmless},
});

}  // namespace

void check_tokenizer_config(const std::filesystem::path& folder, const Notices& notices) {
  const auto file = JsonFile::read_if_present(folder / "tokenizer_config.json");
  if (!file) return;
  nlohmann::json rest = file->value();
  for (auto it = rest.begin(); it != rest.end();) {
    const bool token = it.key().ends_with("_token") && (it->is_string() || it->is_object());
    it = token ? rest.erase(it) : std::next(it);
  }
  for (const char* role :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    rest.erase(role);
  check_keys(JsonFile::of(std::move(rest), file->name()), {kKeys}, notices);
}

}  // namespace embedforge
