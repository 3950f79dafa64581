#include "services/collector/prometheus_answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "fmt/format.h"

namespace planner::collector {
namespace {

using Json = nlohmann::json;

/// Takes the text's events one by one. Containers are counted, and named as deep as an answer has any meaning:
/// 1 {status, data}, 2 data {resultType, result}, 3 result [], 4 a series {metric, value, values}, 5 metric {}, value [], values [], 6 a pair of
/// values [].
class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(const std::vector<std::string>& labels) : labels_(labels) {}

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t value) override { return Number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return Number(value); }
  bool string(string_t& value) override {
    if (depth_ == 1 && IsAt(1, "status")) status_ = value;
    if (depth_ == 1 && IsAt(1, "error")) error_ = value.substr(0, kMostErrorBytes);
    if (depth_ == 2 && IsAt(1, "data") && IsAt(2, "resultType")) type_ = value;
    if (depth_ == 5 && InSeries("metric")) return Label(value);
    if (IsPair()) return PairText(value);
    return Value();
  }
  bool binary(binary_t&) override { return Fail("binary"); }
  bool key(string_t& name) override {
    if (depth_ < keys_.size()) keys_[depth_] = name;
    return true;
  }
  bool start_object(std::size_t) override { return Open(/*is_object=*/true); }
  bool start_array(std::size_t) override { return Open(/*is_object=*/false); }
  bool end_object() override {
    if (depth_ == 4 && InResult()) {
      if (newest_.has_value()) series_.push_back({std::move(current_), newest_->time, newest_->value});
    }
    return Close();
  }
  bool end_array() override {
    if (IsPair() && pair_size_ != 2) return Fail("a sample that is not [time, \"value\"]");
    return Close();
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(fmt::format("no JSON from byte {} on", position));
  }

  absl::StatusOr<std::vector<Series>> Take(bool is_read) {
    if (!trouble_.empty()) return absl::InvalidArgumentError(trouble_);
    if (!is_read) return absl::InvalidArgumentError("no JSON");
    if (status_ == "error") return absl::FailedPreconditionError(error_.empty() ? "an error without a text" : error_);
    if (status_ != "success") return absl::InvalidArgumentError("no answer of a Prometheus: no status");
    if (type_ != "vector" && type_ != "matrix") {
      return absl::InvalidArgumentError(fmt::format("neither vector nor matrix: resultType=\"{}\"", type_.substr(0, kMostErrorBytes)));
    }
    if (!has_result_) return absl::InvalidArgumentError("has no result");
    return std::move(series_);
  }

 private:
  struct Point {
    absl::Time time;
    double value = 0;
  };
  static constexpr size_t kMostErrorBytes = 200;

  bool IsAt(size_t depth, std::string_view key) const { return keys_[depth] == key; }
  bool InResult() const { return IsAt(1, "data") && IsAt(2, "result") && is_array_[3]; }
  bool InSeries(std::string_view key) const { return InResult() && !is_array_[4] && IsAt(4, key); }
  bool IsPair() const { return (depth_ == 5 && InSeries("value")) || (depth_ == 6 && InSeries("values") && is_array_[5]); }

  bool Fail(std::string text) {
    if (trouble_.empty()) trouble_ = std::move(text);
    return false;
  }
  /// A value that is no container.
  bool Value() {
    if (depth_ == 2 && IsAt(1, "data") && IsAt(2, "result")) return Fail("result is no list");
    if (depth_ == 3 && InResult()) return type_ == "scalar" || type_ == "string" ? true : Fail("a series that is no object");
    if (IsPair()) return Fail("a sample that is not [time, \"value\"]");
    return true;
  }
  bool Number(double value) {
    if (!IsPair()) return Value();
    if (pair_size_ != 0 || !(std::abs(value) < kMostSeconds)) return Fail("a sample that is not [time, \"value\"]");
    constexpr double kMillisecondsPerSecond = 1000;
    point_.time = absl::FromUnixMillis(std::llround(value * kMillisecondsPerSecond));
    ++pair_size_;
    return true;
  }
  bool PairText(const std::string& text) {
    if (pair_size_ != 1 || !absl::SimpleAtod(text, &point_.value)) return Fail("a sample that is not [time, \"value\"]");
    ++pair_size_;
    if (!newest_.has_value() || point_.time >= newest_->time) newest_ = point_;
    return true;
  }
  bool Label(const std::string& value) {
    const auto found = std::find(labels_.begin(), labels_.end(), keys_[5]);
    if (found != labels_.end()) current_[static_cast<size_t>(found - labels_.begin())] = value;
    return true;
  }
  bool Open(bool is_object) {
    if (IsPair()) return Fail("a sample that is not [time, \"value\"]");
    ++depth_;
    if (depth_ < is_array_.size()) is_array_[depth_] = !is_object;
    if (depth_ < keys_.size()) keys_[depth_].clear();
    if (depth_ == 1 && !is_object) return Fail("no answer of a Prometheus: no object");
    if (depth_ == 3 && IsAt(1, "data") && IsAt(2, "result")) {
      has_result_ = !is_object;
      if (is_object) return Fail("result is no list");
    }
    if (depth_ == 4 && InResult()) {
      if (!is_object) return Fail("a series that is no object");
      current_.assign(labels_.size(), "");
      newest_.reset();
    }
    const bool holds_samples = depth_ >= 5 && (InSeries("value") || InSeries("values"));
    if (holds_samples && (is_object || depth_ > 6)) return Fail("a sample that is not [time, \"value\"]");
    if (IsPair()) pair_size_ = 0;
    return true;
  }
  bool Close() {
    --depth_;
    return true;
  }

  static constexpr double kMostSeconds = 1e11;  ///< The year 5138: beyond it clocks are broken.

  const std::vector<std::string>& labels_;
  size_t depth_ = 0;
  std::array<std::string, 6> keys_;    ///< The key that stands last at each depth.
  std::array<bool, 7> is_array_ = {};  ///< What is open at each depth.
  std::string status_, error_, type_, trouble_;
  bool has_result_ = false;
  std::vector<std::string> current_;  ///< Labels of the series that is open.
  std::optional<Point> newest_;       ///< Its newest sample so far.
  Point point_;
  int pair_size_ = 0;
  std::vector<Series> series_;
};

}  // namespace

absl::StatusOr<std::vector<Series>> ParseAnswer(std::string_view body, const std::vector<std::string>& labels) {
  Reader reader(labels);
  const bool is_read = Json::sax_parse(body.begin(), body.end(), &reader);
  return reader.Take(is_read);
}

}  // namespace planner::collector
