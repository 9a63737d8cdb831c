#include "workloads/data_sets/inspect.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "workloads/data_sets/data_files.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/images/nifti.h"

namespace voxmark {
namespace {

// Minimum, maximum, mean and digest of values that pass by in blocks.
class Summary {
 public:
  void add(std::span<const double> values) {
    static_assert(std::endian::native == std::endian::little, "hashes the bytes as they lie");
    digest_.update(std::as_bytes(values));
    double block_sum = 0;  // a sum per block: rounding grows with the blocks, not with the voxels
    for (const double value : values) {
      if (std::isnan(value)) {
        ++nan_count_;
      } else if (std::isinf(value)) {
        ++infinite_count_;
      } else {
        minimum_ = std::min(minimum_, value);
        maximum_ = std::max(maximum_, value);
        block_sum += value;
        ++finite_count_;
      }
    }
    sum_ += block_sum;
  }

  void write(Json& facts) {
    const Json finite = finite_facts();
    const std::int64_t bad = nan_count_ + infinite_count_;
    if (bad == 0) {
      facts.update(finite);
    } else {
      for (const char* key : {"minimum", "maximum", "mean"}) {
        facts[key] = nullptr;
      }
      facts["reason"] = fmt::format("{} voxels are NaN or infinite", bad);
      facts["finite"] = finite;
    }
    facts["non_finite"] = {{"nan", nan_count_}, {"infinite", infinite_count_}};
    facts["sha256"] = digest_.hex();
  }

 private:
  Json finite_facts() const {
    if (finite_count_ == 0) {
      return {{"minimum", nullptr}, {"maximum", nullptr}, {"mean", nullptr}};
    }
    const double mean = sum_ / static_cast<double>(finite_count_);
    return {{"minimum", minimum_},
            {"maximum", maximum_},
            {"mean", std::isfinite(mean) ? Json(mean) : Json(nullptr)}};  // the sum may overflow
  }

  Sha256 digest_;
  double minimum_ = std::numeric_limits<double>::infinity();
  double maximum_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0;
  std::int64_t finite_count_ = 0;
  std::int64_t nan_count_ = 0;
  std::int64_t infinite_count_ = 0;
};

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string shape_text(const Json& shape) {
  std::vector<std::int64_t> extents = shape;
  return fmt::format("{}", fmt::join(extents, "x"));
}

std::string number_text(const Json& value) {
  return value.is_null() ? "-" : fmt::format("{}", value.get<double>());
}

// Those that the description names, and those that were found.
Json label_facts(const DataSet& dataset, std::span<const std::int64_t> voxels) {
  Json labels = Json::array();
  for (std::size_t value = 0; value < voxels.size(); ++value) {
    const bool named = value < dataset.labels.size();
    if (!named && voxels[value] == 0) {
      continue;
    }
    Json name = named ? Json(dataset.labels[value]) : Json();
    if (dataset.ignored_label && value == *dataset.ignored_label) {
      name = "ignore";
    }
    labels.push_back({{"value", value}, {"name", std::move(name)}, {"voxels", voxels[value]}});
  }
  return labels;
}

// {"imagesTr/a.nii.gz": "/store/4f/a.nii.gz"}: the files that are reached by links.
Json links_of(const DataSet& dataset, const DataCase& listed) {
  Json links = Json::object();
  std::vector<std::string> files = listed.images;
  files.push_back(listed.label);
  for (const std::string& file : files) {
    const std::string target = link_target(dataset.folder, file);
    if (!target.empty()) {
      links[file] = target;
    }
  }
  return links;
}

struct CaseFacts {
  NiftiHeader header;
  std::array<std::int64_t, 256> label_voxels{};
  std::vector<std::string> warnings;
  std::string fault;           // why the case cannot be read
  std::exception_ptr failure;  // ours
};

CaseFacts read_case(const DataSet& dataset, std::size_t index, bool deep) {
  CaseFacts facts;
  try {
    facts.header = read_image_header(dataset, index);
    const auto labels = read_labels(dataset, index, facts.header, &facts.warnings);
    for (const std::uint8_t label : labels) {
      ++facts.label_voxels[label];
    }
    const Subject subject = deep ? read_subject(dataset, index) : outline_subject(dataset, index);
    if (deep) {
      facts.warnings.clear();  // the subject has those of its labels, too
    }
    facts.warnings.insert(facts.warnings.end(), subject.warnings.begin(), subject.warnings.end());
  } catch (const Error& error) {
    facts.fault = error.what();
    if (error.code() != ExitCode::bad_input) {
      facts.failure = std::current_exception();
    }
  } catch (...) {
    facts.failure = std::current_exception();
  }
  return facts;
}

// Throws Error (bad_input) naming every case that cannot be read.
std::vector<CaseFacts> read_cases(const DataSet& dataset, bool deep) {
  constexpr unsigned kMostThreads = 4;  // each holds a case, of 150 MB and more
  std::vector<CaseFacts> cases(dataset.cases.size());
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
    for (unsigned i = 0; i < count; ++i) {
      threads.emplace_back([&] {
        for (std::size_t index = next++; index < cases.size(); index = next++) {
          cases[index] = read_case(dataset, index, deep);
        }
      });
    }
  }
  std::vector<std::string> faults;
  for (const CaseFacts& one : cases) {
    if (one.failure) {
      std::rethrow_exception(one.failure);
    }
    if (!one.fault.empty()) {
      faults.push_back(one.fault);
    }
  }
  throw_case_faults(faults, cases.size());
  return cases;
}

std::string image_text(const Json& facts) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<12}{}\n", name, value);
  };
  line("file", facts["file"]);
  if (facts.contains("link")) {
    line("link to", facts["link"]);
  }
  line("format", fmt::format("{}, {}-endian", facts["format"].get<std::string>(),
                             facts["byte_order"].get<std::string>()) +
                     (facts["compressed"].get<bool>() ? ", gzip" : ""));
  line("shape", shape_text(facts["shape"]));
  line("type", facts["type"]);
  line("scaling", facts["scaled"].get<bool>()
                      ? fmt::format("value = stored * {} + {}", number_text(facts["scl_slope"]),
                                    number_text(facts["scl_inter"]))
                      : std::string("none"));
  line("extensions", fmt::format("{}", facts["extensions"].get<std::int64_t>()));
  for (std::size_t row = 0; row < 3; ++row) {
    const std::vector<double> elements = facts["affine"][row];
    const std::string source =
        row == 0 ? "  (" + facts["affine_source"].get<std::string>() + ")" : "";
    line(row == 0 ? "affine" : "", fmt::format("{:>12.6g}{:>12.6g}{:>12.6g}{:>12.6g}", elements[0],
                                               elements[1], elements[2], elements[3]) +
                                       source);
  }
  const bool all_finite = !facts.contains("finite");
  const Json& range = all_finite ? facts : facts["finite"];
  const std::string which = all_finite ? "" : "  (finite voxels)";
  for (const char* key : {"minimum", "maximum", "mean"}) {
    line(key, number_text(range[key]) + which);
  }
  line("non-finite",
       fmt::format("{} NaN, {} infinite", facts["non_finite"]["nan"].get<std::int64_t>(),
                   facts["non_finite"]["infinite"].get<std::int64_t>()));
  line("sha256", facts["sha256"].get<std::string>() + "  (values as float64, x fastest)");
  for (const auto& warning : facts["warnings"]) {
    line("warning", warning);
  }
  return text;
}

std::string images_text(const Json& images) {
  std::string first = images.front();
  if (images.size() == 1) {
    return first;
  }
  return fmt::format("{} and {} more", first, images.size() - 1);
}

std::string layout_text(const std::string& layout) {
  if (layout == "nnunet") {
    return "nnU-Net's layout";
  }
  return layout == "datalist" ? "a datalist" : "the Decathlon's layout";
}

std::string dataset_text(const Json& facts) {
  std::string text = fmt::format(
      "{}: \"{}\", {}, {} cases: {} training, {} validation, {} test\n",
      facts["folder"].get<std::string>(), facts["name"].get<std::string>(),
      layout_text(facts["layout"]), facts["cases"].size(),
      facts["split"]["training"].get<std::size_t>(),
      facts["split"]["validation"].get<std::size_t>(), facts["split"]["test"].get<std::size_t>());
  const std::vector<std::string> modalities = facts["modalities"];
  if (!modalities.empty()) {
    text += fmt::format("modalities: {}\n", fmt::join(modalities, ", "));
  }
  for (const Json& label : facts["labels"]) {
    text += fmt::format("label {}: {} ({} voxels)\n", label["value"].get<int>(),
                        label["name"].is_null() ? "not named" : label["name"].get<std::string>(),
                        label["voxels"].get<std::int64_t>());
  }
  for (const Json& note : facts["notes"]) {
    text += note.get<std::string>() + "\n";
  }
  for (const Json& subject : facts["cases"]) {
    text += fmt::format("{:<12}{:<16}{:<9}{}\n", subject["split"].get<std::string>(),
                        shape_text(subject["shape"]), subject["type"].get<std::string>(),
                        images_text(subject["images"]));
    for (const auto& [file, target] : subject["links"].items()) {
      text += fmt::format("{:<12}{} -> {}\n", "link", file, target.get<std::string>());
    }
    for (const Json& warning : subject["warnings"]) {
      text += fmt::format("{:<12}{}\n", "warning", warning.get<std::string>());
    }
  }
  text +=
      facts["image_voxels_read"].get<bool>()
          ? "Every voxel of every image was read: all are finite.\n"
          : "Of images the headers were read, not the voxels: --deep reads them, and finds files "
            "that are cut short or hold NaN.\n";
  return text;
}

}  // namespace

Json inspect_image(const std::string& path) {
  NiftiReader reader(path);
  const NiftiHeader& header = reader.header();
  Json facts = {{"file", path},
                {"format", "NIfTI-1"},
                {"compressed", reader.compressed()},
                {"byte_order", header.big_endian ? "big" : "little"},
                {"shape", header.shape},
                {"type", to_string(header.type)},
                {"vox_offset", header.vox_offset},
                {"extensions", reader.extension_count()},
                {"scl_slope", finite_or_null(header.scl_slope)},
                {"scl_inter", finite_or_null(header.scl_inter)},
                {"scaled", header.scaled},
                {"qform_code", header.qform_code},
                {"sform_code", header.sform_code},
                {"affine_source", header.affine_source},
                {"affine", header.affine},
                {"voxels", header.voxels()}};
  std::error_code unused;
  if (std::filesystem::is_symlink(path, unused)) {
    facts["link"] = std::filesystem::canonical(path, unused).string();
  }
  Summary summary;
  std::vector<double> block(std::size_t{1} << 15U);
  for (std::int64_t left = header.voxels(); left > 0;) {
    const std::int64_t count = std::min(left, static_cast<std::int64_t>(block.size()));
    const std::span<double> values = std::span(block).first(static_cast<std::size_t>(count));
    reader.read(values);
    summary.add(values);
    left -= count;
  }
  reader.finish();
  summary.write(facts);
  facts["warnings"] = header.warnings;
  return facts;
}

Json inspect_dataset(const std::string& path, std::uint64_t seed, const ReadOptions& reading,
                     bool deep) {
  const DataSet dataset = read_data_set(path, reading);
  const CaseSplit split = split_of(dataset, seed);
  std::vector<std::string> part(dataset.cases.size());
  for (const std::size_t index : split.training) {
    part[index] = "training";
  }
  for (const std::size_t index : split.validation) {
    part[index] = "validation";
  }
  for (const std::size_t index : split.test) {
    part[index] = "test";
  }

  Json cases = Json::array();
  std::array<std::int64_t, 256> voxels{};
  const std::vector<CaseFacts> all = read_cases(dataset, deep);
  for (std::size_t index = 0; index < all.size(); ++index) {
    const CaseFacts& facts = all[index];
    for (std::size_t label = 0; label < voxels.size(); ++label) {
      voxels[label] += facts.label_voxels[label];
    }
    const DataCase& listed = dataset.cases[index];
    cases.push_back({{"image", listed.images.front()},
                     {"images", listed.images},
                     {"label", listed.label},
                     {"shape", facts.header.shape},
                     {"type", to_string(facts.header.type)},
                     {"split", part[index]},
                     {"links", links_of(dataset, listed)},
                     {"warnings", facts.warnings}});
  }
  return {{"folder", path},
          {"layout", dataset.layout},
          {"name", dataset.name},
          {"seed", seed},
          {"modalities", dataset.modalities},
          {"labels", label_facts(dataset, voxels)},
          {"notes", dataset.notes},
          {"split",
           {{"training", split.training.size()},
            {"validation", split.validation.size()},
            {"test", split.test.size()}}},
          {"image_voxels_read", deep},
          {"cases", cases}};
}

Json inspect(const std::string& path, std::uint64_t seed, const ReadOptions& reading, bool deep) {
  const bool names_a_data_set =
      std::filesystem::is_directory(path) || path.ends_with(".json") || path.starts_with("fold:");
  return names_a_data_set ? inspect_dataset(path, seed, reading, deep) : inspect_image(path);
}

std::string inspect_text(const Json& facts) {
  return facts.contains("cases") ? dataset_text(facts) : image_text(facts);
}

}  // namespace voxmark
