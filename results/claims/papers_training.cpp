#include "results/claims/papers_training.h"

#include <fmt/format.h>

#include <cstddef>

#include "results/claims/claims_data.h"
#include "workloads/network/network.h"

namespace voxmark {

Json papers_training() {
  return parse_json(whitepaper_claims_text(), "whitepaper.json").at("training");
}

std::string why_not_papers_training(const Json& report) {
  const Json paper = papers_training();
  int scans = 0;
  for (const Json& count : report.at("cases")) {
    scans += count.get<int>();
  }
  const auto papers_scans = paper.at("scans").get<int>();
  if (scans != papers_scans) {
    return fmt::format("{} scans, the BraTS data set has {}", scans, papers_scans);
  }
  const auto kind = report.value("data", Json::object()).value("kind", "unknown");
  if (kind != "decathlon") {
    return fmt::format("data: {}, not the BraTS data set", kind);
  }
  Json options = report.at("options");
  options.emplace("levels", kUnetLevels);  // reports of earlier versions do not say so
  Json papers = {{"preset", "whitepaper"}};
  papers.update(paper.at("options"));
  for (const auto& [key, value] : papers.items()) {
    const Json found = options.value(key, Json());
    if (found != value) {
      return fmt::format("{} {}, the paper's is {} (voxmark train --preset whitepaper)", key,
                         dump_json(found), dump_json(value));
    }
  }
  const std::size_t epochs = report.at("epochs").size();
  const auto papers_epochs = paper.at("epochs").get<std::size_t>();
  if (epochs != papers_epochs) {
    return fmt::format("{} epochs, the paper trained {}", epochs, papers_epochs);
  }
  if (report.at("test").is_null()) {
    return "its test split was not scored";
  }
  return report.at("end") == "done" ? "" : "it did not come to its end";
}

Json paper_figures(const Json& report, const Json& claims) {
  if (!why_not_papers_training(report).empty()) {
    return {};
  }
  const Json& mean = report.at("test").at("mean");
  Json figures = Json::array();
  for (const Json& claim : claims) {
    if (claim.at("kind") != "training") {
      continue;
    }
    const auto quantity = claim.at("quantity").get<std::string>();
    const Json& measured = mean.at(quantity);
    figures.push_back({{"figure", claim.at("id")},
                       {"paper", claim.at("value")},
                       {"measured", measured.is_array() ? measured.at(0) : measured}});
  }
  return figures;
}

}  // namespace voxmark
