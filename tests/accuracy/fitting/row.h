#pragma once

#include <string>
#include <vector>

#include "core/perf/step_constants.h"
#include "core/planning/measured_run.h"
#include "core/planning/run_description.h"
#include "core/planning/run_prediction.h"

namespace planner::fitting {

/// A measured run that a time is known of.
struct Row {
  std::string id, source;
  std::string family;         ///< Of its card, in the file of constants.
  std::string framework;      ///< As the table has it,
  std::string framework_key;  ///< and whose constants hold.
  planning::RunDescription description;
  double measured = 0;  ///< Seconds of a step.
  double weight = 1;
  size_t publication = 0;  ///< Its number.
};

/// The part of a source's name before its own subdivisions: "Megatron-Bridge / 25.09" -> "Megatron-Bridge".
std::string Publication(const std::string& source);

/// Those of `runs` that can be compared and described; prints why others are left out, and how many.
std::vector<Row> RowsOf(const std::vector<planning::MeasuredRun>& runs, const planning::RunCatalogs& catalogs);

/// Logarithm of predicted over measured; 0 where nothing is predicted.
double LogRatio(const Row& row, const perf::StepTimeConstants& constants);

/// A publication whose figures scatter (readings of single iterations, several versions of a program under one description)
/// says less: rows weigh by how closely the model can follow their publication, within a factor of six.
void WeighByNoise(std::vector<Row>& rows, const perf::StepTimeConstants& constants);

}  // namespace planner::fitting
