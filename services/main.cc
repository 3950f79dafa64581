#include "services/app/main_function.h"

int main(int argc, char** argv) { return planner::app::Main(argc, argv); }
