#include "plugins/libtorch/engine/interception.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/SequenceNumber.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/saved_variable_hooks.h>
#include <torch/library.h>

#include "plugins/libtorch/engine/error_reports.h"
#include "plugins/libtorch/engine/later_operators.h"
#include "plugins/libtorch/engine/meta/kernels.h"
#include "plugins/libtorch/engine/quick_compiler.h"
#include "plugins/libtorch/engine/rules/operator_rules.h"
#include "plugins/libtorch/engine/rules/products.h"
#include "plugins/libtorch/engine/torch_compat.h"

namespace planner::libtorch {
namespace {

// The key at which operators are seen. Torch gave it to fake tensors of projects outside of it, right below autograd and above
// every backend; nothing in libtorch itself uses it.
constexpr c10::DispatchKey kKey = c10::DispatchKey::Fake;

// Small results of factories that ask for the CPU keep their values, which shape arithmetic and masks may need.
constexpr int64_t kLargestValuedFactory = 1 << 16;

Recorder* recorder = nullptr;
/// Inside an operator that is made of others without autograd's knowledge: they are its business, and counted with it.
bool nested = false;

struct NestedScope {
  bool before = std::exchange(nested, true);
  ~NestedScope() { nested = before; }
};

const void* StorageOf(const at::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

// ---------------------------------------------------------------------------------------------- memory of the meta device

/// Of one storage on the meta device. `bytes` is what it was counted with; 0: an operator's scratch space, not seen yet.
struct StorageNote {
  int64_t bytes = 0;
  Recorder* owner = nullptr;
};

void DeleteNote(void* context) {
  auto* note = static_cast<StorageNote*>(context);
  if (note->owner != nullptr && note->owner == recorder) recorder->Freed(note->bytes);
  delete note;
}

/// Gives out storages without memory, each with a note.
struct MetaAllocator final : MemorylessAllocator {
  c10::DataPtr AllocateNothing() const override {
    return {nullptr, new StorageNote, &DeleteNote, c10::Device(c10::DeviceType::Meta)};
  }
};

// ------------------------------------------------------------------------------------------------------ saved for backward

struct SavedHooks final : torch::autograd::SavedVariableHooks {
  void call_pack_hook(const at::Tensor& tensor) override {
    saved = tensor;
    if (recorder != nullptr) recorder->Saved(tensor);
  }
  at::Tensor call_unpack_hook() override { return saved; }
  at::Tensor saved;
};

/// Torch's engine, which also tells what autograd saves.
struct ObservedEngine final : torch::autograd::Engine {
  std::unique_ptr<torch::autograd::SavedVariableHooks> get_default_saved_variable_hooks() override {
    if (recorder == nullptr) return nullptr;
    return std::make_unique<SavedHooks>();
  }
};

torch::autograd::Engine& TheEngine() {
  static auto& engine = *new ObservedEngine;  // Never destroyed, as torch's own is not safe to.
  return engine;
}

// ------------------------------------------------------------------------------------------------------------- operators

/// What is known of one operator, found out once.
struct Operator {
  std::string full_name;  ///< "aten::add"
  std::string name;       ///< "add"
  const OperatorRule* rule = nullptr;
  meta::MetaKernel kernel = nullptr;
  bool has_meta = false;
  bool is_primitive = false;    ///< Has a Meta kernel of its own.
  bool is_index = false;        ///< Takes indices, whose values (boolean masks) decide its shape.
  bool needs_values = false;    ///< Its result depends on values.
  std::vector<size_t> devices;  ///< Arguments that are devices.
};

bool NeedsValues(const std::string& name) {
  return name == "_local_scalar_dense" || name == "equal" || name == "_unique2" || name == "unique_dim" ||
         name == "unique_consecutive" || name == "is_nonzero" || name == "bincount" || name == "_unique" ||
         name == "_pack_padded_sequence";
}

const Operator& Describe(const c10::OperatorHandle& handle) {
  static auto& known = *new std::unordered_map<const void*, Operator>;
  const void* id = &handle.schema();
  auto found = known.find(id);
  if (found != known.end()) return found->second;
  Operator& op = known[id];
  op.full_name = handle.schema().name();
  const size_t colon = op.full_name.rfind(':');
  op.name = colon == std::string::npos ? op.full_name : op.full_name.substr(colon + 1);
  op.rule = FindOperatorRule(op.name);
  op.kernel = meta::FindMetaKernel(op.full_name, handle.schema().overload_name());
  op.has_meta = handle.hasComputedKernelForDispatchKey(c10::DispatchKey::Meta);
  op.is_index = op.name == "index" || op.name == "index_put" || op.name == "index_put_" ||
                op.name == "_index_put_impl_" || op.name == "_unsafe_index";
  // Boolean masks among indices are looked up by an operator of their own.
  op.is_primitive = handle.hasKernelForDispatchKey(c10::DispatchKey::Meta) && !op.is_index;
  op.needs_values = NeedsValues(op.name);
  const auto& arguments = handle.schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    c10::TypePtr type = arguments[i].type();
    if (auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
    if (type->kind() == c10::TypeKind::DeviceObjType) op.devices.push_back(i);
  }
  return op;
}

/// Calls `visit(tensor)` with every tensor of a value, undefined ones included.
template <typename Visit>
void VisitTensors(const c10::IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    visit(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) visit(tensor);
  } else if (value.isOptionalTensorList()) {
    for (const c10::optional<at::Tensor>& tensor : value.toOptionalTensorVector()) visit(tensor.value_or(at::Tensor()));
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) VisitTensors(element, visit);
  }
}

at::Tensor OnMeta(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_meta() || tensor.unsafeGetTensorImpl()->is_wrapped_number()) return tensor;
  if (tensor.layout() != c10::Layout::Strided) return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(c10::kMeta));
}

c10::IValue OnMeta(const c10::IValue& value) {
  if (value.isTensor()) return OnMeta(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(OnMeta(tensor));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<c10::optional<at::Tensor>> list;
    for (const c10::optional<at::Tensor>& tensor : value.toOptionalTensorVector()) {
      list.push_back(tensor.has_value() ? c10::optional<at::Tensor>(OnMeta(*tensor)) : c10::nullopt);
    }
    return list;
  }
  return value;
}

/// Elements that a factory without tensor arguments makes, as far as its arguments say; 0: unknown or few.
int64_t FactoryElements(const Operator& op, const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  base::Checked elements = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (schema.arguments()[i].name() == "size" && arguments[i].isIntList()) {
      elements = 1;
      for (int64_t size : arguments[i].toIntVector()) elements *= size;
    }
    if (op.name == "eye" && arguments[i].isInt() && i < 2)
      elements = (i == 0 ? base::Checked(1) : elements) * arguments[i].toInt();
    if ((op.name == "tril_indices" || op.name == "triu_indices") && i < 2 && arguments[i].isInt()) {
      elements = (i == 0 ? base::Checked(1) : elements) * arguments[i].toInt();
    }
    if (op.name == "linspace" && schema.arguments()[i].name() == "steps" && arguments[i].isInt())
      elements = arguments[i].toInt();
    if (op.name == "arange" && schema.arguments()[i].name() == "end" && arguments[i].isInt())
      elements = arguments[i].toInt();
    if (op.name == "randperm" && i == 0 && arguments[i].isInt()) elements = arguments[i].toInt();
  }
  if (op.name == "eye" && arguments.size() > 1 && !arguments[1].isInt()) elements *= elements;
  return elements.overflowed() ? std::numeric_limits<int64_t>::max() : elements.ValueOrZero();
}

TensorShape ShapeOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return {{}, false};
  const auto sizes = tensor.sizes();
  return {{sizes.begin(), sizes.end()}, true};
}

/// Memory that torch's own code is about to write to: of torch.tensor([…]). Models and traces do not give a layout alone.
bool IsFilledByTorch(const Operator& op, const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  if (op.name != "empty") return false;
  bool layout = false;
  bool pinning = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = schema.arguments()[i].name();
    if (name == "layout") layout = !arguments[i].isNone();
    if (name == "pin_memory") pinning = !arguments[i].isNone();
  }
  return layout && !pinning;
}

[[noreturn]] void Refuse(const std::string& text) { throw std::runtime_error(text); }

/// Whether a factory without tensor arguments makes floating point numbers.
bool MakesFloats(const Operator& op, const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (schema.arguments()[i].name() == "dtype" && !arguments[i].isNone()) {
      return at::isFloatingType(arguments[i].toScalarType()) || at::isComplexType(arguments[i].toScalarType());
    }
  }
  if (op.name == "full" || op.name == "arange" || op.name == "scalar_tensor") {
    return std::any_of(arguments.begin(), arguments.end(), [](const c10::IValue& value) { return value.isDouble(); });
  }
  return op.name.find("randint") == std::string::npos && op.name.find("_indices") == std::string::npos &&
         op.name != "randperm";
}

void Intercept(const c10::OperatorHandle& handle, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  keys = keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, kKey);
  const Operator& op = Describe(handle);
  const size_t argument_count = handle.schema().arguments().size();
  if (recorder == nullptr) {
    c10::impl::ExcludeDispatchKeyGuard unseen(kKey);
    // While a module is loaded: torch 1.13 refuses to put a storage that it cannot resize under a meta tensor.
    if (op.name == "set_" && op.kernel != nullptr && stack->back().isStorage() &&
        stack->back().toStorage().device().is_meta()) {
      op.kernel(*stack, argument_count);
    } else if (op.name == "equal" && (stack->end()[-1].toTensor().is_meta() || stack->end()[-2].toTensor().is_meta())) {
      // Constants of a frozen module, of which equal ones would become one: weights that are not read differ.
      const bool same = stack->end()[-1].toTensor().is_same(stack->end()[-2].toTensor());
      stack->resize(stack->size() - 2);
      stack->emplace_back(same);
    } else {
      handle.redispatchBoxed(keys, stack);
    }
    return;
  }
  const size_t first = stack->size() - argument_count;

  bool any_meta = false;
  bool any_cpu = false;
  for (size_t i = first; i < stack->size(); ++i) {
    VisitTensors((*stack)[i], [&](const at::Tensor& tensor) {
      if (!tensor.defined()) return;
      (tensor.is_meta() ? any_meta : any_cpu) = true;
    });
  }
  // Devices that a traced graph or the model's code names become the meta device.
  // Not those of an operator's own scratch space.
  for (const size_t i : op.devices) {
    if (nested) break;
    c10::IValue& device = (*stack)[first + i];
    if (any_meta) {
      if (!device.isNone()) device = c10::Device(c10::kMeta);
    } else if (!any_cpu) {
      const bool host = device.isNone() || device.toDevice().is_cpu();
      const c10::ArrayRef<c10::IValue> arguments(stack->data() + first, argument_count);
      // Integers may decide shapes and masks; floating tensors (an LSTM's initial state) are data like the inputs.
      // So does what a traced graph asks of the CPU, on which it happened to be traced.
      const bool valued = device.isNone() && !MakesFloats(op, handle.schema(), arguments);
      const int64_t largest = valued ? kLargestValuedFactory : 1;
      if (host && IsFilledByTorch(op, handle.schema(), arguments)) continue;
      if (!host || FactoryElements(op, handle.schema(), arguments) > largest) {
        device = c10::Device(c10::kMeta);
        any_meta = true;
      }
    } else if (!device.isNone() && !device.toDevice().is_cpu() && !device.toDevice().is_meta()) {
      device = c10::Device(c10::kMeta);
    }
  }
  if (any_meta && any_cpu) {
    for (size_t i = 0; i < argument_count; ++i) {
      if (op.is_index && i == 1) continue;  // Indices may stay, with their values.
      c10::IValue& value = (*stack)[first + i];
      if (value.isTensor() || value.isTensorList() || value.isOptionalTensorList()) value = OnMeta(value);
    }
  }

  if (nested) {
    if (any_meta && op.kernel != nullptr) {
      if (op.name == "nonzero" || op.name == "masked_select") recorder->AssumeAll(op.name);
      c10::impl::ExcludeDispatchKeyGuard unseen(kKey);
      op.kernel(*stack, argument_count);
    } else {
      handle.redispatchBoxed(keys, stack);
    }
    return;
  }

  const bool counted = op.rule != nullptr && op.rule->basis != Basis::kFree;
  const bool moves = op.rule == nullptr || counted || !handle.schema().hasAnyAliasInfo() || op.rule->name == "copy";
  OperatorCall call;
  call.name = op.name;
  if (counted && call.name.size() > 1 && call.name.back() == '_' && call.name != op.rule->name)
    call.name.remove_suffix(1);
  if (counted || moves) {
    for (size_t i = first; i < stack->size(); ++i) {
      const c10::IValue& value = (*stack)[i];
      VisitTensors(value, [&](const at::Tensor& tensor) {
        if (counted) call.inputs.push_back(ShapeOf(tensor));
        if (moves && tensor.defined()) recorder->Accessed(tensor);
      });
      if (!counted) continue;
      if (value.isNone()) {
        const c10::TypePtr& type = handle.schema().arguments()[i - first].type();
        if (type->kind() == c10::TypeKind::OptionalType &&
            type->expectRef<c10::OptionalType>().getElementType()->kind() == c10::TypeKind::TensorType) {
          call.inputs.push_back({{}, false});
        }
      } else if (value.isBool()) {
        call.flags.push_back(value.toBool());
      } else if (value.isBoolList()) {
        for (const bool flag : value.toBoolList()) call.flags.push_back(flag);
      }
    }
  }
  if (op.name == "embedding") {
    recorder->Embedded((*stack)[first].toTensor());
    const at::Tensor& indices = (*stack)[first + 1].toTensor();
    if (indices.is_floating_point()) recorder->FloatingIndices(indices);
  }

  try {
    if (any_meta && op.kernel != nullptr) {
      if (op.name == "nonzero" || op.name == "masked_select") recorder->AssumeAll(op.name);
      c10::impl::ExcludeDispatchKeyGuard unseen(kKey);
      op.kernel(*stack, argument_count);
    } else if (any_meta && op.needs_values) {
      recorder->data_dependent_operator = op.full_name;
      Refuse(op.full_name + " needs the values of a tensor, and a count has only shapes");
    } else if (any_meta && !op.has_meta) {
      recorder->unknown_operator = op.full_name;
      Refuse(op.full_name + " cannot be worked out from shapes alone: it has no Meta kernel");
    } else if (op.is_primitive || !any_meta) {
      c10::impl::ExcludeDispatchKeyGuard unseen(kKey);
      handle.redispatchBoxed(keys, stack);
    } else {
      // Made of other operators, some of which may need a stand-in.
      NestedScope inside;
      handle.redispatchBoxed(keys, stack);
    }
  } catch (...) {
    recorder->Failed();
    throw;
  }

  const size_t result_count = handle.schema().returns().size();
  for (size_t i = stack->size() - result_count; i < stack->size(); ++i) {
    VisitTensors((*stack)[i], [&](const at::Tensor& tensor) {
      if (!tensor.defined()) return;
      if (counted) call.outputs.push_back(ShapeOf(tensor));
      if (moves) recorder->Accessed(tensor);
      if (tensor.is_meta()) recorder->Made(tensor);
    });
  }
  if (op.rule == nullptr) {
    recorder->AddUncounted(op.full_name);
  } else if (counted) {
    const std::optional<base::Checked> macs = op.rule->basis == Basis::kProduct ? MacsOf(call) : std::nullopt;
    recorder->AddCall(op.rule->kind, macs.value_or(base::Checked(0)), OtherFlopsOf(*op.rule, call),
                      InCausalAttention());
  }
}

// ------------------------------------------------------------------------------------------------------ modules and nodes

std::unique_ptr<at::ObserverContext> OnEnterMethod(const at::RecordFunction& function) {
  if (recorder == nullptr) return nullptr;
  const auto inputs = function.inputs();
  const void* self = nullptr;
  if (!inputs.empty() && inputs[0].isObject())
    self = inputs[0].toObjectRef().type().get() ? &inputs[0].toObjectRef() : nullptr;
  recorder->EnterMethod(self);
  return nullptr;
}

void OnLeaveMethod(const at::RecordFunction&, at::ObserverContext*) {
  if (recorder != nullptr) recorder->LeaveMethod();
}

std::unique_ptr<at::ObserverContext> OnEnterNode(const at::RecordFunction& function) {
  if (recorder != nullptr) recorder->EnterNode(function.seqNr());
  return nullptr;
}

void OnLeaveNode(const at::RecordFunction&, at::ObserverContext*) {
  if (recorder != nullptr) recorder->LeaveNode();
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------- Recorder

void Recorder::EnterMethod(const void* self) {
  const auto found = module_of_object.find(self);
  const int entered = found == module_of_object.end() ? module() : found->second;
  modules_.push_back(entered);
  node_modules_.emplace_back(at::sequence_number::peek(), entered);
}

void Recorder::LeaveMethod() {
  if (std::uncaught_exceptions() > 0) Failed();
  if (modules_.size() > 1) modules_.pop_back();
  node_modules_.emplace_back(at::sequence_number::peek(), module());
}

void Recorder::BeginBackward() {
  pass_ = Tally::kBackward;
  modules_ = {0};
}

void Recorder::EnterNode(int64_t sequence_number) {
  int made_by = 0;
  // Accumulation into parameters has no number of its own.
  if (sequence_number >= 0) {
    const auto after =
        std::upper_bound(node_modules_.begin(), node_modules_.end(), static_cast<uint64_t>(sequence_number),
                         [](uint64_t number, const auto& entry) { return number < entry.first; });
    if (after != node_modules_.begin()) made_by = std::prev(after)->second;
  }
  modules_.push_back(made_by);
}

void Recorder::Failed() {
  if (failed) return;
  failed = true;
  error_path = tally_.Path(module());
}

int64_t Recorder::BytesOf(const at::Tensor& tensor, bool storage) const {
  const auto item = static_cast<int64_t>(tensor.itemsize());
  if (item == 0) return 0;
  int64_t elements = tensor.numel();
  if (tensor.has_storage()) {
    const int64_t kept = static_cast<int64_t>(tensor.storage().nbytes()) / item;
    elements = storage ? kept : std::min(elements, kept);
  }
  return elements * (tensor.is_floating_point() ? activation_element_bytes_
                     : tensor.is_complex()      ? 2 * activation_element_bytes_
                                                : item);
}

void Recorder::Saved(const at::Tensor& tensor) {
  if (pass_ == Tally::kBackward || !tensor.defined() || !tensor.is_meta()) return;
  const void* storage = StorageOf(tensor);
  if (storage == nullptr || module_storages.contains(storage) || !saved_.insert(storage).second) return;
  tally_.AddActivation(module(), BytesOf(tensor, /*storage=*/true));
}

void Recorder::Made(const at::Tensor& tensor) {
  if (!tensor.has_storage()) return;
  const c10::DataPtr& pointer = tensor.storage().data_ptr();
  if (pointer.get_deleter() != &DeleteNote || pointer.get_context() == nullptr) return;
  auto* note = static_cast<StorageNote*>(pointer.get_context());
  if (note->owner == this) return;
  note->owner = this;
  note->bytes = BytesOf(tensor, /*storage=*/true);
  live_bytes_ += note->bytes;
  peak_live_bytes_ = std::max(peak_live_bytes_, live_bytes_);
}

void Recorder::Embedded(const at::Tensor& weight) {
  if (weight.dim() != 2) return;
  embeddings_.insert(StorageOf(weight));
  embedding_rows_ = std::max(embedding_rows_, weight.size(0));
}

// ---------------------------------------------------------------------------------------------------------- Interception

struct Interception::Guards {
  at::CallbackHandle methods;
  at::CallbackHandle nodes;
  c10::impl::IncludeDispatchKeyGuard key{kKey};
};

Interception::Interception(Recorder& of) {
  InstallHooks();
  guards_ = new Guards{
      at::addThreadLocalCallback(at::RecordFunctionCallback(&OnEnterMethod, &OnLeaveMethod)
                                     .needsInputs(true)
                                     .scopes({at::RecordScope::TORCHSCRIPT_FUNCTION})),
      at::addThreadLocalCallback(
          at::RecordFunctionCallback(&OnEnterNode, &OnLeaveNode).scopes({at::RecordScope::BACKWARD_FUNCTION})),
  };
  recorder = &of;
}

Interception::~Interception() {
  recorder = nullptr;
  at::removeCallback(guards_->methods);
  at::removeCallback(guards_->nodes);
  delete guards_;
}

LoadScope::LoadScope() : guard_(new c10::impl::IncludeDispatchKeyGuard(kKey)) {}

LoadScope::~LoadScope() { delete static_cast<c10::impl::IncludeDispatchKeyGuard*>(guard_); }

void InstallHooks() {
  static std::once_flag once;
  std::call_once(once, [] {
    ForgetOtherDevices();
    UseLaterOperators();
    UseQuickCompiler();
    UseErrorReportsWithoutCopies();
    static MetaAllocator allocator;
    c10::SetAllocator(c10::DeviceType::Meta, &allocator, /*priority=*/1);
    torch::autograd::set_default_engine_stub(&TheEngine);
  });
}

}  // namespace planner::libtorch

TORCH_LIBRARY_IMPL(_, Fake, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&planner::libtorch::Intercept>());
}
