#include "services/http/curl_client.h"

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "fmt/format.h"

namespace planner::http {
namespace {

using collector::HttpAnswer;
using collector::HttpRequest;

constexpr size_t kMostHeaderBytes = size_t{64} << 10;

struct EasyCloser {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListCloser {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// What of an answer has come.
struct Received {
  size_t most_bytes = 0;
  size_t header_bytes = 0;
  bool is_too_large = false;
  std::string body;
};

/// Whatever these return other than the number of bytes ends the transfer.
size_t TakeBody(const char* data, size_t size, size_t count, void* user) {
  Received& received = *static_cast<Received*>(user);
  const size_t bytes = size * count;
  received.is_too_large = received.is_too_large || bytes > received.most_bytes - received.body.size();
  if (received.is_too_large) return 0;
  received.body.append(data, bytes);
  return bytes;
}

size_t TakeHeader(const char* /*data*/, size_t size, size_t count, void* user) {
  Received& received = *static_cast<Received*>(user);
  received.header_bytes += size * count;
  received.is_too_large = received.is_too_large || received.header_bytes > kMostHeaderBytes;
  return received.is_too_large ? 0 : size * count;
}

/// Options that cannot fail, or whose failure shows when it is asked.
void Prepare(CURL* easy, const HttpRequest& request, Received& received, char* error) {
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(request.connect_timeout)));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(request.timeout)));
  // A look-up of a name that hangs in the resolver's thread must not hold the end of the daemon.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "plannerd");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &received);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
  const auto set = [&](CURLoption option, const std::string& value) {
    if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
  };
  set(CURLOPT_CAINFO, request.ca_file);
  set(CURLOPT_SSLCERT, request.certificate_file);
  set(CURLOPT_SSLKEY, request.key_file);
  if (!request.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, request.username);
    set(CURLOPT_PASSWORD, request.password);
  }
  if (!request.bearer_token.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    set(CURLOPT_XOAUTH2_BEARER, request.bearer_token);
  }
}

HttpAnswer Ended(CURL* easy, CURLcode code, const HttpRequest& request, const char* error, Received received) {
  HttpAnswer answer;
  if (received.is_too_large) {
    answer.outcome = HttpAnswer::Outcome::kTooLarge;
    answer.trouble = fmt::format("answer of more than {} bytes", request.max_bytes);
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    answer.outcome = HttpAnswer::Outcome::kTimeout;
    answer.trouble = error[0] != '\0' ? error : curl_easy_strerror(code);
  } else if (code != CURLE_OK) {
    answer.outcome = HttpAnswer::Outcome::kUnreachable;
    answer.trouble = error[0] != '\0' ? error : curl_easy_strerror(code);
  } else {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer.outcome = HttpAnswer::Outcome::kAnswered;
    answer.status = static_cast<int>(status);
    answer.body = std::move(received.body);
  }
  return answer;
}

}  // namespace

void CurlClient::MultiCloser::operator()(void* multi) const { curl_multi_cleanup(multi); }

CurlClient::CurlClient() {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialized == CURLE_OK) multi_.reset(curl_multi_init());
}

CurlClient::~CurlClient() = default;

void CurlClient::Cancel() {
  is_cancelled_ = true;
  if (multi_ != nullptr) curl_multi_wakeup(multi_.get());
}

HttpAnswer CurlClient::Get(const HttpRequest& request) {
  const std::unique_ptr<CURL, EasyCloser> easy(curl_easy_init());
  if (multi_ == nullptr || easy == nullptr) return {.trouble = "libcurl cannot begin"};
  char error[CURL_ERROR_SIZE] = "";
  Received received{.most_bytes = static_cast<size_t>(request.max_bytes)};
  Prepare(easy.get(), request, received, error);
  if (curl_multi_add_handle(multi_.get(), easy.get()) != CURLM_OK) return {.trouble = "libcurl cannot begin"};

  constexpr int kWakeMilliseconds = 1000;  // libcurl wakes earlier for its own timeouts.
  CURLcode code = CURLE_FAILED_INIT;
  int running = 1;
  while (running > 0 && !is_cancelled_) {
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) break;
    if (running > 0 && curl_multi_poll(multi_.get(), nullptr, 0, kWakeMilliseconds, nullptr) != CURLM_OK) break;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg == CURLMSG_DONE && message->easy_handle == easy.get()) code = message->data.result;
  }
  curl_multi_remove_handle(multi_.get(), easy.get());
  if (is_cancelled_) return {.outcome = HttpAnswer::Outcome::kCancelled, .trouble = "cancelled"};
  return Ended(easy.get(), code, request, error, std::move(received));
}

}  // namespace planner::http
