#include "services/collector/source.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::collector {
namespace {

using Proto = config::v1::UtilizationSource;
using QueryProto = config::v1::UtilizationQuery;
using utilization::Metric;

constexpr size_t kMostPromqlBytes = 4000;
constexpr size_t kMostLabels = 16;
constexpr double kMebibyte = 1 << 20;

struct Preset {
  Metric metric;
  const char* series;
  double scale;
};

/// Of dcgm-exporter's default counters; percent, ratio, ratio, MiB, watts.
constexpr std::array<Preset, 5> kDcgmExporter = {{{utilization::kBusy, "DCGM_FI_DEV_GPU_UTIL", 0.01},
                                                  {utilization::kTensorActive, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 1},
                                                  {utilization::kMemoryActive, "DCGM_FI_PROF_DRAM_ACTIVE", 1},
                                                  {utilization::kMemoryUsedBytes, "DCGM_FI_DEV_FB_USED", kMebibyte},
                                                  {utilization::kPowerWatts, "DCGM_FI_DEV_POWER_USAGE", 1}}};

std::optional<Metric> MetricOf(QueryProto::Quantity quantity) {
  switch (quantity) {
    case QueryProto::BUSY:
      return utilization::kBusy;
    case QueryProto::TENSOR_ACTIVE:
      return utilization::kTensorActive;
    case QueryProto::MEMORY_ACTIVE:
      return utilization::kMemoryActive;
    case QueryProto::MEMORY_USED:
      return utilization::kMemoryUsedBytes;
    case QueryProto::POWER:
      return utilization::kPowerWatts;
    default:
      return std::nullopt;
  }
}

/// What a unit is multiplied by; absent: no unit of this metric.
std::optional<double> ScaleOf(Metric metric, QueryProto::Unit unit) {
  const bool is_bytes = metric == utilization::kMemoryUsedBytes;
  const bool is_watts = metric == utilization::kPowerWatts;
  switch (unit) {
    case QueryProto::UNIT_UNSPECIFIED:
      return 1;
    case QueryProto::RATIO:
      return is_bytes || is_watts ? std::nullopt : std::optional(1.0);
    case QueryProto::PERCENT:
      return is_bytes || is_watts ? std::nullopt : std::optional(0.01);
    case QueryProto::BYTES:
      return is_bytes ? std::optional(1.0) : std::nullopt;
    case QueryProto::MEBIBYTES:
      return is_bytes ? std::optional(kMebibyte) : std::nullopt;
    case QueryProto::WATTS:
      return is_watts ? std::optional(1.0) : std::nullopt;
    case QueryProto::MILLIWATTS:
      return is_watts ? std::optional(0.001) : std::nullopt;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<Query> MakeQuery(const std::string& field, const QueryProto& proto) {
  const std::optional<Metric> metric = MetricOf(proto.quantity());
  if (!metric.has_value()) return base::InvalidField(field + ".quantity", "is missing");
  if (proto.promql().empty()) return base::InvalidField(field + ".promql", "is missing");
  RETURN_IF_ERROR(validate::Text(field + ".promql", proto.promql(), kMostPromqlBytes));
  const std::optional<double> scale = ScaleOf(*metric, proto.unit());
  if (!scale.has_value()) {
    return base::InvalidField(field + ".unit", fmt::format("is none of {}: unit={}", QueryProto::Quantity_Name(proto.quantity()),
                                                           QueryProto::Unit_Name(proto.unit())));
  }
  return Query{*metric, proto.promql(), *scale};
}

absl::Status SetQueries(const std::string& field, const Proto& proto, Source& source) {
  if (proto.preset() != Proto::NONE) {
    const int64_t seconds = absl::ToInt64Seconds(source.max_sample_age);
    for (const Preset& preset : kDcgmExporter) {
      source.queries.push_back({preset.metric, fmt::format("{}{{{}}}[{}s]", preset.series, proto.matchers(), seconds), preset.scale});
    }
  }
  RETURN_IF_ERROR(validate::Text(field + ".matchers", proto.matchers(), kMostPromqlBytes));
  for (int i = 0; i < proto.queries_size(); ++i) {
    ASSIGN_OR_RETURN(const Query query, MakeQuery(fmt::format("{}.queries[{}]", field, i), proto.queries(i)));
    const auto same = [&](const Query& other) { return other.metric == query.metric; };
    source.queries.erase(std::remove_if(source.queries.begin(), source.queries.end(), same), source.queries.end());
    source.queries.push_back(query);
  }
  if (source.queries.empty()) return base::InvalidField(field + ".queries", "is missing: the preset is NONE");
  return absl::OkStatus();
}

/// "localhost", "[::1]" and 127.x.x.x, with a port or without.
bool IsLoopback(std::string_view authority) {
  const std::string_view host = authority.substr(
      0, authority.rfind(':') == std::string_view::npos || authority.back() == ']' ? authority.size() : authority.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  return host.substr(0, 4) == "127." && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

absl::Status SetUrl(const std::string& field, const Proto& proto, Source& source) {
  const std::string& url = proto.url();
  const bool is_https = absl::StartsWith(url, "https://");
  if (!is_https && !absl::StartsWith(url, "http://")) {
    return base::InvalidField(field + ".url", "must begin with http:// or https://");
  }
  const std::string_view rest = std::string_view(url).substr(url.find("//") + 2);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const auto is_odd = [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '?' || c == '#' || c == '\\'; };
  if (authority.empty() || authority.front() == ':' || std::any_of(url.begin(), url.end(), is_odd)) {
    return base::InvalidField(field + ".url", "is no address of a server, with a path or without");
  }
  if (authority.find('@') != std::string_view::npos) {
    return base::InvalidField(field + ".url", "must not have a user or password: see username and password_file");
  }
  const bool has_secret = !proto.bearer_token_file().empty() || !proto.username().empty();
  if (has_secret && !is_https && !IsLoopback(authority)) {
    return base::InvalidField(field + ".url", "must be https where a password or token is sent, but for loopback");
  }
  source.url = url.substr(0, url.find_last_not_of('/') + 1) + "/api/v1/query";
  return absl::OkStatus();
}

absl::Status SetSecrets(const std::string& field, const Proto& proto, Source& source) {
  if (!proto.username().empty() && !proto.bearer_token_file().empty()) {
    return base::InvalidField(field + ".username", "and bearer_token_file exclude each other");
  }
  if (proto.username().empty() != proto.password_file().empty()) {
    return base::InvalidField(field + ".username", "and password_file belong together");
  }
  if (proto.certificate_file().empty() != proto.key_file().empty()) {
    return base::InvalidField(field + ".certificate_file", "and key_file belong together");
  }
  if (proto.username().find(':') != std::string::npos) return base::InvalidField(field + ".username", "must not have a colon");
  source.request.username = proto.username();
  source.request.ca_file = proto.ca_file();
  source.request.certificate_file = proto.certificate_file();
  source.request.key_file = proto.key_file();
  source.bearer_token_file = proto.bearer_token_file();
  source.password_file = proto.password_file();
  return absl::OkStatus();
}

absl::Status SetLabels(const std::string& field, const google::protobuf::RepeatedPtrField<std::string>& given,
                       std::vector<std::string> usual, std::vector<std::string>& labels) {
  labels = given.empty() ? std::move(usual) : std::vector<std::string>(given.begin(), given.end());
  RETURN_IF_ERROR(validate::Between(field, static_cast<int64_t>(labels.size()), 1, kMostLabels));
  for (const std::string& label : labels) {
    RETURN_IF_ERROR(validate::Text(field, label, kMostPromqlBytes));
    if (label.empty()) return base::InvalidField(field, "must not be empty");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Source> MakeSource(const std::string& field, const Proto& proto) {
  Source source;
  ASSIGN_OR_RETURN(source.cluster, validate::ClusterId(field + ".cluster", proto.cluster()));
  RETURN_IF_ERROR(SetUrl(field, proto, source));
  RETURN_IF_ERROR(SetSecrets(field, proto, source));
  const auto number = [&](const char* name, bool is_given, int64_t given, int64_t usual, int64_t low,
                          int64_t high) -> absl::StatusOr<int64_t> {
    const int64_t value = is_given ? given : usual;
    RETURN_IF_ERROR(validate::Between(fmt::format("{}.{}", field, name), value, low, high));
    return value;
  };
  ASSIGN_OR_RETURN(const int64_t interval, number("interval_milliseconds", proto.has_interval_milliseconds(), proto.interval_milliseconds(),
                                                  30'000, 100, 3'600'000));
  ASSIGN_OR_RETURN(const int64_t connect, number("connect_timeout_milliseconds", proto.has_connect_timeout_milliseconds(),
                                                 proto.connect_timeout_milliseconds(), 2000, 1, 60'000));
  ASSIGN_OR_RETURN(const int64_t timeout,
                   number("timeout_milliseconds", proto.has_timeout_milliseconds(), proto.timeout_milliseconds(), 10'000, 1, 300'000));
  ASSIGN_OR_RETURN(source.request.max_bytes, number("max_answer_bytes", proto.has_max_answer_bytes(), proto.max_answer_bytes(),
                                                    int64_t{64} << 20, 1024, int64_t{1} << 30));
  ASSIGN_OR_RETURN(const int64_t age,
                   number("max_sample_age_seconds", proto.has_max_sample_age_seconds(), proto.max_sample_age_seconds(), 120, 1, 86'400));
  source.interval = absl::Milliseconds(interval);
  source.request.connect_timeout = absl::Milliseconds(connect);
  source.request.timeout = absl::Milliseconds(timeout);
  source.max_sample_age = absl::Seconds(age);
  RETURN_IF_ERROR(SetLabels(field + ".node_labels", proto.node_labels(), {"Hostname", "node", "nodename", "instance"}, source.node_labels));
  RETURN_IF_ERROR(SetLabels(field + ".gpu_labels", proto.gpu_labels(), {"gpu", "UUID"}, source.gpu_labels));
  RETURN_IF_ERROR(SetQueries(field, proto, source));
  return source;
}

absl::StatusOr<std::string> ReadSecret(const std::string& file_name) {
  constexpr size_t kMostBytes = size_t{64} << 10;
  std::ifstream file(file_name, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A folder opens, but does not read.
  if (!file.is_open() || file.bad() || (file.fail() && !file.eof())) {
    return absl::NotFoundError(fmt::format("cannot be read: file=\"{}\"", file_name));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  absl::StripAsciiWhitespace(&text);
  const auto is_odd = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (text.empty() || text.size() > kMostBytes || std::any_of(text.begin(), text.end(), is_odd)) {
    return absl::InvalidArgumentError(fmt::format("holds no secret of one line: file=\"{}\"", file_name));
  }
  return text;
}

}  // namespace planner::collector
