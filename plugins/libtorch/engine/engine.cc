#include "plugins/libtorch/engine/engine.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>

#include "plugins/libtorch/engine/heap.h"
#include "plugins/libtorch/engine/rules/error_text.h"
#include "plugins/libtorch/engine/interception.h"
#include "plugins/libtorch/engine/module_loader.h"
#include "plugins/libtorch/engine/rules/inputs.h"
#include "plugins/libtorch/engine/rules/tally.h"

namespace planner::libtorch {
namespace {

using plugin::v1::CountError;
using plugin::v1::CountRequest;
using plugin::v1::CountResponse;

constexpr int kInvalidArgument = 3;
constexpr int kOutOfRange = 11;
constexpr int kUnimplemented = 12;
constexpr int kInternal = 13;

constexpr size_t kLongestMessage = 16 << 10;

CountResponse Error(int code, std::string reason, std::string message, std::string field = "") {
  CountResponse response;
  CountError& error = *response.mutable_error();
  error.set_code(code);
  error.set_reason(std::move(reason));
  if (message.size() > kLongestMessage) message.resize(kLongestMessage);
  error.set_message(ValidText(message));
  error.set_field(std::move(field));
  return response;
}

// ------------------------------------------------------------------------------------------------------------ the module

std::string KindOf(const torch::jit::Module& module) {
  const auto name = module.type()->name();
  return name.has_value() ? name->name() : "Module";
}

/// Names a tensor by the memory that it shows, so that tied parameters have one name.
struct Region {
  const void* storage;
  int64_t offset;
  std::vector<int64_t> sizes;
  bool operator==(const Region&) const = default;
};

struct RegionHash {
  size_t operator()(const Region& region) const {
    return std::hash<const void*>()(region.storage) ^ (static_cast<size_t>(region.offset) * 31);
  }
};

/// The module tree on its way into the tally.
class ModuleTree {
 public:
  ModuleTree(Tally& tally, Recorder& recorder) : tally_(tally), recorder_(recorder) {}

  void Add(const torch::jit::Module& module, const std::string& path, int parent) {
    const auto& object = module._ivalue();
    if (recorder_.module_of_object.contains(object.get())) return;
    const auto type = object->type();
    base::Checked own = 0;
    for (size_t i = 0; i < type->numAttributes(); ++i) {
      if (!type->is_parameter(i)) continue;
      const c10::IValue slot = object->getSlot(i);
      if (!slot.isTensor() || !slot.toTensor().defined()) continue;
      const at::Tensor parameter = slot.toTensor();
      parameters.push_back(parameter);
      Region region{parameter.has_storage() ? parameter.storage().unsafeGetStorageImpl() : nullptr, parameter.storage_offset(),
                    parameter.sizes().vec()};
      if (unique_.insert(std::move(region)).second) own += parameter.numel();
    }
    const int number = tally_.AddModule(path, KindOf(module), parent, own);
    recorder_.module_of_object.emplace(object.get(), number);
    for (size_t i = 0; i < type->numAttributes(); ++i) {
      const c10::IValue slot = object->getSlot(i);
      if (!slot.isModule()) continue;
      const std::string& name = type->getAttributeName(i);
      Add(slot.toModule(), path.empty() ? name : path + "." + name, number);
    }
  }

  std::vector<at::Tensor> parameters;

 private:
  Tally& tally_;
  Recorder& recorder_;
  std::unordered_set<Region, RegionHash> unique_;
};

/// `forward`, or its overloads of a scripted nn.LSTM ("forward__0").
std::vector<torch::jit::Method> ForwardMethods(const torch::jit::Module& module) {
  std::vector<torch::jit::Method> methods;
  if (auto forward = module.find_method("forward")) {
    methods.push_back(*forward);
    return methods;
  }
  for (int i = 0; i < 16; ++i) {
    auto overload = module.find_method("forward__" + std::to_string(i));
    if (overload) methods.push_back(*overload);
  }
  return methods;
}

// ------------------------------------------------------------------------------------------------------------ the inputs

Argument DescribeArgument(const c10::Argument& from) {
  Argument argument;
  argument.name = from.name();
  argument.has_default = from.default_value().has_value();
  c10::TypePtr type = from.type();
  if (auto optional = type->cast<c10::OptionalType>()) {
    argument.optional = true;
    type = optional->getElementType();
  }
  auto is_tensor = [](const c10::TypePtr& of) { return of->kind() == c10::TypeKind::TensorType; };
  argument.kind = ArgumentKind::kOther;
  if (is_tensor(type) || type->kind() == c10::TypeKind::AnyType) {
    argument.kind = ArgumentKind::kTensor;
  } else if (auto list = type->cast<c10::ListType>()) {
    if (is_tensor(list->getElementType())) argument.kind = ArgumentKind::kTensorList;
  } else if (auto dict = type->cast<c10::DictType>()) {
    if (is_tensor(dict->getValueType()) && dict->getKeyType()->kind() == c10::TypeKind::StringType) {
      argument.kind = ArgumentKind::kTensorDict;
    }
  } else if (auto tuple = type->cast<c10::TupleType>()) {
    const auto& elements = tuple->elements();
    if (!elements.empty() && std::all_of(elements.begin(), elements.end(), is_tensor)) {
      argument.kind = ArgumentKind::kTensorTuple;
      argument.tuple_size = elements.size();
    }
  }
  return argument;
}

std::optional<at::ScalarType> ScalarTypeOf(const std::string& name) {
  static const auto& types = *new std::unordered_map<std::string, at::ScalarType>{
      {"float32", at::kFloat},   {"float", at::kFloat},     {"fp32", at::kFloat},   {"float64", at::kDouble},
      {"double", at::kDouble},   {"fp64", at::kDouble},     {"float16", at::kHalf}, {"half", at::kHalf},
      {"fp16", at::kHalf},       {"bfloat16", at::kBFloat16}, {"bf16", at::kBFloat16}, {"int64", at::kLong},
      {"long", at::kLong},       {"int32", at::kInt},       {"int", at::kInt},      {"int16", at::kShort},
      {"short", at::kShort},     {"int8", at::kChar},       {"uint8", at::kByte},   {"bool", at::kBool},
      {"complex64", at::kComplexFloat}, {"complex128", at::kComplexDouble},
  };
  const auto found = types.find(name);
  if (found == types.end()) return std::nullopt;
  return found->second;
}

/// The tensors and containers that a plan asks for.
struct Inputs {
  std::vector<c10::IValue> values;  ///< By argument; those left out at the end are missing.
  std::unordered_map<const void*, int> index_of_storage;  ///< Of inputs whose type was assumed.
  std::string error_field;
  std::string error;
};

Inputs MakeInputs(const InputPlan& plan, const c10::FunctionSchema& schema, at::ScalarType model_type,
                  const std::unordered_set<int>& integers) {
  Inputs inputs;
  auto make = [&](const InputTensor& wanted) {
    at::ScalarType type = model_type;
    if (!wanted.dtype.empty()) {
      const auto named = ScalarTypeOf(wanted.dtype);
      if (!named.has_value()) {
        inputs.error_field = "batch_shape.inputs[" + std::to_string(wanted.index) + "].dtype";
        inputs.error = "unknown element type: dtype=" + wanted.dtype;
        return at::Tensor();
      }
      type = *named;
    }
    if (wanted.assumed_dtype && integers.contains(wanted.index)) type = at::kLong;
    at::Tensor tensor = at::empty(wanted.sizes, at::TensorOptions().dtype(type).device(c10::kMeta));
    if (wanted.assumed_dtype) inputs.index_of_storage.emplace(tensor.storage().unsafeGetStorageImpl(), wanted.index);
    return tensor;
  };
  for (size_t a = 0; a < plan.arguments.size(); ++a) {
    const ArgumentValue& value = plan.arguments[a];
    switch (value.kind) {
      case ArgumentValue::kDefault: {
        const auto& fallback = schema.arguments()[a + 1].default_value();
        inputs.values.push_back(fallback.has_value() ? *fallback : c10::IValue());
        break;
      }
      case ArgumentValue::kNone:
        inputs.values.emplace_back();
        break;
      case ArgumentValue::kTensor:
        inputs.values.emplace_back(make(value.tensors.at(0)));
        break;
      case ArgumentValue::kList: {
        c10::List<at::Tensor> list;
        for (const InputTensor& tensor : value.tensors) list.push_back(make(tensor));
        inputs.values.emplace_back(std::move(list));
        break;
      }
      case ArgumentValue::kTuple: {
        std::vector<c10::IValue> elements;
        for (const InputTensor& tensor : value.tensors) elements.emplace_back(make(tensor));
        inputs.values.emplace_back(c10::ivalue::Tuple::create(std::move(elements)));
        break;
      }
      case ArgumentValue::kDict: {
        c10::Dict<std::string, at::Tensor> dict;
        for (const InputTensor& tensor : value.tensors) dict.insert(tensor.key, make(tensor));
        inputs.values.emplace_back(std::move(dict));
        break;
      }
    }
  }
  return inputs;
}

/// Input channels of the first convolution over images.
int64_t ImageChannels(const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& parameter : parameters) {
    if (parameter.dim() == 4) return parameter.size(1) == 3 || parameter.size(1) == 1 ? parameter.size(1) : 0;
  }
  return 0;
}

at::ScalarType FloatingTypeOf(const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& parameter : parameters) {
    if (parameter.is_floating_point()) return parameter.scalar_type();
  }
  return at::kFloat;
}

// -------------------------------------------------------------------------------------------------------------- the pass

/// Floating tensors of a result, through tuples, lists, dictionaries and objects.
void CollectFloating(const c10::IValue& value, std::vector<at::Tensor>& tensors, bool& any_tensor) {
  if (value.isTensor()) {
    if (!value.toTensor().defined()) return;
    any_tensor = true;
    if (value.toTensor().is_floating_point() || value.toTensor().is_complex()) tensors.push_back(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) CollectFloating(tensor, tensors, any_tensor);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) CollectFloating(element, tensors, any_tensor);
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) CollectFloating(element, tensors, any_tensor);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) CollectFloating(entry.value(), tensors, any_tensor);
  } else if (value.isObject()) {
    const auto& object = value.toObjectRef();
    for (const c10::IValue& slot : object.slots()) CollectFloating(slot, tensors, any_tensor);
  }
}

/// The gradients of the loss that the counting rules name: the sum of all floating outputs.
/// Says in `warnings` what cannot be differentiated.
void RunBackward(const c10::IValue& result, const std::vector<at::Tensor>& parameters, Recorder& recorder,
                 v1::CountResponse& count) {
  std::vector<at::Tensor> floating;
  bool any_tensor = false;
  CollectFloating(result, floating, any_tensor);
  std::vector<at::Tensor> roots;
  for (const at::Tensor& tensor : floating) {
    if (tensor.requires_grad()) roots.push_back(tensor);
  }
  const bool trainable =
      std::any_of(parameters.begin(), parameters.end(), [](const at::Tensor& parameter) { return parameter.requires_grad(); });
  if (roots.empty()) {
    if (!trainable) {
      count.add_warnings("no backward pass: no parameter requires a gradient");
    } else if (floating.empty()) {
      count.add_warnings(any_tensor ? "no backward pass: no output is a floating point tensor"
                                    : "no backward pass: forward returns no tensor");
    } else {
      count.add_warnings("no backward pass: no output depends on a parameter that requires a gradient");
    }
    return;
  }
  recorder.BeginBackward();
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& root : roots) {
    gradients.push_back(at::empty({}, root.options().requires_grad(false)).expand(root.sizes()));
  }
  torch::autograd::backward(roots, gradients);
}

struct Attempt {
  CountResponse response;
  /// An input that turned out to be used as indices although its type was only assumed to be floating.
  std::optional<int> integer_input;
  /// Why autograd cannot go through the model, whose forward pass went well; empty: it can, or was not asked to.
  std::string not_differentiable;
};

Attempt Run(const LoadedModule& loaded, torch::jit::Method& method, const CountRequest& request,
            const std::unordered_set<int>& integers) {
  Attempt attempt;
  Tally tally;
  const int element_bytes = request.activation_element_bytes() > 0 ? request.activation_element_bytes() : 2;
  Recorder recorder(tally, element_bytes);
  ModuleTree tree(tally, recorder);
  tree.Add(loaded.module, "", -1);
  recorder.module_storages = loaded.storages;

  const c10::FunctionSchema& schema = method.function().getSchema();
  std::string signature = "forward(";
  std::vector<Argument> arguments;
  for (size_t i = 1; i < schema.arguments().size(); ++i) {
    arguments.push_back(DescribeArgument(schema.arguments()[i]));
    signature += (i > 1 ? ", " : "") + schema.arguments()[i].name() + ": " + schema.arguments()[i].type()->annotation_str();
  }
  signature += ")";

  std::string field;
  const ModelHints hints{.image_channels = ImageChannels(tree.parameters)};
  const auto plan = PlanInputs(arguments, request.batch_shape(), hints, field);
  if (!plan.ok()) {
    const bool too_large = absl::IsOutOfRange(plan.status());
    attempt.response = Error(too_large ? kOutOfRange : kInvalidArgument, too_large ? "COUNT_OVERFLOW" : "INPUTS_MISMATCH",
                             std::string(plan.status().message()) + "; the model has " + signature, field);
    return attempt;
  }
  Inputs inputs = MakeInputs(*plan, schema, FloatingTypeOf(tree.parameters), integers);
  if (!inputs.error.empty()) {
    attempt.response = Error(kInvalidArgument, "INPUTS_MISMATCH", inputs.error, inputs.error_field);
    return attempt;
  }

  auto& result = *attempt.response.mutable_count();
  v1::CountResponse& count = *result.mutable_count();
  for (const std::string& warning : plan->warnings) count.add_warnings(warning);
  const bool training = request.mode() != v1::CountRequest::INFERENCE;
  try {
    c10::AutoGradMode grad_mode(training);
    torch::jit::GraphOptimizerEnabledGuard unoptimized(false);
    Interception interception(recorder);
    c10::IValue output = method(inputs.values);
    if (training) RunBackward(output, tree.parameters, recorder, count);
  } catch (const std::exception& error) {
    const auto integer = inputs.index_of_storage.find(recorder.floating_indices());
    if (integer != inputs.index_of_storage.end() && !integers.contains(integer->second)) {
      attempt.integer_input = integer->second;
      return attempt;
    }
    const std::string where = recorder.error_path.empty() ? "" : "in module " + recorder.error_path + ": ";
    const std::string pass = recorder.pass() == Tally::kBackward ? "backward: " : "";
    std::string text = where + pass + ErrorText(error.what());
    const size_t not_run = text.find("Could not run '");
    const size_t because = text.find(" This could be because");
    if (not_run != std::string::npos) recorder.unknown_operator = text.substr(not_run, because - not_run);
    if (because != std::string::npos) text.resize(because);
    if (recorder.pass() == Tally::kBackward && text.find("derivative for ") != std::string::npos) {
      attempt.not_differentiable = ErrorText(error.what());
      return attempt;
    }
    if (text.find("torage size calculation overflowed") != std::string::npos) {
      attempt.response = Error(kOutOfRange, "COUNT_OVERFLOW", std::move(text), "batch_shape.inputs");
    } else if (!recorder.unknown_operator.empty()) {
      attempt.response = Error(kUnimplemented, "OPERATOR_UNKNOWN", std::move(text));
    } else if (!recorder.data_dependent_operator.empty() || text.find("needs the values of a tensor") != std::string::npos) {
      attempt.response = Error(kUnimplemented, "DATA_DEPENDENT", std::move(text));
    } else if (recorder.pass() == Tally::kBackward) {
      attempt.response = Error(kUnimplemented, "BACKWARD_FAILED", std::move(text));
    } else {
      attempt.response = Error(kInvalidArgument, "SHAPE_MISMATCH", text + "; the model has " + signature, "batch_shape.inputs");
    }
    return attempt;
  }

  const absl::Status filled = tally.Fill(request.with_modules(), count);
  if (!filled.ok()) {
    attempt.response = Error(kOutOfRange, "COUNT_OVERFLOW", std::string(filled.message()));
    return attempt;
  }
  // The archive stores each tensor once, however many parameters show it.
  count.set_active_parameter_count(count.parameter_count());
  count.set_stored_parameter_count(count.parameter_count());
  int64_t embedding = 0;
  std::unordered_set<const void*> seen;
  for (const at::Tensor& parameter : tree.parameters) {
    const void* storage = parameter.has_storage() ? parameter.storage().unsafeGetStorageImpl() : nullptr;
    if (parameter.dim() != 2 || !seen.insert(storage).second) continue;
    // Tables of embeddings, and a head onto the largest one's vocabulary.
    if (recorder.embeddings().contains(storage) ||
        (recorder.embedding_rows() > 0 && parameter.size(0) == recorder.embedding_rows())) {
      embedding += parameter.numel();
    }
  }
  count.set_non_embedding_parameter_count(count.parameter_count() - embedding);
  if (!training) count.set_activation_bytes(0);
  count.set_peak_live_bytes(recorder.peak_live_bytes());
  count.set_accessed_bytes(recorder.accessed_bytes());
  for (const std::string& name : recorder.assumed_all()) {
    count.add_warnings(name + " depends on values: counted as if every element were selected");
  }
  // Small ones alone may be anything, unless the module has nothing else.
  const int64_t constants = tree.parameters.empty() ? loaded.floating_constants : loaded.constant_weights;
  if (constants > 0) {
    count.add_warnings("the module is frozen: " + std::to_string(constants) +
                       " elements of weights are constants and not counted as parameters");
  }
  if (training) count.mutable_provenance()->set_backward(v1::CountProvenance::COUNTED);
  return attempt;
}

constexpr char kWarmModel[] = R"(
def forward(self, x):
    x = torch.conv2d(x, self.kernel, None, [1, 1], [1, 1], [1, 1], 1)
    x = torch.batch_norm(x, self.scale, self.scale, self.mean, self.mean, True, 0.1, 1e-5, False)
    x = torch.batch_norm(torch.relu(x), self.scale, self.scale, self.mean, self.mean, False, 0.1, 1e-5, False)
    x = torch.relu_(torch.max_pool2d(x, [2, 2]) + 1)
    x = torch.flatten(torch.adaptive_avg_pool2d(x, [2, 2]), 2).transpose(1, 2)
    x = torch.layer_norm(x, [4], self.scale, self.scale)
    q, k, v = torch.chunk(torch.linear(torch.cat([x, x, x], 2).view(2, -1, 4), self.weight, self.scale).view(2, 4, 12), 3, 2)
    x = torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)) / 2.0, -1), v)
    x = torch.gelu(torch.matmul(x, self.weight)) * torch.sigmoid(x)
    x = torch.dropout(x, 0.1, True).permute(1, 0, 2).contiguous().reshape(-1, 4)
    return torch.linear(x[:2].mean(0, True).unsqueeze(0), self.weight)
)";

/// What loading says of operators that torch does not know.
bool IsUnknownOperator(const std::string& text) {
  return text.find("Unknown builtin op") != std::string::npos || text.find("unknown builtin op") != std::string::npos ||
         text.find("Couldn't find an operator") != std::string::npos;
}

}  // namespace

void WarmUp() {
  static bool warm = false;
  if (std::exchange(warm, true)) return;
  SetUpHeap();
  InstallHooks();
  torch::jit::getProfilingMode() = false;
  c10::SetStackTraceFetcher([] { return std::string(); });
  try {
    // A small model of ours, saved and counted: parser, unpickler, interpreter, operators and autograd have then run once.
    torch::jit::Module module("Warm");
    auto parameter = [&module](const char* name, std::vector<int64_t> sizes) {
      module.register_parameter(name, at::ones(sizes).requires_grad_(true), /*is_buffer=*/false);
    };
    parameter("kernel", {4, 3, 3, 3});
    parameter("scale", {4});
    parameter("weight", {4, 4});
    module.register_buffer("mean", at::zeros({4}));
    module.define(kWarmModel);
    std::ostringstream archive;
    module.save(archive);
    const LoadedModule loaded = LoadModule(archive.str());
    CountRequest request;
    v1::TensorShape image;
    for (const int64_t size : {2, 3, 8, 8}) image.add_dimensions(size);
    *request.mutable_batch_shape()->add_inputs() = image;
    std::vector<torch::jit::Method> methods = ForwardMethods(loaded.module);
    Run(loaded, methods.at(0), request, {});
  } catch (const std::exception&) {
    // Counting works without, only slower.
  }
  MakeRoomOnHeap();
}

CountResponse CountModule(int fd, const CountRequest& request) {
  WarmUp();
  LoadedModule loaded;
  try {
    loaded = LoadModule(fd);
  } catch (const std::exception& error) {
    std::string text = ErrorText(error.what());
    // A list of all backends, among them quantized ones.
    text.resize(std::min(text.size(), text.find(" This could be because")));
    if (IsUnknownOperator(text)) return Error(kUnimplemented, "OPERATOR_UNKNOWN", text);
    if (text.find("Quantized") != std::string::npos) {
      return Error(kUnimplemented, "MODEL_QUANTIZED", "quantized tensors cannot be counted; count the model as it was before: " + text);
    }
    // Of prim::ConstantMKLDNNTensor, whose value no file holds.
    if (text.find("required keyword attribute 'value' is undefined") != std::string::npos) {
      return Error(kUnimplemented, "MODEL_OPTIMIZED",
                   "the module was optimized for the machine that wrote it, and its file has not the weights that went into that "
                   "machine's layout; save it before torch.jit.optimize_for_inference: " + text);
    }
    return Error(kInvalidArgument, "MODEL_FILE_BROKEN", "the file cannot be loaded: " + text);
  }
  try {
    std::vector<torch::jit::Method> methods = ForwardMethods(loaded.module);
    if (methods.empty()) return Error(kInvalidArgument, "MODEL_FILE_BROKEN", "the module has no method forward");
    std::optional<CountResponse> first_answer;
    for (torch::jit::Method& method : methods) {
      std::unordered_set<int> integers;
      for (;;) {
        Attempt attempt = Run(loaded, method, request, integers);
        if (attempt.integer_input.has_value()) {
          integers.insert(*attempt.integer_input);
          continue;
        }
        if (!attempt.not_differentiable.empty()) {
          CountRequest forward_only = request;
          forward_only.set_mode(v1::CountRequest::INFERENCE);
          const std::string warning = "no backward pass: " + attempt.not_differentiable;
          attempt = Run(loaded, method, forward_only, integers);
          if (attempt.response.has_count()) attempt.response.mutable_count()->mutable_count()->add_warnings(ValidText(warning));
        }
        if (attempt.response.has_count()) return attempt.response;
        // The first overload's error speaks for all.
        if (!first_answer.has_value()) first_answer = std::move(attempt.response);
        break;
      }
    }
    return *first_answer;
  } catch (const std::exception& error) {
    return Error(kInternal, "COUNT_FAILED", ErrorText(error.what()));
  }
}

}  // namespace planner::libtorch
