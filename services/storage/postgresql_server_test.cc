#include "services/storage/postgresql_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::storage {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(PostgresqlServerTest, TakesBothForms) {
  for (const char* text :
       {"host=db1,db2 port=5433 dbname=planner user=u", "postgresql://u@db1:5433,db2:5433/planner"}) {
    const auto server = PostgresqlServer::Parse(text);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_THAT(server->options(), Contains(Pair("host", "db1,db2")));
    EXPECT_THAT(server->options(), Contains(Pair("user", "u")));
    EXPECT_THAT(server->where(), HasSubstr("host=db1,db2"));
    EXPECT_THAT(server->where(), HasSubstr("dbname=planner"));
  }
}

TEST(PostgresqlServerTest, AsksForAPrimaryAndNoticesLostHostsUnlessToldOtherwise) {
  const auto server = PostgresqlServer::Parse("host=db1 connect_timeout=9");
  EXPECT_THAT(server->options(), Contains(Pair("target_session_attrs", "read-write")));
  EXPECT_THAT(server->options(), Contains(Pair("keepalives_idle", "5")));
  EXPECT_THAT(server->options(), Contains(Pair("connect_timeout", "9")));
  EXPECT_THAT(PostgresqlServer::Parse("target_session_attrs=any")->options(),
              Contains(Pair("target_session_attrs", "any")));
}

TEST(PostgresqlServerTest, NeverTellsAPassword) {
  EXPECT_THAT(PostgresqlServer::Parse("host=db1 password=opensesame user=u")->where(), Not(HasSubstr("sesame")));
  // libpq quotes what it cannot read.
  for (const char* wrong : {"host=db1 password=open sesame", "host=db1 password=open sesame=seed",
                            "postgresql://u:open%ZZsesame@db1/planner", "host=db1 password='open\"sesame",
                            "host=db1 password=open \"sesame\""}) {
    const absl::Status status = PostgresqlServer::Parse(wrong).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_EQ(base::DetailOf(status).field, "postgresql");
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("sesame"))) << wrong;
  }
}

TEST(PostgresqlServerTest, ASlipOfAnOptionIsNamed) {
  EXPECT_THAT(std::string(PostgresqlServer::Parse("hots=db1").status().message()),
              HasSubstr("\"hots\"; did you mean \"host\"?"));
  EXPECT_THAT(WithoutSecrets("no quotes at all\n"), "no quotes at all");
  EXPECT_THAT(WithoutSecrets("one \" alone"), "one …");
}

}  // namespace
}  // namespace planner::storage
