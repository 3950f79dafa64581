#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "clients/kubernetes/http.h"

namespace planner::kubernetes {

/// Fills a request from what HTTP has of it: `variables` of the path by field ("cluster.name"), fields of the query
/// ("pageSize=10", "update_mask=node_pools"; a repeated one several times), and the body in the JSON form of protobuf. `body_field`: "*": the
/// body is the request; "cluster": this field of it; empty: there is none. What path and query say goes before the body's.
/// INVALID_ARGUMENT with the place in the text: no JSON, an unknown field, a value of the wrong type; nested deeper than 100 levels.
absl::Status FillRequest(const HttpRequest& http, const std::vector<std::pair<std::string, std::string>>& variables,
                         std::string_view body_field, google::protobuf::Message& request);

/// The JSON form of an answer, with all of its fields.
std::string JsonOf(const google::protobuf::Message& message);

}  // namespace planner::kubernetes
