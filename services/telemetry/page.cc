#include "services/telemetry/page.h"

#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "fmt/format.h"

namespace planner::telemetry {
namespace {

void AppendEscaped(std::string_view text, bool is_quoted, std::string& out) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || (is_quoted && c == '"')) out += '\\';
      out += c;
    }
  }
}

void AppendLabel(std::string_view name, std::string_view value, std::string& out) {
  if (!out.empty()) out += ',';
  out += name;
  out += "=\"";
  AppendEscaped(value, /*is_quoted=*/true, out);
  out += '"';
}

std::string LabelsOf(const prometheus::ClientMetric& metric) {
  std::string text;
  for (const prometheus::ClientMetric::Label& label : metric.label) AppendLabel(label.name, label.value, text);
  return text;
}

std::string LimitText(double limit) { return std::isinf(limit) ? "+Inf" : fmt::to_string(limit); }

}  // namespace

std::string LabelText(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::string text;
  for (const auto& [name, value] : labels) AppendLabel(name, value, text);
  return text;
}

void Page::Clear() {
  text_.clear();
  has_header_ = false;
}

void Page::Family(std::string_view name, std::string_view help, Type type) {
  name_ = name;
  help_ = help;
  type_ = type;
  has_header_ = false;
}

void Page::Header(std::string_view type) {
  text_ += "# HELP ";
  text_ += name_;
  text_ += ' ';
  AppendEscaped(help_, /*is_quoted=*/false, text_);
  text_ += "\n# TYPE ";
  text_ += name_;
  text_ += ' ';
  text_ += type;
  text_ += '\n';
  has_header_ = true;
}

void Page::Begin(std::string_view suffix, std::string_view labels) {
  if (!has_header_) Header(type_ == Type::kCounter ? "counter" : "gauge");
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) {
    text_ += '{';
    text_ += labels;
    text_ += '}';
  }
  text_ += ' ';
}

void Page::Sample(std::string_view labels, double value) {
  constexpr double kExact = 1e15;  // Whole numbers below it have no exponent, and are faster.
  if (std::abs(value) < kExact && std::trunc(value) == value) return Sample(labels, static_cast<int64_t>(value));
  Begin("", labels);
  if (std::isfinite(value)) {
    // Of the shortest text that is this very double: at most 24 characters.
    std::array<char, 32> text;
    const char* const end = fmt::format_to(text.data(), "{}\n", value);
    text_.append(text.data(), static_cast<size_t>(end - text.data()));
  } else {
    text_ += std::isnan(value) ? "NaN\n" : value > 0 ? "+Inf\n" : "-Inf\n";
  }
}

void Page::Sample(std::string_view labels, int64_t value) {
  Begin("", labels);
  const fmt::format_int text(value);
  text_.append(text.data(), text.size());
  text_ += '\n';
}

void Page::Add(const prometheus::MetricFamily& family) {
  Family(family.name, family.help, family.type == prometheus::MetricType::Counter ? Type::kCounter : Type::kGauge);
  for (const prometheus::ClientMetric& metric : family.metric) {
    const std::string labels = LabelsOf(metric);
    if (family.type != prometheus::MetricType::Histogram) {
      Sample(labels, family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value);
      continue;
    }
    if (!has_header_) Header("histogram");
    const prometheus::ClientMetric::Histogram& histogram = metric.histogram;
    const auto line = [&](std::string_view suffix, const std::string& all_labels, const auto& value) {
      Begin(suffix, all_labels);
      fmt::format_to(std::back_inserter(text_), "{}\n", value);
    };
    for (const prometheus::ClientMetric::Bucket& bucket : histogram.bucket) {
      std::string limited = labels;
      AppendLabel("le", LimitText(bucket.upper_bound), limited);
      line("_bucket", limited, bucket.cumulative_count);
    }
    line("_sum", labels, histogram.sample_sum);
    line("_count", labels, histogram.sample_count);
  }
}

}  // namespace planner::telemetry
