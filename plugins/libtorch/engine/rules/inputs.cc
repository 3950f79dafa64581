#include "plugins/libtorch/engine/rules/inputs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/checked.h"
#include "core/base/status_macros.h"

namespace planner::libtorch {
namespace {

constexpr int64_t kDefaultSeqLen = 128;
constexpr int64_t kDefaultImageSize = 224;

absl::string_view View(const std::string& text) { return {text.data(), text.size()}; }

/// Names under which models take token or position numbers, or other integers.
bool IsIntegerName(const std::string& name) {
  static constexpr std::string_view kNames[] = {"ids",     "tokens", "token", "labels",     "label", "indices", "index",
                                                "idx",     "target_ids", "edge_index", "positions", "words", "input_tokens"};
  for (std::string_view known : kNames) {
    if (name == known) return true;
  }
  return absl::EndsWith(View(name), "_ids") || absl::EndsWith(View(name), "_indices") || absl::EndsWith(View(name), "_tokens") ||
         absl::EndsWith(View(name), "_idx");
}

/// Names of one number per position of a sequence: [batch, seq_len].
bool IsSequenceName(const std::string& name) {
  static constexpr std::string_view kNames[] = {"input_ids", "token_type_ids", "position_ids", "attention_mask",
                                                "decoder_input_ids", "decoder_attention_mask", "labels", "tokens", "token_ids",
                                                "ids", "idx", "segment_ids", "src_tokens", "tgt_tokens", "input_tokens"};
  for (std::string_view known : kNames) {
    if (name == known) return true;
  }
  return false;
}

bool IsImageName(const std::string& name) {
  static constexpr std::string_view kNames[] = {"pixel_values", "images", "image", "img", "imgs", "x", "input", "inputs"};
  for (std::string_view known : kNames) {
    if (name == known) return true;
  }
  return false;
}

/// The tensor that an argument of this name usually is; nothing for other names.
std::optional<InputTensor> UsualInput(const Argument& argument, const v1::BatchShape& batch, const ModelHints& hints,
                                      InputPlan& plan) {
  const int64_t samples = batch.has_batch() ? batch.batch() : 1;
  if (IsSequenceName(argument.name)) {
    int64_t positions = kDefaultSeqLen;
    if (batch.has_seq_len()) {
      positions = batch.seq_len();
    } else {
      const std::string warning = absl::StrCat("no sequence length was given: counted at ", kDefaultSeqLen);
      if (std::find(plan.warnings.begin(), plan.warnings.end(), warning) == plan.warnings.end()) plan.warnings.push_back(warning);
    }
    InputTensor tensor;
    tensor.sizes = {samples, positions};
    tensor.dtype = "int64";
    return tensor;
  }
  if (IsImageName(argument.name) && (hints.image_channels > 0 || argument.name == "pixel_values")) {
    InputTensor tensor;
    const int64_t channels = hints.image_channels > 0 ? hints.image_channels : 3;
    tensor.sizes = {samples, channels, kDefaultImageSize, kDefaultImageSize};
    plan.warnings.push_back(absl::StrCat("no input shape was given: \"", argument.name, "\" counted at ", samples, "x", channels,
                                         "x", kDefaultImageSize, "x", kDefaultImageSize));
    return tensor;
  }
  return std::nullopt;
}

InputTensor GivenInput(const v1::BatchShape& batch, int index, const std::string& name) {
  const v1::TensorShape& shape = batch.inputs(index);
  InputTensor tensor;
  tensor.sizes.assign(shape.dimensions().begin(), shape.dimensions().end());
  tensor.dtype = shape.dtype();
  tensor.assumed_dtype = shape.dtype().empty();
  if (tensor.dtype.empty() && IsIntegerName(name)) tensor.dtype = "int64";
  tensor.index = index;
  return tensor;
}

ArgumentValue::Kind ValueKind(ArgumentKind kind) {
  switch (kind) {
    case ArgumentKind::kTensorList:
      return ArgumentValue::kList;
    case ArgumentKind::kTensorTuple:
      return ArgumentValue::kTuple;
    case ArgumentKind::kTensorDict:
      return ArgumentValue::kDict;
    case ArgumentKind::kTensor:
    case ArgumentKind::kOther:
      break;
  }
  return ArgumentValue::kTensor;
}

bool TakesTensors(const Argument& argument) { return argument.kind != ArgumentKind::kOther; }

/// Tensors that an argument needs at least, when it is given at all.
size_t Needed(const Argument& argument) { return argument.kind == ArgumentKind::kTensorTuple ? argument.tuple_size : 1; }

bool MustBeGiven(const Argument& argument) { return TakesTensors(argument) && !argument.optional && !argument.has_default; }

absl::Status CheckPositive(int64_t value, const std::string& name, std::string& field) {
  if (value >= 1) return absl::OkStatus();
  field = name;
  return absl::InvalidArgumentError(absl::StrCat("is no size: ", name, "=", value));
}

absl::Status CheckSizes(const v1::BatchShape& batch, std::string& field) {
  if (batch.has_batch()) RETURN_IF_ERROR(CheckPositive(batch.batch(), "batch_shape.batch", field));
  if (batch.has_seq_len()) RETURN_IF_ERROR(CheckPositive(batch.seq_len(), "batch_shape.seq_len", field));
  for (int i = 0; i < batch.inputs_size(); ++i) {
    for (const int64_t size : batch.inputs(i).dimensions()) {
      RETURN_IF_ERROR(CheckPositive(size, absl::StrCat("batch_shape.inputs[", i, "].dimensions"), field));
    }
  }
  return absl::OkStatus();
}

/// That the bytes of every tensor fit 63 bits, with the largest element.
absl::Status CheckBytes(const InputPlan& plan, std::string& field) {
  constexpr int64_t kLargestElement = 16;
  for (const ArgumentValue& value : plan.arguments) {
    for (const InputTensor& tensor : value.tensors) {
      base::Checked bytes = kLargestElement;
      for (const int64_t size : tensor.sizes) bytes *= size;
      if (!bytes.overflowed()) continue;
      field = tensor.index >= 0 ? absl::StrCat("batch_shape.inputs[", tensor.index, "]") : "batch_shape.batch";
      return absl::OutOfRangeError("an input has more bytes than 63 bits can count");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InputPlan> PlanInputs(const std::vector<Argument>& arguments, const v1::BatchShape& batch, const ModelHints& hints,
                                     std::string& field) {
  RETURN_IF_ERROR(CheckSizes(batch, field));
  InputPlan plan;
  plan.arguments.resize(arguments.size());
  std::vector<int> unnamed;
  for (int i = 0; i < batch.inputs_size(); ++i) {
    const std::string& name = batch.inputs(i).name();
    if (name.empty()) {
      unnamed.push_back(i);
      continue;
    }
    const size_t dot = name.find('.');
    const std::string head = name.substr(0, dot);
    size_t found = arguments.size();
    for (size_t a = 0; a < arguments.size(); ++a) {
      if (TakesTensors(arguments[a]) && (arguments[a].name == name || (dot != std::string::npos && arguments[a].name == head))) found = a;
    }
    // The key of a dictionary, named alone.
    for (size_t a = 0; found == arguments.size() && a < arguments.size(); ++a) {
      if (arguments[a].kind == ArgumentKind::kTensorDict) found = a;
    }
    if (found == arguments.size()) {
      field = absl::StrCat("batch_shape.inputs[", i, "]");
      return absl::InvalidArgumentError(absl::StrCat("forward has no argument of this name: name=", name));
    }
    ArgumentValue& value = plan.arguments[found];
    value.kind = ValueKind(arguments[found].kind);
    const std::string key = dot != std::string::npos && arguments[found].name == head ? name.substr(dot + 1) : name;
    if (value.kind == ArgumentValue::kTensor && !value.tensors.empty()) {
      field = absl::StrCat("batch_shape.inputs[", i, "]");
      return absl::InvalidArgumentError(absl::StrCat("the argument is given twice: name=", name));
    }
    InputTensor tensor = GivenInput(batch, i, key);
    tensor.key = key;
    value.tensors.push_back(std::move(tensor));
  }

  // Inputs without names: to required arguments first come, first served; optional ones get what is left over.
  size_t next = 0;
  for (size_t a = 0; a < arguments.size() && next < unnamed.size(); ++a) {
    const Argument& argument = arguments[a];
    ArgumentValue& value = plan.arguments[a];
    if (!TakesTensors(argument) || !value.tensors.empty()) continue;
    size_t reserved = 0;
    for (size_t later = a + 1; later < arguments.size(); ++later) {
      if (MustBeGiven(arguments[later]) && plan.arguments[later].tensors.empty()) reserved += Needed(arguments[later]);
    }
    const size_t left = unnamed.size() - next;
    size_t take = Needed(argument);
    if (argument.kind == ArgumentKind::kTensorList || argument.kind == ArgumentKind::kTensorDict) {
      take = left > reserved ? left - reserved : 0;
    } else if (!MustBeGiven(argument) && left < reserved + take) {
      take = 0;
    }
    if (take == 0 || take > left) continue;
    value.kind = ValueKind(argument.kind);
    for (size_t i = 0; i < take; ++i) {
      InputTensor tensor = GivenInput(batch, unnamed[next], argument.name);
      tensor.key = value.kind == ArgumentValue::kDict ? absl::StrCat(i) : "";
      value.tensors.push_back(std::move(tensor));
      ++next;
    }
  }
  if (next < unnamed.size()) {
    field = absl::StrCat("batch_shape.inputs[", unnamed[next], "]");
    return absl::InvalidArgumentError(
        absl::StrCat("more inputs than forward takes: inputs=", batch.inputs_size(), " taken=", batch.inputs_size() - static_cast<int>(unnamed.size() - next)));
  }

  for (size_t a = 0; a < arguments.size(); ++a) {
    const Argument& argument = arguments[a];
    ArgumentValue& value = plan.arguments[a];
    if (!value.tensors.empty()) {
      if (argument.kind == ArgumentKind::kTensorTuple && value.tensors.size() != argument.tuple_size) {
        field = "batch_shape.inputs";
        return absl::InvalidArgumentError(absl::StrCat("a tuple has another number of tensors: argument=", argument.name,
                                                       " needed=", argument.tuple_size, " given=", value.tensors.size()));
      }
      continue;
    }
    if (argument.has_default) continue;
    if (argument.optional) {
      value.kind = ArgumentValue::kNone;
      continue;
    }
    std::optional<InputTensor> usual;
    if (argument.kind == ArgumentKind::kTensor) usual = UsualInput(argument, batch, hints, plan);
    if (!usual.has_value()) {
      field = batch.inputs_size() > 0 ? absl::StrCat("batch_shape.inputs[", batch.inputs_size(), "]") : "batch_shape.inputs";
      if (argument.kind == ArgumentKind::kOther) {
        return absl::InvalidArgumentError(
            absl::StrCat("forward needs an argument that is no tensor and has no default: argument=", argument.name));
      }
      return absl::InvalidArgumentError(absl::StrCat("an input is missing: argument=", argument.name));
    }
    value.kind = ArgumentValue::kTensor;
    value.tensors.push_back(*std::move(usual));
  }
  RETURN_IF_ERROR(CheckBytes(plan, field));
  return plan;
}

}  // namespace planner::libtorch
