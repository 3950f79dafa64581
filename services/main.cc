#include "services/app/main_function.h"
#include "services/http/curl_client.h"

int main(int argc, char** argv) {
  planner::http::CurlClient http;
  return planner::app::Main(argc, argv, http);
}
