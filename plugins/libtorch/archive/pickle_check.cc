#include "plugins/libtorch/archive/pickle_check.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "plugins/libtorch/archive/archive_error.h"
#include "plugins/libtorch/archive/byte_order.h"

namespace planner::libtorch {
namespace {

enum class Kind : uint8_t {
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kTuple,
  kList,
  kDict,
  kFunction,  ///< A global that REDUCE calls.
  kClass,     ///< A global of __torch__.
  kConstant,  ///< A global that is a value: a storage type, a quantization scheme.
  kInstance,  ///< After NEWOBJ, before BUILD.
  kStorage,
  kOpaque,  ///< A finished object, tensor, device, …
};

constexpr std::array<std::string_view, 14> kKindNames = {"None",     "a bool", "an int",   "a float",    "a string",
                                                         "a tuple",  "a list", "a dict",   "a function", "a class",
                                                         "a constant", "an instance", "a storage", "an object"};

/// What the functions that REDUCE may call do, and how wide the elements of a storage are.
struct Global {
  std::string_view module, name;
  enum class Role : uint8_t { kList, kTag, kTensor, kQuantizedTensor, kSparseTensor, kHooks, kDevice, kComplex, kStorage, kScheme } role;
  int8_t element_bytes = 0;
};

constexpr Global kGlobals[] = {
    {"torch.jit._pickle", "build_intlist", Global::Role::kList},
    {"torch.jit._pickle", "build_tensorlist", Global::Role::kList},
    {"torch.jit._pickle", "build_doublelist", Global::Role::kList},
    {"torch.jit._pickle", "build_boollist", Global::Role::kList},
    {"torch.jit._pickle", "build_complexlist", Global::Role::kList},
    {"torch.jit._pickle", "restore_type_tag", Global::Role::kTag},
    {"torch._utils", "_rebuild_tensor_v2", Global::Role::kTensor},
    {"torch._utils", "_rebuild_qtensor", Global::Role::kQuantizedTensor},
    {"torch._utils", "_rebuild_sparse_tensor", Global::Role::kSparseTensor},
    {"collections", "OrderedDict", Global::Role::kHooks},
    {"builtins", "complex", Global::Role::kComplex},
    {"torch", "device", Global::Role::kDevice},
    {"torch", "ByteStorage", Global::Role::kStorage, 1},
    {"torch", "CharStorage", Global::Role::kStorage, 1},
    {"torch", "ShortStorage", Global::Role::kStorage, 2},
    {"torch", "IntStorage", Global::Role::kStorage, 4},
    {"torch", "LongStorage", Global::Role::kStorage, 8},
    {"torch", "HalfStorage", Global::Role::kStorage, 2},
    {"torch", "BFloat16Storage", Global::Role::kStorage, 2},
    {"torch", "FloatStorage", Global::Role::kStorage, 4},
    {"torch", "DoubleStorage", Global::Role::kStorage, 8},
    {"torch", "BoolStorage", Global::Role::kStorage, 1},
    {"torch", "ComplexHalfStorage", Global::Role::kStorage, 4},
    {"torch", "ComplexFloatStorage", Global::Role::kStorage, 8},
    {"torch", "ComplexDoubleStorage", Global::Role::kStorage, 16},
    {"torch", "QInt8Storage", Global::Role::kStorage, 1},
    {"torch", "QUInt8Storage", Global::Role::kStorage, 1},
    {"torch", "QInt32Storage", Global::Role::kStorage, 4},
    {"torch", "QUInt4x2Storage", Global::Role::kStorage, 1},
    {"torch", "QUInt2x4Storage", Global::Role::kStorage, 1},
    {"torch", "Float8_e5m2Storage", Global::Role::kStorage, 1},
    {"torch", "Float8_e4m3fnStorage", Global::Role::kStorage, 1},
    {"torch", "Float8_e5m2fnuzStorage", Global::Role::kStorage, 1},
    {"torch", "Float8_e4m3fnuzStorage", Global::Role::kStorage, 1},
    {"torch", "UInt16Storage", Global::Role::kStorage, 2},
    {"torch", "UInt32Storage", Global::Role::kStorage, 4},
    {"torch", "UInt64Storage", Global::Role::kStorage, 8},
    {"torch", "per_tensor_affine", Global::Role::kScheme},
    {"torch", "per_channel_affine", Global::Role::kScheme},
    {"torch", "per_tensor_symmetric", Global::Role::kScheme},
    {"torch", "per_channel_symmetric", Global::Role::kScheme},
    {"torch", "per_channel_affine_float_qparams", Global::Role::kScheme},
};

/// A value of the model. Containers keep their items in Unpickler::items_.
struct Value {
  Kind kind = Kind::kNone;
  /// Something contains it, or the memo gave it out: torch's pickler never changes it any more.
  bool closed = false;
  /// Containers in containers, itself included.
  uint16_t depth = 0;
  /// An int's value; a function's or constant's index in kGlobals; a storage's elements; a tuple's first item in items_.
  int64_t number = 0;
  /// A string; a tuple's items are counted by `count`.
  std::string_view text;
  uint32_t count = 0;
};

using Id = uint32_t;

class Unpickler {
 public:
  Unpickler(std::string_view name, std::string_view bytes, const StorageBytes& storage_bytes, const ArchiveLimits& limits)
      : name_(name), bytes_(bytes), storage_bytes_(storage_bytes), limits_(limits) {}

  absl::Status Run() {
    if (bytes_.size() < 2 || bytes_[0] != '\x80') return Error("does not start as a pickle");
    if (bytes_[1] != '\x02') return Error("is not of pickle protocol 2");
    position_ = 2;
    while (true) {
      if (std::cmp_greater(values_.size(), limits_.max_pickle_values)) {
        return TooLarge(absl::StrCat("member \"", name_, "\" has too many values: limit=", limits_.max_pickle_values));
      }
      char opcode = 0;
      at_ = position_;
      RETURN_IF_ERROR(Take(1, [&opcode](const char* from) { opcode = *from; }));
      if (opcode == '.') break;
      RETURN_IF_ERROR(Step(opcode));
    }
    if (position_ != bytes_.size()) return Error("goes on after its end");
    if (stack_.size() != 1 || !marks_.empty()) return Error("does not leave one value");
    const Kind kind = values_[stack_.front()].kind;
    if (kind == Kind::kInstance || kind == Kind::kFunction || kind == Kind::kClass || kind == Kind::kStorage) {
      return Error("ends before its value is built");
    }
    return absl::OkStatus();
  }

 private:
  /// "member "x/data.pkl" …, at byte 12".
  absl::Status Error(std::string_view what) const {
    return Hostile(absl::StrCat("member \"", absl::CHexEscape(name_), "\" ",
                                absl::string_view(what.data(), what.size()), ", at byte ", at_));
  }

  template <typename Use>
  absl::Status Take(size_t size, Use use) {
    if (size > bytes_.size() - position_) return Error("ends in the middle of a value");
    use(bytes_.data() + position_);
    position_ += size;
    return absl::OkStatus();
  }

  Id Add(Value value) {
    values_.push_back(value);
    return static_cast<Id>(values_.size() - 1);
  }
  void Push(Value value) { stack_.push_back(Add(value)); }
  void PushKind(Kind kind) { Push({.kind = kind}); }

  /// Values above the last mark: what an opcode may pop without one.
  size_t Available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  absl::Status Need(size_t count) const {
    if (Available() < count) return Error("takes a value from an empty stack");
    return absl::OkStatus();
  }

  Value& Top(size_t below = 0) { return values_[stack_[stack_.size() - 1 - below]]; }

  absl::Status Expect(const Value& value, Kind kind) const {
    if (value.kind == kind) return absl::OkStatus();
    return Error(absl::StrCat("has ", std::string(kKindNames[static_cast<size_t>(value.kind)]), " where ",
                              std::string(kKindNames[static_cast<size_t>(kind)]), " belongs"));
  }

  /// Lets a container take the values of the stack from `start` on; `depth` becomes the container's.
  absl::Status Contain(size_t start, uint16_t& depth) {
    int deepest = depth;
    for (size_t i = start; i < stack_.size(); ++i) {
      Value& item = values_[stack_[i]];
      if (item.kind == Kind::kInstance || item.kind == Kind::kStorage) {
        // Storages stand in the tuple of a tensor; what uses them checks that.
        if (item.kind == Kind::kInstance) return Error("uses an object that is not built yet");
      }
      item.closed = true;
      deepest = std::max(deepest, item.depth + 1);
    }
    if (deepest > limits_.max_nesting) {
      return Error(absl::StrCat("nests values too deeply: limit=", limits_.max_nesting));
    }
    depth = static_cast<uint16_t>(deepest);
    return absl::OkStatus();
  }

  absl::Status MakeTuple(size_t start) {
    Value tuple = {.kind = Kind::kTuple, .depth = 1};
    RETURN_IF_ERROR(Contain(start, tuple.depth));
    tuple.number = static_cast<int64_t>(items_.size());
    tuple.count = static_cast<uint32_t>(stack_.size() - start);
    items_.insert(items_.end(), stack_.begin() + static_cast<ptrdiff_t>(start), stack_.end());
    stack_.resize(start);
    Push(tuple);
    return absl::OkStatus();
  }

  absl::Status PopMark(size_t& start) {
    if (marks_.empty()) return Error("closes a group that it did not open");
    start = marks_.back();
    marks_.pop_back();
    return absl::OkStatus();
  }

  /// Appends what lies above `start` to the container right below it.
  absl::Status Fill(size_t start, Kind kind) {
    if (start == (marks_.empty() ? 0 : marks_.back())) return Error("takes a value from an empty stack");
    const Id container = stack_[start - 1];
    RETURN_IF_ERROR(Expect(values_[container], kind));
    if (values_[container].closed) return Error("changes a container that is in use");
    if (kind == Kind::kDict) {
      if ((stack_.size() - start) % 2 != 0) return Error("has a dict with a key that has no value");
      for (size_t i = start; i < stack_.size(); i += 2) {
        const Kind key = values_[stack_[i]].kind;
        if (key == Kind::kList || key == Kind::kDict || key == Kind::kFunction || key == Kind::kClass || key == Kind::kStorage) {
          return Error(absl::StrCat("has ", std::string(kKindNames[static_cast<size_t>(key)]), " as the key of a dict"));
        }
      }
    }
    uint16_t depth = values_[container].depth;
    RETURN_IF_ERROR(Contain(start, depth));
    values_[container].depth = depth;
    stack_.resize(start);
    return absl::OkStatus();
  }

  absl::Status Put(uint32_t index) {
    RETURN_IF_ERROR(Need(1));
    // torch's memo is a vector that grows to the index: entries come in order, without holes.
    if (index > memo_.size()) return Error(absl::StrCat("leaves holes in its memo: index=", index));
    if (index == memo_.size()) memo_.push_back(stack_.back());
    memo_[index] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Get(uint32_t index) {
    if (index >= memo_.size()) return Error(absl::StrCat("reads a memo entry that was not put: index=", index));
    Value& value = values_[memo_[index]];
    if (value.kind == Kind::kInstance) return Error("uses an object that is not built yet");
    value.closed = true;
    stack_.push_back(memo_[index]);
    return absl::OkStatus();
  }

  absl::Status PushGlobal();
  absl::Status PersistentId();
  absl::Status Reduce();
  absl::Status CheckTensor(const Value& arguments, size_t argument_count);
  absl::Status CheckType(std::string_view text) const;
  absl::StatusOr<std::vector<int64_t>> Integers(const Value& tuple) const;
  absl::Status Step(char opcode);

  /// `index` is within the tuple's count.
  const Value& Item(const Value& tuple, size_t index) const { return values_[items_[static_cast<size_t>(tuple.number) + index]]; }

  const std::string name_;
  const std::string_view bytes_;
  const StorageBytes& storage_bytes_;
  const ArchiveLimits& limits_;
  size_t position_ = 0;
  size_t at_ = 0;  ///< Of the opcode at work.
  std::vector<Value> values_;
  std::vector<Id> items_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::vector<Id> memo_;
};

absl::Status Unpickler::PushGlobal() {
  std::array<std::string_view, 2> lines;
  for (std::string_view& line : lines) {
    const size_t end = bytes_.find('\n', position_);
    if (end == bytes_.npos || end - position_ > 4096) return Error("has a global without an end");
    line = bytes_.substr(position_, end - position_);
    position_ = end + 1;
  }
  const auto [module, name] = lines;
  const std::string full = absl::StrCat(absl::CHexEscape(absl::string_view(module.data(), module.size())), ".",
                                        absl::CHexEscape(absl::string_view(name.data(), name.size())));
  if (module == "__torch__" || module.substr(0, 10) == "__torch__.") {
    // Classes that are written in C++ read their state by code of their own.
    constexpr std::string_view kNative = "__torch__.torch.classes.";
    if (module.substr(0, kNative.size()) == kNative && module != "__torch__.torch.classes.quantized") {
      return Unsupported(absl::StrCat("member \"", name_, "\" uses the native class ", full,
                                      ", which is not among those that are loaded"),
                         "MODEL_OPERATOR_REFUSED");
    }
    PushKind(Kind::kClass);
    return absl::OkStatus();
  }
  for (size_t i = 0; i < std::size(kGlobals); ++i) {
    if (module != kGlobals[i].module || name != kGlobals[i].name) continue;
    const bool value = kGlobals[i].role == Global::Role::kStorage || kGlobals[i].role == Global::Role::kScheme;
    Push({.kind = value ? Kind::kConstant : Kind::kFunction, .number = static_cast<int64_t>(i)});
    return absl::OkStatus();
  }
  return Error(absl::StrCat("asks for the global ", full, ", which no exported module needs"));
}

absl::Status Unpickler::PersistentId() {
  RETURN_IF_ERROR(Need(1));
  const Value& tuple = Top();
  RETURN_IF_ERROR(Expect(tuple, Kind::kTuple));
  if (tuple.count != 5) return Error("has a storage without its five parts");
  RETURN_IF_ERROR(Expect(Item(tuple, 0), Kind::kString));
  RETURN_IF_ERROR(Expect(Item(tuple, 1), Kind::kConstant));
  RETURN_IF_ERROR(Expect(Item(tuple, 2), Kind::kString));
  RETURN_IF_ERROR(Expect(Item(tuple, 3), Kind::kString));
  RETURN_IF_ERROR(Expect(Item(tuple, 4), Kind::kInt));
  const Global& type = kGlobals[Item(tuple, 1).number];
  if (Item(tuple, 0).text != "storage" || type.role != Global::Role::kStorage) return Error("has a storage of no known type");
  const std::string_view key = Item(tuple, 2).text;
  const std::string quoted = absl::CHexEscape(absl::string_view(key.data(), std::min<size_t>(key.size(), 100)));
  const int64_t elements = Item(tuple, 4).number;
  if (elements < 0) return Error(absl::StrCat("has a storage of a negative size: key=", quoted, " elements=", elements));
  const std::optional<int64_t> bytes = storage_bytes_(key);
  if (!bytes.has_value() && elements > 0) {
    return Broken(absl::StrCat("member \"", name_, "\" names the storage ", quoted, ", which the file does not have"));
  }
  if (elements > 0 && *bytes / type.element_bytes != elements) {
    return Error(absl::StrCat("and the storage \"", quoted, "\" disagree: elements=", elements,
                              " element_bytes=", int{type.element_bytes}, " member_bytes=", *bytes));
  }
  stack_.pop_back();
  Push({.kind = Kind::kStorage, .number = elements});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> Unpickler::Integers(const Value& tuple) const {
  RETURN_IF_ERROR(Expect(tuple, Kind::kTuple));
  // More dimensions than any tensor has, and than torch's own small vectors hold.
  if (tuple.count > 64) return Error(absl::StrCat("has a tensor of too many dimensions: ", tuple.count));
  std::vector<int64_t> integers;
  for (size_t i = 0; i < tuple.count; ++i) {
    RETURN_IF_ERROR(Expect(Item(tuple, i), Kind::kInt));
    integers.push_back(Item(tuple, i).number);
    if (integers.back() < 0) return Error(absl::StrCat("has a tensor with a negative size or stride: ", integers.back()));
  }
  return integers;
}

absl::Status Unpickler::CheckTensor(const Value& arguments, size_t argument_count) {
  if (arguments.count < argument_count) return Error("has a tensor without its parts");
  RETURN_IF_ERROR(Expect(Item(arguments, 0), Kind::kStorage));
  RETURN_IF_ERROR(Expect(Item(arguments, 1), Kind::kInt));
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, Integers(Item(arguments, 2)));
  ASSIGN_OR_RETURN(const std::vector<int64_t> strides, Integers(Item(arguments, 3)));
  RETURN_IF_ERROR(Expect(Item(arguments, argument_count - 2), Kind::kBool));
  const int64_t elements = Item(arguments, 0).number;
  const int64_t offset = Item(arguments, 1).number;
  if (sizes.size() != strides.size()) return Error("has a tensor with more sizes than strides, or fewer");
  __extension__ using Wide = __int128;
  Wide count = 1;
  Wide last = offset;
  bool empty = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    empty = empty || sizes[i] == 0;
    count *= std::max<int64_t>(sizes[i], 1);
    last += Wide{std::max<int64_t>(sizes[i], 1) - 1} * strides[i];
    if (count > INT64_MAX / 16 || last > INT64_MAX / 16) return Error("has a tensor of a size that overflows");
  }
  if (offset < 0 || offset > elements || (!empty && last >= elements)) {
    return Error(absl::StrCat("has a tensor that reaches beyond its storage: last_element=", static_cast<int64_t>(last),
                              " storage_elements=", elements));
  }
  return absl::OkStatus();
}

absl::Status Unpickler::CheckType(std::string_view text) const {
  // torch parses it by recursive descent.
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '(') ++depth;
    if (c == ']' || c == ')') --depth;
    if (depth > 50) return Error("has a type that is nested too deeply");
  }
  if (text.size() > 4096) return Error("has a type with too long a name");
  return absl::OkStatus();
}

absl::Status Unpickler::Reduce() {
  RETURN_IF_ERROR(Need(2));
  const Value callee = Top(1);
  const Value arguments = Top();
  if (callee.kind == Kind::kClass) {
    // An enum's value.
    const Kind kind = arguments.kind;
    if (kind != Kind::kInt && kind != Kind::kFloat && kind != Kind::kString) return Error("calls a class like a function");
  } else {
    RETURN_IF_ERROR(Expect(callee, Kind::kFunction));
    RETURN_IF_ERROR(Expect(arguments, Kind::kTuple));
    const auto need = [&](size_t count, std::initializer_list<Kind> kinds) -> absl::Status {
      if (arguments.count != count) return Error("calls a function with too many or too few values");
      size_t i = 0;
      for (const Kind kind : kinds) RETURN_IF_ERROR(Expect(Item(arguments, i++), kind));
      return absl::OkStatus();
    };
    switch (kGlobals[callee.number].role) {
      case Global::Role::kList:
        RETURN_IF_ERROR(need(1, {Kind::kList}));
        break;
      case Global::Role::kTag: {
        RETURN_IF_ERROR(need(2, {}));
        const Kind kind = Item(arguments, 0).kind;
        if (kind != Kind::kList && kind != Kind::kDict) return Error("gives a type to something other than a list or dict");
        RETURN_IF_ERROR(Expect(Item(arguments, 1), Kind::kString));
        RETURN_IF_ERROR(CheckType(Item(arguments, 1).text));
        break;
      }
      case Global::Role::kTensor:
        RETURN_IF_ERROR(CheckTensor(arguments, 6));
        break;
      case Global::Role::kQuantizedTensor:
        RETURN_IF_ERROR(CheckTensor(arguments, 7));
        RETURN_IF_ERROR(Expect(Item(arguments, 4), Kind::kTuple));
        break;
      case Global::Role::kSparseTensor:
        if (arguments.count < 5) return Error("has a sparse tensor without its parts");
        RETURN_IF_ERROR(Expect(Item(arguments, 0), Kind::kInt));
        RETURN_IF_ERROR(Integers(Item(arguments, 1)).status());
        RETURN_IF_ERROR(Expect(Item(arguments, 2), Kind::kBool));
        RETURN_IF_ERROR(Expect(Item(arguments, 3), Kind::kOpaque));
        RETURN_IF_ERROR(Expect(Item(arguments, 4), Kind::kOpaque));
        break;
      case Global::Role::kHooks:
        RETURN_IF_ERROR(need(0, {}));
        break;
      case Global::Role::kDevice:
        RETURN_IF_ERROR(need(1, {Kind::kString}));
        break;
      case Global::Role::kComplex:
        RETURN_IF_ERROR(need(2, {Kind::kFloat, Kind::kFloat}));
        break;
      case Global::Role::kStorage:
      case Global::Role::kScheme:
        return Error("calls a value like a function");
    }
  }
  // A list or dict that was given its type stays one for what contains it; nobody fills it any more.
  const bool tagged = callee.kind == Kind::kFunction && (kGlobals[callee.number].role == Global::Role::kList ||
                                                         kGlobals[callee.number].role == Global::Role::kTag);
  stack_.pop_back();
  stack_.pop_back();
  if (tagged) {
    stack_.push_back(items_[static_cast<size_t>(arguments.number)]);
  } else {
    Push({.kind = Kind::kOpaque, .depth = 1});
  }
  return absl::OkStatus();
}

absl::Status Unpickler::Step(char opcode) {
  int64_t number = 0;
  const auto take_number = [this, &number]<typename Integer>(Integer) {
    return Take(sizeof(Integer), [&number](const char* from) { number = static_cast<int64_t>(LittleEndian<Integer>(from)); });
  };
  size_t start = 0;
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return absl::OkStatus();
    case 'N':
      PushKind(Kind::kNone);
      return absl::OkStatus();
    case '\x88':
    case '\x89':
      PushKind(Kind::kBool);
      return absl::OkStatus();
    case 'K':
      RETURN_IF_ERROR(take_number(uint8_t{}));
      Push({.kind = Kind::kInt, .number = number});
      return absl::OkStatus();
    case 'M':
      RETURN_IF_ERROR(take_number(uint16_t{}));
      Push({.kind = Kind::kInt, .number = number});
      return absl::OkStatus();
    case 'J':
      RETURN_IF_ERROR(take_number(int32_t{}));
      Push({.kind = Kind::kInt, .number = number});
      return absl::OkStatus();
    case '\x8a':
      RETURN_IF_ERROR(take_number(uint8_t{}));
      if (number != 8) return Error(absl::StrCat("has an integer of ", number, " bytes"));
      RETURN_IF_ERROR(take_number(int64_t{}));
      Push({.kind = Kind::kInt, .number = number});
      return absl::OkStatus();
    case 'G':
      RETURN_IF_ERROR(Take(8, [](const char*) {}));
      PushKind(Kind::kFloat);
      return absl::OkStatus();
    case 'X': {
      RETURN_IF_ERROR(take_number(uint32_t{}));
      Value text = {.kind = Kind::kString};
      const auto size = static_cast<size_t>(number);
      RETURN_IF_ERROR(Take(size, [&](const char* from) { text.text = {from, size}; }));
      Push(text);
      return absl::OkStatus();
    }
    case ')':
      Push({.kind = Kind::kTuple, .depth = 1});
      return absl::OkStatus();
    case ']':
      Push({.kind = Kind::kList, .depth = 1});
      return absl::OkStatus();
    case '}':
      Push({.kind = Kind::kDict, .depth = 1});
      return absl::OkStatus();
    case '\x85':
    case '\x86':
    case '\x87': {
      const auto count = static_cast<size_t>(opcode - '\x85') + 1;
      RETURN_IF_ERROR(Need(count));
      return MakeTuple(stack_.size() - count);
    }
    case 't':
      RETURN_IF_ERROR(PopMark(start));
      return MakeTuple(start);
    case 'e':
      RETURN_IF_ERROR(PopMark(start));
      return Fill(start, Kind::kList);
    case 'u':
      RETURN_IF_ERROR(PopMark(start));
      return Fill(start, Kind::kDict);
    case 'a':
      RETURN_IF_ERROR(Need(2));
      return Fill(stack_.size() - 1, Kind::kList);
    case 's':
      RETURN_IF_ERROR(Need(3));
      return Fill(stack_.size() - 2, Kind::kDict);
    case 'q':
      RETURN_IF_ERROR(take_number(uint8_t{}));
      return Put(static_cast<uint32_t>(number));
    case 'r':
      RETURN_IF_ERROR(take_number(uint32_t{}));
      return Put(static_cast<uint32_t>(number));
    case 'h':
      RETURN_IF_ERROR(take_number(uint8_t{}));
      return Get(static_cast<uint32_t>(number));
    case 'j':
      RETURN_IF_ERROR(take_number(uint32_t{}));
      return Get(static_cast<uint32_t>(number));
    case 'c':
      return PushGlobal();
    case 'Q':
      return PersistentId();
    case 'R':
      return Reduce();
    case '\x81':
      RETURN_IF_ERROR(Need(2));
      RETURN_IF_ERROR(Expect(Top(1), Kind::kClass));
      if (Top().kind != Kind::kTuple || Top().count != 0) return Error("makes an object with arguments");
      stack_.resize(stack_.size() - 2);
      PushKind(Kind::kInstance);
      return absl::OkStatus();
    case 'b': {
      RETURN_IF_ERROR(Need(2));
      RETURN_IF_ERROR(Expect(Top(1), Kind::kInstance));
      Value object = {.kind = Kind::kOpaque, .depth = 1};
      RETURN_IF_ERROR(Contain(stack_.size() - 1, object.depth));
      stack_.resize(stack_.size() - 2);
      Push(object);
      return absl::OkStatus();
    }
    default:
      return Error(absl::StrCat("has the opcode 0x", absl::Hex(static_cast<uint8_t>(opcode), absl::kZeroPad2),
                                ", which torch does not write"));
  }
}

}  // namespace

absl::Status CheckPickle(std::string_view name, std::string_view bytes, const StorageBytes& storage_bytes,
                         const ArchiveLimits& limits) {
  return Unpickler(name, bytes, storage_bytes, limits).Run();
}

}  // namespace planner::libtorch
