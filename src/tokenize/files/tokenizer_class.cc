#include "tokenize/files/tokenizer_class.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Names, one space between.
bool among(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    if (names.substr(0, end) == name) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

struct Class {
  const char* name;     // without "Tokenizer" and "Fast", as apply_settings() knows it
  const char* aliases;  // other names of the same class
  const char* types;    // model_type that has it where no file names a class
};

constexpr std::array<Class, 14> kClasses = {{
    {"Bert", "DistilBert Electra LayoutLM Lxmert MobileBert SqueezeBert",
     "align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git "
     "grounding-dino layoutlm lxmert megatron-bert mm-grounding-dino mobilebert nezha nomic_bert "
     "qdqbert realm retribert squeezebert tvp vilt visual_bert"},
    {"MPNet", "", "mpnet"},
    {"Roberta", "Bart LED Longformer Mvp",
     "bart bridgetower clap data2vec-text florence2 ibert led lilt longformer mega mra mvp roberta "
     "roberta-prelayernorm"},
    {"GPT2", "", "blip-2 codegen dbrx gpt2 gpt_neo gptj jais2 opt phi starcoder2"},
    {"GPTNeoX", "", "falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm"},
    {"Qwen2", "",
     "colqwen2 qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe "
     "qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe"},
    {"Gemma", "",
     "gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 t5gemma"},
    {"XLMRoberta", "", "gte jina_embeddings_v3 metaclip_2 trocr xlm-roberta xmod"},
    {"Camembert", "", "camembert"},
    {"T5", "", "mt5 musicgen musicgen_melody switch_transformers t5"},
    {"Albert", "", "albert yoso"},
    {"DebertaV2", "", "deberta-v2"},
    {"Llama", "", "idefics idefics2"},
    // No class builds tokenizer.json's parts anew.
    {"", "PreTrained PreTrainedTokenizerFast TokenizersBackend Bloom ConvBert FNet Parakeet", ""},
}};

/// Types whose tokenizer is tokenizer.json as it is, whatever class the files name.
constexpr std::string_view kTypesOfJson =
    "aria arctic bigbird_pegasus flex_olmo glm glm4 gpt_bigcode granite granitemoe jamba llava "
    "ministral ministral3 mistral mistral3 mixtral modernbert modernbert-decoder nemotron "
    "nystromformer olmo2 olmo3 pegasus_x persimmon phi3 phimoe pixtral stablelm umt5 "
    "xlm-roberta-xl";

/// Types whose class counts where the files name another.
constexpr std::string_view kTypesThatDecide = "qwen2";

/// transformers' other classes: programs of their own, or parts that aren't known here.
constexpr std::string_view kOther =
    "Barthez Bartpho BertGeneration BertJapanese Bertweet BigBird BioGpt Blenderbot "
    "BlenderbotSmall ByT5 CLIP CTRL Canine Character Clvp CodeGen CodeLlama Cohere CpmAnt Cpm "
    "DPRContextEncoder DPRQuestionEncoder DPRReader Deberta Dia Esm Esmc FSMT Flaubert Funnel "
    "GPTNeoXJapanese GPTSw3 Herbert Lasr LayoutLMv2 LayoutLMv3 LayoutXLM Luke M2M100 MBart MBart50 "
    "MLuke Marian MarkupLM Mgpstr MyT5 Nllb Nougat OpenAIGPT PLBart Pegasus Perceiver Phobert "
    "ProphetNet Qwen3_5 Rag Reformer RemBert RoCBert RoFormer SeamlessM4T Siglip Siglip2 "
    "Speech2Text SpeechT5 Splinter Tapas Udop VideoPrism Vits Whisper XGLM XLM XLNet";

/// "BertTokenizerFast" -> "Bert".
std::string short_name(std::string_view name) {
  for (const std::string_view end : {"Fast", "Tokenizer"}) {
    if (name.ends_with(end)) name.remove_suffix(end.size());
  }
  return std::string(name);
}

const Class* find_class(std::string_view name) {
  const auto it = std::ranges::find_if(kClasses, [&](const Class& each) {
    return (*each.name != '\0' && name == each.name) || among(each.aliases, name);
  });
  return it == kClasses.end() ? nullptr : &*it;
}

const Class* class_of_type(std::string_view type) {
  const auto it = std::ranges::find_if(
      kClasses, [&](const Class& each) { return !type.empty() && among(each.types, type); });
  return it == kClasses.end() ? nullptr : &*it;
}

}  // namespace

std::string resolve_class(const std::string& named, const std::string& model_type, bool remote_code,
                          const std::string& file) {
  const Class* of_type = class_of_type(model_type);
  if (named.empty()) return of_type == nullptr ? "" : of_type->name;
  const std::string name = short_name(named);
  const Class* known = find_class(name);
  if (!remote_code && among(kTypesOfJson, model_type)) return "";
  if (!remote_code && of_type != nullptr && among(kTypesThatDecide, model_type))
    return of_type->name;
  if (known != nullptr) return known->name;
  if (among(kOther, name)) {
    throw_not_supported(file + ": tokenizer_class \"" + named +
                        "\" is a program of its own; supported are those that transformers builds "
                        "as Bert, MPNet, Roberta, GPT2, GPTNeoX, Qwen2, Gemma, XLMRoberta, "
                        "Camembert, T5, Albert, DebertaV2 and Llama, and PreTrainedTokenizerFast");
  }
  if (remote_code) {
    throw_not_supported(file + ": tokenizer_class \"" + named +
                        "\" is code of the repository (auto_map), which isn't run here");
  }
  return "";  // unknown to transformers: it takes tokenizer.json as it is
}

}  // namespace embedforge
