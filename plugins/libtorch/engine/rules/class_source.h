#pragma once

#include <string>
#include <string_view>

namespace planner::libtorch {

/// The source of TorchScript classes without their constants ("  in_channels : Final[int] = 64"), each of which the importer
/// would compile and run as a function of its own, a third of the time that loading takes. The methods of an archive have the
/// values of constants in their code; only Python asks for them by name. Lines keep their numbers.
std::string WithoutConstants(std::string_view source);

}  // namespace planner::libtorch
