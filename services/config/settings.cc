#include "services/config/settings.h"

#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "services/convert/hardware.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::config {
namespace {

constexpr char kListen[] = "127.0.0.1:7070";
constexpr char kMetricsListen[] = "127.0.0.1:9464";
constexpr char kOff[] = "off";
constexpr size_t kMaxFileBytes = size_t{16} << 20;

/// Keeps the first error of a parse.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}:{}: {}", line + 1, column + 1, message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status CheckGpuType(const std::string& field, const planner::v1::GpuType& type) {
  constexpr double kMostRate = 1e18;
  RETURN_IF_ERROR(validate::NotNegative(field + ".memory_bandwidth_bytes_per_second",
                                        type.memory_bandwidth_bytes_per_second(), kMostRate));
  RETURN_IF_ERROR(validate::NotNegative(field + ".link_bandwidth_bytes_per_second",
                                        type.link_bandwidth_bytes_per_second(), kMostRate));
  RETURN_IF_ERROR(validate::NotNegative(field + ".network_bandwidth_bytes_per_second",
                                        type.network_bandwidth_bytes_per_second(), kMostRate));
  RETURN_IF_ERROR(validate::NotNegative(field + ".pcie_bandwidth_bytes_per_second",
                                        type.pcie_bandwidth_bytes_per_second(), kMostRate));
  RETURN_IF_ERROR(validate::NotNegative(field + ".power_watts", type.power_watts(), 1e6));
  RETURN_IF_ERROR(validate::Between(field + ".gpus_per_node", type.gpus_per_node(), 0, 1024));
  return validate::Between(field + ".scale_up_domain", type.scale_up_domain(), 0, validate::kMaxGpus);
}

absl::Status SetListen(const Flags& flags, const v1::Config& config, Settings& settings) {
  std::vector<std::string> listen = flags.listen;
  if (listen.empty()) listen.assign(config.listen().begin(), config.listen().end());
  if (listen.empty()) listen.emplace_back(kListen);
  for (const std::string& text : listen) {
    ASSIGN_OR_RETURN(Address address, ParseAddress("listen", text));
    settings.listen.push_back(std::move(address));
  }
  const std::string configured = config.metrics_listen().empty() ? kMetricsListen : config.metrics_listen();
  const std::string metrics = flags.metrics_listen.value_or(configured);
  if (metrics == kOff) return absl::OkStatus();
  ASSIGN_OR_RETURN(settings.metrics_listen, ParseAddress("metrics_listen", metrics));
  if (!settings.metrics_listen->unix_path.empty()) {
    return base::InvalidField("metrics_listen", fmt::format("must be HOST:PORT or off: address=\"{}\"", metrics));
  }
  // Debian builds civetweb, which serves them, without IPv6.
  if (settings.metrics_listen->host.starts_with('[')) {
    return base::InvalidField("metrics_listen", fmt::format("cannot be an IPv6 address: address=\"{}\"", metrics));
  }
  return absl::OkStatus();
}

absl::Status SetLimits(const v1::Config& config, Settings& settings) {
  if (config.has_max_call_milliseconds()) {
    RETURN_IF_ERROR(validate::Between("max_call_milliseconds", config.max_call_milliseconds(), 1, 3'600'000));
    settings.max_call = absl::Milliseconds(config.max_call_milliseconds());
  }
  if (config.has_max_concurrent_calls()) {
    RETURN_IF_ERROR(validate::Between("max_concurrent_calls", config.max_concurrent_calls(), 1, 10'000));
    settings.max_concurrent_calls = config.max_concurrent_calls();
  }
  return absl::OkStatus();
}

absl::Status SetModelFiles(const v1::ModelFileStore& config, model_files::StoreOptions& options) {
  constexpr int64_t kMostBytes = 10'000'000'000'000;
  constexpr int64_t kMostSeconds = 31'536'000;
  if (config.has_max_file_bytes()) {
    RETURN_IF_ERROR(validate::Between("model_files.max_file_bytes", config.max_file_bytes(), 1, kMostBytes));
    options.max_file_bytes = config.max_file_bytes();
  }
  if (config.has_quota_bytes()) {
    RETURN_IF_ERROR(validate::Between("model_files.quota_bytes", config.quota_bytes(), 1, INT64_MAX / 2));
    options.quota_bytes = config.quota_bytes();
  }
  if (config.has_keep_seconds()) {
    RETURN_IF_ERROR(validate::Between("model_files.keep_seconds", config.keep_seconds(), 1, kMostSeconds));
    options.keep = absl::Seconds(config.keep_seconds());
  }
  return absl::OkStatus();
}

absl::Status SetRetention(const v1::Retention& config, utilization::UtilizationOptions& options) {
  constexpr int64_t kHour = 3600;
  constexpr int64_t kDay = 24 * kHour;
  constexpr int64_t kTenYears = 3650 * kDay;
  if (config.has_hourly_utilization_seconds()) {
    RETURN_IF_ERROR(validate::Between("retention.hourly_utilization_seconds", config.hourly_utilization_seconds(), kHour, kTenYears));
    options.keep_hours = absl::Seconds(config.hourly_utilization_seconds());
  }
  if (config.has_daily_utilization_seconds()) {
    RETURN_IF_ERROR(validate::Between("retention.daily_utilization_seconds", config.daily_utilization_seconds(), kDay, 10 * kTenYears));
    options.keep_days = absl::Seconds(config.daily_utilization_seconds());
  }
  return absl::OkStatus();
}

absl::Status SetUtilizationSources(const v1::Config& config, std::vector<collector::Source>& sources) {
  for (int i = 0; i < config.utilization_sources_size(); ++i) {
    const std::string field = fmt::format("utilization_sources[{}]", i);
    ASSIGN_OR_RETURN(collector::Source source, collector::MakeSource(field, config.utilization_sources(i)));
    for (const collector::Source& other : sources) {
      if (other.cluster != source.cluster) continue;
      return base::InvalidField(field + ".cluster", fmt::format("has a source already: cluster=\"{}\"", source.cluster));
    }
    sources.push_back(std::move(source));
  }
  return absl::OkStatus();
}

absl::Status SetTls(const v1::Tls& config, v1::Tls& tls) {
  if (config.certificate_file().empty() != config.key_file().empty() || (config.key_file().empty() && !config.client_ca_file().empty())) {
    const bool has_certificate = !config.certificate_file().empty();
    return base::InvalidField(has_certificate ? "tls.key_file" : "tls.certificate_file", "is missing: a certificate and its key belong together");
  }
  tls = config;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Config> ParseConfig(std::string_view text, std::string_view file_name) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  v1::Config config;
  if (parser.ParseFromString(std::string(text), &config)) return config;
  return absl::InvalidArgumentError(fmt::format("{}:{}", file_name, error.text()));
}

absl::StatusOr<v1::Config> ReadConfig(const std::string& file_name) {
  std::ifstream file(file_name, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A folder opens, but does not read.
  if (!file.is_open() || file.bad() || (file.fail() && !file.eof())) {
    return absl::NotFoundError(fmt::format("config: cannot be read: file=\"{}\"", file_name));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        fmt::format("config: must be at most {} bytes: file=\"{}\"", kMaxFileBytes, file_name));
  }
  return ParseConfig(text, file_name);
}

absl::StatusOr<Settings> MakeSettings(const Flags& flags, const v1::Config& config) {
  Settings settings;
  RETURN_IF_ERROR(SetListen(flags, config, settings));
  RETURN_IF_ERROR(SetLimits(config, settings));
  RETURN_IF_ERROR(SetModelFiles(config.model_files(), settings.model_files));
  RETURN_IF_ERROR(SetRetention(config.retention(), settings.utilization));
  RETURN_IF_ERROR(SetUtilizationSources(config, settings.utilization_sources));
  RETURN_IF_ERROR(SetTls(config.tls(), settings.tls));
  settings.state_dir = flags.state_dir.value_or(config.state_dir());
  settings.postgresql = flags.postgresql.value_or(config.postgresql());
  settings.counter_plugins.assign(config.counter_plugins().begin(), config.counter_plugins().end());
  for (int i = 0; i < config.gpu_types_size(); ++i) {
    RETURN_IF_ERROR(CheckGpuType(fmt::format("gpu_types[{}]", i), config.gpu_types(i)));
    settings.gpu_types.push_back(convert::GpuTypeFromProto(config.gpu_types(i)));
  }
  for (int i = 0; i < config.clusters_size(); ++i) {
    const std::string field = fmt::format("clusters[{}]", i);
    RETURN_IF_ERROR(validate::ValidateCluster(field, config.clusters(i)));
    for (int k = 0; k < i; ++k) {
      if (config.clusters(k).name() != config.clusters(i).name()) continue;
      return base::InvalidField(field + ".name",
                                fmt::format("is also that of clusters[{}]: name=\"{}\"", k, config.clusters(i).name()));
    }
    settings.clusters.push_back(config.clusters(i));
  }
  return settings;
}

}  // namespace planner::config
