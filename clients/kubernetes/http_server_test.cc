#include "clients/kubernetes/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>

namespace planner::kubernetes {
namespace {

using ::testing::HasSubstr;

HttpResponse Echo(const HttpRequest& request) {
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
  return {.code = 202, .body = text + " " + std::to_string(request.body.size()), .content_type = "text/plain"};
}

/// A client that says what no HTTP library would.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool Say(std::string_view text) const { return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()); }
  /// All that is answered until the server closes the connection; where `more` is not empty, it is said again and again until then.
  std::string Answer(std::string_view more = "") const {
    std::string answer;
    char buffer[4096];
    while (true) {
      pollfd waited = {.fd = fd_, .events = POLLIN, .revents = 0};
      constexpr int kTrickleMilliseconds = 10;
      if (poll(&waited, 1, more.empty() ? -1 : kTrickleMilliseconds) == 0) {
        Say(more);
        continue;
      }
      const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
      if (count <= 0) return answer;
      answer.append(buffer, static_cast<size_t>(count));
    }
  }

 private:
  const int fd_;
};

TEST(HttpServerTest, RequestsThatTrickleAreLeftInTime) {
  // Each byte is there well before the silence is over.
  const auto server = HttpServer::Start({.limits = {.silence = absl::Hours(1), .request = absl::Milliseconds(300)}}, Echo);
  ASSERT_TRUE(server.ok()) << server.status();
  const RawClient head((*server)->port());
  head.Say("GET / HTTP/1.1\r\n");
  EXPECT_THAT(head.Answer("x: y\r\n"), HasSubstr("408"));
  const RawClient body((*server)->port());
  body.Say("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
  const std::string answer = body.Answer("x");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 408"));
  EXPECT_THAT(answer, HasSubstr("\"status\":\"DEADLINE_EXCEEDED\""));
}

TEST(HttpServerTest, ConnectionsThatSayNothingHoldNobodyUp) {
  const auto server = HttpServer::Start({.limits = {.silence = absl::Hours(1), .request = absl::Hours(1)}}, Echo);
  ASSERT_TRUE(server.ok()) << server.status();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(std::make_unique<RawClient>((*server)->port()));
    if (i % 2 == 0) silent.back()->Say("POST /admit HTTP/1.1\r\nContent-Length: 9\r\n\r\n{");
  }
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto answer = client.Get("/x");
  ASSERT_TRUE(answer) << httplib::to_string(answer.error());
  EXPECT_EQ(answer->body, "GET /x 0");
}

TEST(HttpServerTest, WhatComesAfterAnUnclearBodyIsNoRequest) {
  std::atomic<int> asked = 0;
  const auto server = HttpServer::Start({.limits = {.silence = absl::Hours(1)}}, [&](const HttpRequest& request) {
    ++asked;
    return Echo(request);
  });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string hidden = "DELETE /v1/plans/x HTTP/1.1\r\n\r\n";
  for (const std::string& first : {"GET / HTTP/1.1\r\nContent-Length: " + std::to_string(hidden.size()) + "\r\n\r\n",
                                   std::string("POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 33\r\n\r\n"),
                                   std::string("POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                                   std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
                                   std::string("NONSENSE\r\n\r\n")}) {
    const RawClient client((*server)->port());
    client.Say(first + hidden);
    EXPECT_THAT(client.Answer(), HasSubstr("HTTP/1.1 400")) << first;
  }
  EXPECT_EQ(asked, 0);
}

TEST(HttpServerTest, EndsBesideIdleConnectionsAndAnswersWhatIsUnderWay) {
  std::promise<void> asked, ended;
  auto server = HttpServer::Start({.limits = {.silence = absl::Hours(1)}}, [&](const HttpRequest& request) {
    if (request.path == "/slow") {
      asked.set_value();
      ended.get_future().wait();
    }
    return Echo(request);
  });
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client idle("127.0.0.1", (*server)->port());
  idle.set_keep_alive(true);
  ASSERT_TRUE(idle.Get("/"));
  const int port = (*server)->port();
  std::future<std::string> slow = std::async(std::launch::async, [port] {
    httplib::Client client("127.0.0.1", port);
    const auto answer = client.Get("/slow");
    return answer ? answer->body : httplib::to_string(answer.error());
  });
  asked.get_future().wait();
  std::future<void> end = std::async(std::launch::async, [&] { server->reset(); });
  ended.set_value();
  end.get();
  EXPECT_EQ(slow.get(), "GET /slow 0");
}

TEST(HttpServerTest, HandsWholeRequestsOver) {
  const auto server = HttpServer::Start({}, Echo);
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto get = client.Get("/v1/a%20b?x=1&y=%2F");
  ASSERT_TRUE(get);
  EXPECT_EQ(get->status, 202);
  EXPECT_EQ(get->body, "GET /v1/a b x=1 y=/ 0");
  EXPECT_EQ(get->get_header_value("Content-Type"), "text/plain");
  // As curl -d sends it, beyond what httplib takes of a form.
  const auto post = client.Post("/v1/x?a=b", std::string(100'000, '&'), "application/x-www-form-urlencoded");
  ASSERT_TRUE(post);
  EXPECT_EQ(post->body, "POST /v1/x a=b 100000");
  EXPECT_EQ(client.Patch("/p", "12", "application/json")->body, "PATCH /p 2");
  EXPECT_EQ(client.Delete("/p")->body, "DELETE /p 0");
}

TEST(HttpServerTest, RefusesWhatIsTooLarge) {
  const auto server = HttpServer::Start({}, Echo);
  ASSERT_TRUE(server.ok());
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto large = client.Post("/", std::string((16 << 20) + 1, 'x'), "application/json");
  if (large) {
    EXPECT_EQ(large->status, 413);
    EXPECT_THAT(large->body, HasSubstr("\"code\":413"));
  }
  // Its longest path is matched, its longest plus one is not; neither takes the server down.
  EXPECT_EQ(client.Get("/" + std::string(8000, 'a'))->status, 202);
  const auto longer = client.Get("/" + std::string(9000, 'a'));
  EXPECT_EQ(longer->status, 414);
  EXPECT_EQ(client.Get("/")->status, 202);
}

TEST(HttpServerTest, SpeaksTls) {
  std::string folder = (std::filesystem::temp_directory_path() / "planner-http-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string certificate = folder + "/c.pem", key = folder + "/c.key";
  const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=planner "
                           "-addext subjectAltName=IP:127.0.0.1 -keyout " + key + " -out " + certificate + " 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);
  {
    const auto server = HttpServer::Start({.certificate_file = certificate, .key_file = key}, Echo);
    ASSERT_TRUE(server.ok()) << server.status();
    httplib::SSLClient client("127.0.0.1", (*server)->port());
    client.set_ca_cert_path(certificate.c_str());
    const auto answer = client.Get("/x");
    ASSERT_TRUE(answer) << httplib::to_string(answer.error());
    EXPECT_EQ(answer->body, "GET /x 0");
    httplib::Client plain("127.0.0.1", (*server)->port());
    EXPECT_FALSE(plain.Get("/x"));
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(HttpServer::Start({.certificate_file = key, .key_file = key}, Echo).status()));
  for (const std::string& authority : {key, folder + "/nowhere"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(
        HttpServer::Start({.certificate_file = certificate, .key_file = key, .client_ca_file = authority}, Echo).status()));
  }
  std::filesystem::remove_all(folder);
}

TEST(HttpServerTest, RenewedCertificatesAreTaken) {
  std::string folder = (std::filesystem::temp_directory_path() / "planner-http-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto make = [&](const std::string& name) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=" + name +
        " -addext subjectAltName=IP:127.0.0.1 -keyout " + folder + "/" + name + ".key -out " + folder + "/" + name +
        ".pem 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  };
  make("old");
  make("new");
  // As a secret's files are: links, which point elsewhere from one moment to the next.
  const auto point = [&](const std::string& certificate, const std::string& key) {
    for (const auto& [link, to] : {std::pair("/tls.crt", certificate), std::pair("/tls.key", key)}) {
      std::filesystem::remove(folder + link);
      std::filesystem::create_symlink(folder + "/" + to, folder + link);
    }
  };
  point("old.pem", "old.key");
  const auto server = HttpServer::Start({.certificate_file = folder + "/tls.crt",
                                         .key_file = folder + "/tls.key",
                                         .limits = {.silence = absl::Minutes(5)}},
                                        Echo);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto is_served = [&](const std::string& certificate) {
    httplib::SSLClient client("127.0.0.1", (*server)->port());
    client.set_ca_cert_path((folder + "/" + certificate).c_str());
    return static_cast<bool>(client.Get("/x"));
  };
  httplib::SSLClient stays("127.0.0.1", (*server)->port());
  stays.set_ca_cert_path((folder + "/old.pem").c_str());
  stays.set_keep_alive(true);
  EXPECT_TRUE(stays.Get("/x"));
  EXPECT_TRUE(is_served("old.pem"));
  EXPECT_EQ(*(*server)->ReadCertificatesAgain(), false) << "nothing has changed";

  point("new.pem", "old.key");
  EXPECT_TRUE(absl::IsFailedPrecondition((*server)->ReadCertificatesAgain().status())) << "half of it is there";
  EXPECT_EQ(*(*server)->ReadCertificatesAgain(), false) << "which is said once";
  EXPECT_TRUE(is_served("old.pem"));

  point("new.pem", "new.key");
  EXPECT_EQ(*(*server)->ReadCertificatesAgain(), true);
  EXPECT_TRUE(is_served("new.pem"));
  EXPECT_FALSE(is_served("old.pem"));
  EXPECT_TRUE(stays.Get("/x")) << "connections that are open go on";
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(absl::IsFailedPrecondition((*server)->ReadCertificatesAgain().status()));
  const auto plain = HttpServer::Start({}, Echo);
  EXPECT_EQ(*(*plain)->ReadCertificatesAgain(), false);
}

TEST(HttpServerTest, APortThatIsTakenIsSaid) {
  const auto server = HttpServer::Start({}, Echo);
  ASSERT_TRUE(server.ok());
  const auto second = HttpServer::Start({.port = (*server)->port()}, Echo);
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
}

}  // namespace
}  // namespace planner::kubernetes
