// The tables of known keys: what each file of a model folder may say, as transformers 5 and
// sentence-transformers 6 read it.
#pragma once

#include <string_view>

#include "config/known_keys.h"

namespace embedforge {

/// Errors: kNotSupported for a setting of config.json that its architecture's graph doesn't obey.
/// Keys that no table knows are told. Nothing happens for architectures that convert doesn't know.
void check_model_keys(const JsonFile& config, const Notices& notices);
/// Tells only keys that no table knows: for a folder whose graph is there already.
void tell_unknown_model_keys(const JsonFile& config, const Notices& notices);

/// Of sentence_bert_config.json, for an encoder or (`scores`) a cross-encoder.
void check_transformer_keys(const JsonFile& file, bool scores, const Notices& notices);
/// Of config_sentence_transformers.json.
void check_sentence_transformers_keys(const JsonFile& file, const Notices& notices);
/// Of one entry of modules.json.
void check_module_entry(const JsonFile& module, const Notices& notices);
/// Of the config.json of a module: "Pooling", "Dense", "LayerNorm", "Normalize" or "Dropout".
void check_module_keys(const JsonFile& file, std::string_view kind, const Notices& notices);

}  // namespace embedforge
