#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/v1/model.pb.h"

namespace planner::libtorch {

/// What a forward method's argument takes.
enum class ArgumentKind {
  kTensor,
  kTensorList,   ///< List[Tensor]
  kTensorTuple,  ///< Tuple[Tensor, …], of `tuple_size`.
  kTensorDict,   ///< Dict[str, Tensor]
  kOther,        ///< Numbers, strings, modules: only their default can be given.
};

struct Argument {
  std::string name;
  ArgumentKind kind = ArgumentKind::kTensor;
  size_t tuple_size = 0;
  bool optional = false;     ///< Optional[…]: None may be given.
  bool has_default = false;  ///< May be left out.
};

/// What is known of the model beside its arguments.
struct ModelHints {
  /// The weight of the first convolution over images has this many input channels; 0: the model has none.
  int64_t image_channels = 0;
};

/// A tensor to be made.
struct InputTensor {
  std::vector<int64_t> sizes;
  std::string dtype;    ///< "float32", "int64"; empty: a floating type, the model's own.
  std::string key;      ///< Dictionary key.
  bool assumed_dtype = false;  ///< The caller named no type.
  int index = -1;       ///< Which of BatchShape.inputs it is; -1: made from batch and seq_len.
};

/// What to give for one argument.
struct ArgumentValue {
  enum Kind { kDefault, kNone, kTensor, kList, kTuple, kDict } kind = kDefault;
  std::vector<InputTensor> tensors;
};

struct InputPlan {
  std::vector<ArgumentValue> arguments;  ///< As many as the method has, without self.
  std::vector<std::string> warnings;
};

/// Decides what the arguments of a forward method get. Inputs with a name go to the argument of that name, or into the
/// dictionary that has one ("image", "argument.image"); the others by position. Arguments that no input is given for are left
/// out or None where they may be; those with usual names (input_ids, attention_mask, pixel_values, …) are made from `batch`
/// and `seq_len`. INVALID_ARGUMENT otherwise, OUT_OF_RANGE for an input whose bytes do not fit 63 bits: an ErrorInfo-less status
/// whose text names the argument; `field` becomes the field.
absl::StatusOr<InputPlan> PlanInputs(const std::vector<Argument>& arguments, const v1::BatchShape& batch, const ModelHints& hints,
                                     std::string& field);

}  // namespace planner::libtorch
