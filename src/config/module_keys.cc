#include "config/model_keys.h"

namespace embedforge {
namespace {

using enum KnownKey::Use;

constexpr KnownKey kTransformer[] = {
    {"max_seq_length"},
    {"do_lower_case"},
    {"unpad_inputs", kHarmless},
    {"model_args", kOnly, R"([{}])"},
    {"model_kwargs", kOnly, R"([{}])"},
    {"tokenizer_args", kOnly, R"([{}])"},
    {"processor_kwargs", kOnly, R"([{}])"},
    {"config_args", kOnly, R"([{}])"},
    {"config_kwargs", kOnly, R"([{}])"},
    {"processing_kwargs", kOnly, R"([{}])"},
    {"query_length", kOnly, R"([])"},
    {"document_length", kOnly, R"([])"},
    {"query_expansion", kOnly, R"([])"},
    {"tokenizer_name_or_path", kOnly, R"([""])"},
};

constexpr KnownKey kEncoderTask[] = {
    {"transformer_task", kOnly, R"(["feature-extraction"])"},
    {"modality_config", kOnly,
     R"([{"text":{"method":"forward","method_output_name":"last_hidden_state"}}])"},
    {"module_output_name", kOnly, R"(["token_embeddings"])"},
};

constexpr KnownKey kScoreTask[] = {
    {"transformer_task", kOnly, R"(["sequence-classification"])"},
    {"modality_config", kOnly, R"([{"text":{"method":"forward","method_output_name":"logits"}}])"},
    {"module_output_name", kOnly, R"(["scores"])"},
};

constexpr KnownKey kSentenceTransformers[] = {
    {"prompts"},
    {"default_prompt_name"},
    {"truncate_dim"},
    {"activation_fn"},
    {"__version__", kHarmless},
    {"similarity_fn_name", kOnly, R"(["cosine", "dot", "euclidean", "manhattan"])"},
    {"keep_in_fp32_modules", kHarmless},
    {"model_type", kOnly, R"(["SentenceTransformer", "CrossEncoder"])"},
};

constexpr KnownKey kModuleEntry[] = {
    {"path"}, {"type"}, {"idx", kHarmless}, {"name", kHarmless}, {"kwargs", kOnly, R"([[]])"},
};

constexpr KnownKey kPooling[] = {
    {"pooling_mode"},
    {"include_prompt"},
    {"pooling_mode_cls_token"},
    {"pooling_mode_max_tokens"},
    {"pooling_mode_mean_tokens"},
    {"pooling_mode_mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens"},
    {"pooling_mode_lasttoken"},
    {"word_embedding_dimension", kHarmless},
    {"embedding_dimension", kHarmless},
};

constexpr KnownKey kDense[] = {
    {"in_features"},
    {"out_features"},
    {"bias"},
    {"activation_function"},
    {"use_residual", kOnly, R"([false])"},
    {"module_input_name", kOnly, R"(["sentence_embedding"])"},
    {"module_output_name", kOnly, R"(["sentence_embedding"])"},
};

constexpr KnownKey kLayerNorm[] = {
    {"dimension"},
};

constexpr KnownKey kNormalize[] = {
    {"module_input_name", kOnly, R"(["sentence_embedding"])"},
    {"module_output_name", kOnly, R"(["sentence_embedding"])"},
};

constexpr KnownKey kDropout[] = {
    {"dropout", kHarmless},
};

}  // namespace

void check_transformer_keys(const JsonFile& file, bool scores, const Notices& notices) {
  check_keys(file, {kTransformer, scores ? KeyTable(kScoreTask) : KeyTable(kEncoderTask)}, notices);
}

void check_sentence_transformers_keys(const JsonFile& file, const Notices& notices) {
  check_keys(file, {kSentenceTransformers}, notices);
}

void check_module_entry(const JsonFile& module, const Notices& notices) {
  check_keys(module, {kModuleEntry}, notices);
}

void check_module_keys(const JsonFile& file, std::string_view kind, const Notices& notices) {
  const KeyTable table = kind == "Pooling"     ? KeyTable(kPooling)
                         : kind == "Dense"     ? KeyTable(kDense)
                         : kind == "LayerNorm" ? KeyTable(kLayerNorm)
                         : kind == "Normalize" ? KeyTable(kNormalize)
                                               : KeyTable(kDropout);
  check_keys(file, {table}, notices);
}

}  // namespace embedforge
