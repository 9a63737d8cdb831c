#include "tools/voxmark/train_report.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/atomic_file.h"
#include "benches/machine/build_info.h"
#include "benches/machine/environment.h"
#include "results/claims/claims.h"
#include "results/claims/papers_training.h"
#include "results/report.h"
#include "results/training_report.h"
#include "tools/voxmark/train_folder.h"

namespace voxmark {
namespace {

void write_text(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

Json test_json(const TrainingResult& result, double surface_tolerance) {
  if (result.test.empty()) {
    return {};
  }
  Json cases = Json::array();
  ScoreMean mean;
  for (const TestCase& scored : result.test) {
    cases.push_back({{"name", scored.name},
                     {"file", scored.file},
                     {"dims", {scored.dims.d, scored.dims.h, scored.dims.w}},
                     {"spacing_mm", scored.spacing},
                     {"scores", to_json(scored.scores)}});
    mean.add(scored.scores);
  }
  return {{"mean", to_json(mean.mean())},
          {"cases", std::move(cases)},
          {"tiled_for_memory", result.prediction_tiled},
          {"surface_tolerance_mm", surface_tolerance}};
}

}  // namespace

Json report_frame(const TrainFlags& flags, const TrainingOptions& options,
                  const SubjectParts& parts) {
  Json shown = {{"data", flags.data},
                {"backend", flags.backend},
                {"precision", flags.precision},
                {"threads", options.threads},
                {"preset", flags.preset.empty() ? Json() : Json(flags.preset)}};
  if (flags.reading.follow_links) {
    shown["follow_links"] = true;
  }
  if (flags.reading != ReadOptions{}) {
    shown["affine_tolerance"] = flags.reading.affine_tolerance;
  }
  shown.update(to_json(options));
  shown["epochs"] = options.epochs;
  shown["patience"] = options.patience;
  shown["memory_limit_bytes"] = flags.memory_limit.empty() ? Json() : Json(options.memory_bytes);
  return {{"schema", kTrainingSchemaName},
          {"created", ""},
          {"voxmark", program_facts(options.binary_sha256)},
          {"environment", probe_environment()},
          {"options", std::move(shown)},
          {"data",
           {{"kind", parts.facts.kind},
            {"name", parts.facts.name},
            {"identity", parts.facts.identity},
            {"labels", parts.facts.labels}}},
          {"cases",
           {{"training", parts.training.count},
            {"validation", parts.validation.count},
            {"test", parts.test.count}}}};
}

Json report_of(const Json& frame, const TrainingResult& result, const Json& end,
               double surface_tolerance) {
  Json report = frame;
  report["created"] = iso_time(std::chrono::system_clock::now());
  report["forecast"] = to_json(result.forecast);
  report["epochs"] = Json::array();
  for (const EpochRecord& epoch : result.epochs) {
    report["epochs"].push_back(to_json(epoch));
  }
  report["best_epoch"] = result.best_epoch;
  report["end"] = end;
  report["test"] = test_json(result, surface_tolerance);
  report["claims"] = paper_figures(report, whitepaper_claims().claims);
  report["memory"] = {{"planned_bytes", result.forecast.planned_bytes},
                      {"peak_bytes", result.peak_bytes > 0 ? Json(result.peak_bytes) : Json()}};
  return report;
}

void write_reports(const TrainFlags& flags, const Json& report) {
  write_training_report(file_in(flags, "training.json"), report);
  write_text(file_in(flags, "training.csv"), epochs_csv(report));
  write_text(file_in(flags, "steps.csv"), steps_csv(report));
}

}  // namespace voxmark
