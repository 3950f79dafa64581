#pragma once

#include <string>
#include <string_view>

#include "core/counting/cost_report.h"
#include "core/counting/counter.h"
#include "core/model/description.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "planner/v1/count.pb.h"

namespace planner::convert {

/// `model` gives the batch size if the request names none: a layer graph's own, else 1.
model::BatchShape BatchShapeFromProto(const v1::BatchShape& proto, const model::ModelDescription& model);

/// Takes out of a request's batch what was left out of the batch that was counted: seq_len, shapes and their names; beside the shapes
/// of a loaded module's inputs all else, for they say what was counted.
void LeaveOutOfProto(const model::ModelDescription& model, const model::BatchShape& counted, v1::BatchShape& proto);

std::vector<model::TensorInput> InputsFromProto(const google::protobuf::RepeatedPtrField<v1::TensorShape>& inputs);

counting::Mode ModeFromProto(v1::CountRequest::Mode mode);

/// Bytes of an activation in a precision that validation has let through; empty: bf16.
int ActivationBytes(const std::string& precision);

/// The report's figures, with the levels of the module tree that the request asks for. Every message field
/// is set, also where it is all zeros.
v1::CountResponse CountToProto(const counting::CostReport& report, const v1::CountRequest& request);

/// "torchscript": as CounterInfo.formats has it.
std::string_view FormatName(model::SourceFormat format);

v1::CounterInfo CounterToProto(const counting::CounterInfo& info);

}  // namespace planner::convert
