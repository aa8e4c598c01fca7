#include "checkpoint/state_dict.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "checkpoint/pickle_value.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

using Kind = PickleValue::Kind;

struct StorageType {
  std::string_view name;
  DataType type;
};
constexpr std::array<StorageType, 9> kStorages = {{{"torch.FloatStorage", DataType::kFloat},
                                                   {"torch.HalfStorage", DataType::kFloat16},
                                                   {"torch.BFloat16Storage", DataType::kBfloat16},
                                                   {"torch.DoubleStorage", DataType::kDouble},
                                                   {"torch.LongStorage", DataType::kInt64},
                                                   {"torch.IntStorage", DataType::kInt32},
                                                   {"torch.CharStorage", DataType::kInt8},
                                                   {"torch.ByteStorage", DataType::kUint8},
                                                   {"torch.BoolStorage", DataType::kBool}}};
constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";

const StorageType* storage_type(std::string_view global) {
  const auto found = std::find_if(kStorages.begin(), kStorages.end(),
                                  [&](const StorageType& type) { return type.name == global; });
  return found == kStorages.end() ? nullptr : &*found;
}

class PickleReader {
 public:
  PickleReader(std::span<const std::byte> bytes, const std::string& file)
      : bytes_(bytes), file_(file) {}

  std::map<std::string, StoredTensor> read() {
    while (step()) {
    }
    return tensors_of(get(pop()));
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw_bad_input(file_ + ": data.pkl: damaged at byte " + std::to_string(at_) + ": " + what);
  }

  // Input.
  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) damaged("it ends within a value");
    const char* data = reinterpret_cast<const char*>(bytes_.data()) + at_;
    at_ += count;
    return {data, count};
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string line() {
    const size_t begin = at_;
    while (number<char>() != '\n') {
    }
    return {reinterpret_cast<const char*>(bytes_.data()) + begin, at_ - begin - 1};
  }
  /// A two's complement integer of `count` bytes, least significant first.
  int64_t long_integer(size_t count) {
    const std::string_view data = take(count);
    if (count > 8) damaged("an integer of more than 64 bits");
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(data[i])) << (8 * i);
    }
    const bool negative = count > 0 && (static_cast<unsigned char>(data[count - 1]) & 0x80U) != 0;
    if (negative && count < 8) value |= ~uint64_t{0} << (8 * count);
    return static_cast<int64_t>(value);
  }

  // Stack and arena.
  PickleValue& get(PickleRef ref) { return arena_[ref]; }
  void push(PickleRef ref) { stack_.push_back(ref); }
  void push(PickleValue value) {
    arena_.push_back(std::move(value));
    push(static_cast<PickleRef>(arena_.size() - 1));
  }
  void push_int(int64_t value, Kind kind = Kind::kInt) { push({.kind = kind, .number = value}); }
  void push_text(std::string_view text) {
    push({.kind = Kind::kString, .text = std::string(text)});
  }
  PickleRef pop() {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) damaged("the stack is empty");
    const PickleRef ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  PickleRef top() {
    const PickleRef ref = pop();
    push(ref);
    return ref;
  }
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) damaged("no mark");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleRef> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  void push_tuple(size_t count) {
    PickleValue tuple{.kind = Kind::kTuple};
    for (size_t i = 0; i < count; ++i) tuple.items.push_back(pop());
    std::reverse(tuple.items.begin(), tuple.items.end());
    push(std::move(tuple));
  }
  void append(PickleRef target, const std::vector<PickleRef>& items, Kind kind) {
    if (get(target).kind != kind || (kind == Kind::kDict && items.size() % 2 != 0)) {
      damaged("items for what is no list or dict");
    }
    get(target).items.insert(get(target).items.end(), items.begin(), items.end());
  }
  void memoize(uint64_t index) { memo_[index] = top(); }
  void recall(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) damaged("nothing is remembered as " + std::to_string(index));
    push(found->second);
  }

  // What a state dict may name.
  void push_global(const std::string& name) {
    if (name != kOrderedDict && name != kRebuildTensor && name != kRebuildParameter &&
        storage_type(name) == nullptr) {
      throw_not_supported(file_ + ": refused: data.pkl asks for " + name +
                          ", which a dict of tensors does not need; nothing was executed");
    }
    push({.kind = Kind::kGlobal, .text = name});
  }
  int64_t integer(PickleRef ref) {
    if (get(ref).kind != Kind::kInt) damaged("expected an integer");
    return get(ref).number;
  }
  std::vector<int64_t> integers(PickleRef ref) {
    if (get(ref).kind != Kind::kTuple) damaged("expected a tuple of integers");
    std::vector<int64_t> values;
    for (const PickleRef item : get(ref).items) {
      values.push_back(integer(item));
      if (values.back() < 0) damaged("a negative size or stride");
    }
    return values;
  }
  /// ('storage', class, key, location, element count)
  void persistent_load() {
    const PickleValue& id = get(pop());
    if (id.kind != Kind::kTuple || id.items.size() < 5 || get(id.items[0]).text != "storage" ||
        get(id.items[1]).kind != Kind::kGlobal || get(id.items[2]).kind != Kind::kString) {
      damaged("expected a storage");
    }
    const StorageType* type = storage_type(get(id.items[1]).text);
    if (type == nullptr) damaged("expected a storage class");
    const int64_t elements = integer(id.items[4]);
    if (elements < 0) damaged("a storage of negative size");
    PickleValue storage{.kind = Kind::kStorage};
    storage.tensor.type = type->type;
    storage.tensor.storage = get(id.items[2]).text;
    storage.tensor.storage_elements = static_cast<uint64_t>(elements);
    push(std::move(storage));
  }
  void reduce() {
    const PickleValue arguments = get(pop());
    const PickleValue function = get(pop());
    if (arguments.kind != Kind::kTuple || function.kind != Kind::kGlobal) damaged("a bad call");
    const std::vector<PickleRef>& items = arguments.items;
    if (function.text == kOrderedDict && items.empty()) {
      push({.kind = Kind::kDict});
    } else if (function.text == kRebuildTensor && items.size() >= 4 &&
               get(items[0]).kind == Kind::kStorage) {
      PickleValue value = get(items[0]);
      value.kind = Kind::kTensor;
      const int64_t offset = integer(items[1]);
      if (offset < 0) damaged("a negative offset");
      value.tensor.offset = static_cast<uint64_t>(offset);
      value.tensor.dims = integers(items[2]);
      value.tensor.strides = integers(items[3]);
      if (value.tensor.dims.size() != value.tensor.strides.size()) damaged("a bad shape");
      push(std::move(value));
    } else if (function.text == kRebuildParameter && !items.empty() &&
               get(items[0]).kind == Kind::kTensor) {
      push(items[0]);
    } else {
      damaged("bad arguments for " + function.text);
    }
  }

  bool step();

  std::map<std::string, StoredTensor> tensors_of(const PickleValue& dict) {
    if (dict.kind != Kind::kDict) {
      throw_bad_input(file_ + ": holds no dict of tensors (a model's state_dict)");
    }
    std::map<std::string, StoredTensor> tensors;
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = get(dict.items[i]);
      const PickleValue& value = get(dict.items[i + 1]);
      if (key.kind != Kind::kString) throw_bad_input(file_ + ": a tensor's name is no string");
      if (value.kind != Kind::kTensor) {
        throw_bad_input(file_ + ": \"" + key.text +
                        "\" is no tensor; a flat state_dict is expected");
      }
      tensors[key.text] = value.tensor;
    }
    return tensors;
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
  size_t at_ = 0;
  std::vector<PickleValue> arena_;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleRef> memo_;
};

/// Executes one opcode; false after STOP.
bool PickleReader::step() {
  const auto opcode = number<unsigned char>();
  switch (opcode) {
    case 0x80:  // PROTO
      if (number<uint8_t>() > 5) damaged("an unknown pickle protocol");
      break;
    case 0x95:  // FRAME
      take(8);
      break;
    case '.':  // STOP
      return false;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      break;
    case '0':  // POP
      pop();
      break;
    case 'N':
      push({});
      break;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push_int(opcode == 0x88 ? 1 : 0, Kind::kBool);
      break;
    case 'J':  // BININT
      push_int(number<int32_t>());
      break;
    case 'K':  // BININT1
      push_int(number<uint8_t>());
      break;
    case 'M':  // BININT2
      push_int(number<uint16_t>());
      break;
    case 0x8a:  // LONG1
      push_int(long_integer(number<uint8_t>()));
      break;
    case 'G':  // BINFLOAT
      take(8);
      push({.kind = Kind::kFloat});
      break;
    case 'X':  // BINUNICODE
      push_text(take(number<uint32_t>()));
      break;
    case 0x8c:  // SHORT_BINUNICODE
      push_text(take(number<uint8_t>()));
      break;
    case 0x8d:  // BINUNICODE8
      push_text(take(number<uint64_t>()));
      break;
    case ')':
      push_tuple(0);
      break;
    case 0x85:
    case 0x86:
    case 0x87:
      push_tuple(opcode - 0x84U);
      break;
    case 't':
      push({.kind = Kind::kTuple, .items = pop_to_mark()});
      break;
    case ']':
      push({.kind = Kind::kList});
      break;
    case '}':
      push({.kind = Kind::kDict});
      break;
    case 'a': {  // APPEND
      const PickleRef item = pop();
      append(top(), {item}, Kind::kList);
      break;
    }
    case 'e': {  // APPENDS
      const std::vector<PickleRef> items = pop_to_mark();
      append(top(), items, Kind::kList);
      break;
    }
    case 's': {  // SETITEM
      const PickleRef value = pop();
      const PickleRef key = pop();
      append(top(), {key, value}, Kind::kDict);
      break;
    }
    case 'u': {  // SETITEMS
      const std::vector<PickleRef> items = pop_to_mark();
      append(top(), items, Kind::kDict);
      break;
    }
    case 'q':  // BINPUT
      memoize(number<uint8_t>());
      break;
    case 'r':  // LONG_BINPUT
      memoize(number<uint32_t>());
      break;
    case 0x94:  // MEMOIZE
      memoize(memo_.size());
      break;
    case 'h':  // BINGET
      recall(number<uint8_t>());
      break;
    case 'j':  // LONG_BINGET
      recall(number<uint32_t>());
      break;
    case 'c': {  // GLOBAL
      const std::string module = line();
      push_global(module + "." + line());
      break;
    }
    case 0x93: {  // STACK_GLOBAL
      const std::string name = get(pop()).text;
      push_global(get(pop()).text + "." + name);
      break;
    }
    case 'Q':  // BINPERSID
      persistent_load();
      break;
    case 'R':
      reduce();
      break;
    case 'b':  // BUILD: attributes of an OrderedDict (_metadata), which are not needed
      pop();
      if (get(top()).kind != Kind::kDict) damaged("attributes for what is no dict");
      break;
    default:
      --at_;
      throw_not_supported(file_ + ": refused: data.pkl uses pickle opcode " +
                          std::to_string(opcode) + " at byte " + std::to_string(at_) +
                          ", which a dict of tensors does not need; nothing was executed");
  }
  return true;
}

}  // namespace

std::map<std::string, StoredTensor> read_state_dict(std::span<const std::byte> pickle,
                                                    const std::string& file) {
  return PickleReader(pickle, file).read();
}

}  // namespace embedforge
