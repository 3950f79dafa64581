#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "clients/cpp/client.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/scratch_folder.h"

namespace planner::behaviour {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A plannerd whose TCP address speaks TLS, asked by the client library.
class TlsTest : public ::testing::Test {
 protected:
  /// A certificate that signs itself, for 127.0.0.1 unless another name is given: NAME.pem and NAME.key.
  void Certify(const std::string& name, const std::string& subject = "IP:127.0.0.1") const {
    const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=" + name +
                             " -addext subjectAltName=" + subject + " -keyout " + Key(name) + " -out " + Pem(name) + " 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);
  }
  std::string Pem(const std::string& name) const { return folder_ / (name + ".pem"); }
  std::string Key(const std::string& name) const { return folder_ / (name + ".key"); }

  std::vector<std::string> Flags(const std::string& tls) const {
    const std::string config = folder_.Write("plannerd.textproto", "tls { " + tls + " }");
    return {"--metrics_listen", "off", "--state_dir", folder_ / "state", "--listen", "127.0.0.1:0", "--config", config};
  }
  std::string ServerFiles() const { return "certificate_file: '" + Pem("server") + "' key_file: '" + Key("server") + "' "; }

  /// Files are looked at every second; a call waits 0.1, 0.2, … 3.2 seconds, or half of that by chance, to be tried again.
  static constexpr int kUntilRenewed = 7;
  static absl::Status Ping(const std::string& address, const cpp::TlsFiles& tls, int rounds = 1) {
    const auto client = cpp::Client::Connect({.addresses = {address}, .tls = tls, .retry = {.most_rounds = rounds}});
    if (!client.ok()) return client.status();
    return (*client)->Call(&v1::EstimationService::Stub::GetVersion, v1::GetVersionRequest()).status();
  }

  static std::string Text(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  /// Puts the files of `by` in place of those of `name`, each at once.
  void Renew(const std::string& name, const std::string& by) const {
    for (const auto& [from, to] : {std::pair(Key(by), Key(name)), std::pair(Pem(by), Pem(name))}) {
      std::filesystem::copy_file(from, to + ".new");
      std::filesystem::rename(to + ".new", to);
    }
  }
  ScratchFolder folder_;
};

TEST_F(TlsTest, IsSpokenOnTcpAndNotOnSockets) {
  Certify("server");
  Certify("other");
  std::vector<std::string> flags = Flags(ServerFiles());
  flags.insert(flags.end(), {"--listen", "unix:" + (folder_ / "p.sock")});
  const DaemonProcess daemon(flags);
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::vector<std::string> addresses = daemon.Addresses("grpc");
  ASSERT_THAT(addresses, SizeIs(2));
  EXPECT_TRUE(Ping(addresses[0], {.ca = Pem("server")}).ok());
  EXPECT_TRUE(Ping(addresses[1], {.ca = Pem("server")}).ok());
  EXPECT_TRUE(Ping(addresses[1], {}).ok());
  // In plain text, and to who is not trusted, nothing is said.
  EXPECT_TRUE(absl::IsUnavailable(Ping(addresses[0], {})));
  EXPECT_TRUE(absl::IsUnavailable(Ping(addresses[0], {.ca = Pem("other")})));
}

TEST_F(TlsTest, MutualTlsAnswersOnlyThoseWhoHaveACertificate) {
  Certify("server");
  Certify("client");
  Certify("stranger");
  const DaemonProcess daemon(Flags(ServerFiles() + "client_ca_file: '" + Pem("client") + "'"));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::string address = daemon.Addresses("grpc").at(0);
  EXPECT_TRUE(Ping(address, {.ca = Pem("server"), .certificate = Pem("client"), .key = Key("client")}).ok());
  EXPECT_TRUE(absl::IsUnavailable(Ping(address, {.ca = Pem("server")})));
  EXPECT_TRUE(absl::IsUnavailable(Ping(address, {.ca = Pem("server"), .certificate = Pem("stranger"), .key = Key("stranger")})));
}

TEST_F(TlsTest, ACallThatIsTriedAgainMeetsTheServersRenewedCertificate) {
  Certify("server");
  Certify("renewed");
  const DaemonProcess daemon(Flags(ServerFiles()));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::string address = daemon.Addresses("grpc").at(0);
  const std::string old = folder_.Write("old.pem", Text(Pem("server")));
  EXPECT_TRUE(Ping(address, {.ca = old}).ok());
  EXPECT_TRUE(absl::IsUnavailable(Ping(address, {.ca = Pem("renewed")})));
  Renew("server", "renewed");
  const absl::Status answer = Ping(address, {.ca = Pem("renewed")}, kUntilRenewed);
  EXPECT_TRUE(answer.ok()) << answer;
  EXPECT_TRUE(absl::IsUnavailable(Ping(address, {.ca = old})));
}

TEST_F(TlsTest, AClientsRenewedCertificateIsShown) {
  Certify("server");
  Certify("client");
  Certify("renewed");
  const DaemonProcess daemon(Flags(ServerFiles() + "client_ca_file: '" + Pem("renewed") + "'"));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const auto client = cpp::Client::Connect({.addresses = {daemon.Addresses("grpc").at(0)},
                                            .tls = {.ca = Pem("server"), .certificate = Pem("client"), .key = Key("client")},
                                            .retry = {.most_rounds = kUntilRenewed}});
  ASSERT_TRUE(client.ok()) << client.status();
  Renew("client", "renewed");
  const absl::Status answer = (*client)->Call(&v1::EstimationService::Stub::GetVersion, v1::GetVersionRequest()).status();
  EXPECT_TRUE(answer.ok()) << answer;
}

TEST_F(TlsTest, AServerOfAnotherNameIsNotTrusted) {
  Certify("server", "DNS:planner.example");
  const DaemonProcess daemon(Flags(ServerFiles()));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  EXPECT_TRUE(absl::IsUnavailable(Ping(daemon.Addresses("grpc").at(0), {.ca = Pem("server")})));
}

TEST_F(TlsTest, FilesThatAreNoneAreSaidAtTheStart) {
  Certify("server");
  DaemonProcess missing(Flags("certificate_file: '/nowhere.pem' key_file: '" + Key("server") + "'"));
  EXPECT_EQ(missing.Wait(), 1);
  EXPECT_THAT(missing.output(), HasSubstr("/nowhere.pem"));
  const std::string garbage = folder_.Write("garbage.pem", "garbage");
  DaemonProcess malformed(Flags("certificate_file: '" + garbage + "' key_file: '" + Key("server") + "'"));
  EXPECT_EQ(malformed.Wait(), 1);
  EXPECT_THAT(malformed.output(), HasSubstr("garbage.pem"));
  Certify("other");
  DaemonProcess mismatched(Flags("certificate_file: '" + Pem("server") + "' key_file: '" + Key("other") + "'"));
  EXPECT_EQ(mismatched.Wait(), 1);
  EXPECT_THAT(mismatched.output(), HasSubstr("other.key"));
  std::vector<std::string> check = Flags("certificate_file: '" + Pem("server") + "' key_file: '" + Key("other") + "'");
  check.push_back("--check_config");
  DaemonProcess checked(check);
  EXPECT_EQ(checked.Wait(), 1);
  EXPECT_THAT(checked.output(), HasSubstr("tls.key_file: is not the certificate's key in PEM"));
}

}  // namespace
}  // namespace planner::behaviour
