#include <unistd.h>

#include <cstdlib>

#include "plugins/libtorch/engine/engine.h"
#include "plugins/libtorch/worker/zygote.h"

// planner-torch-zygote MAX_WORKERS: started by planner-counter-libtorch, with their socket as standard input.
int main(int argc, char** argv) {
  const int max_workers = argc > 1 ? std::atoi(argv[1]) : 1;
  return planner::libtorch::RunZygote(STDIN_FILENO, max_workers, {&planner::libtorch::WarmUp, &planner::libtorch::CountModule});
}
