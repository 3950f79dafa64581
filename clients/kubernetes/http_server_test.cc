#include "clients/kubernetes/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <filesystem>

namespace planner::kubernetes {
namespace {

using ::testing::HasSubstr;

HttpResponse Echo(const HttpRequest& request) {
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
  return {.code = 202, .body = text + " " + std::to_string(request.body.size()), .content_type = "text/plain"};
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
  std::filesystem::remove_all(folder);
}

TEST(HttpServerTest, APortThatIsTakenIsSaid) {
  const auto server = HttpServer::Start({}, Echo);
  ASSERT_TRUE(server.ok());
  const auto second = HttpServer::Start({.port = (*server)->port()}, Echo);
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
}

}  // namespace
}  // namespace planner::kubernetes
