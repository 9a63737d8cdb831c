#include "training/data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bitset>
#include <charconv>
#include <sstream>
#include <string_view>

#include "backends/ranks/rank_talk.h"
#include "base/error.h"
#include "training/read_ahead.h"
#include "training/shared_scores.h"
#include "workloads/data_sets/data_files.h"

namespace voxmark {
namespace {

constexpr std::string_view kPhantom = "phantom:";
constexpr std::size_t kMaxPhantoms = 1000000;  // an order of subjects is shuffled as a whole

using LabelValues = std::bitset<256>;

// `names` by value, background first; empty: not known.
void warn_of_missing(const LabelValues& found, const std::vector<std::string>& names,
                     const std::function<void(const std::string&)>& warn) {
  if (names.size() < 2) {
    if ((found >> 1).none()) {
      warn("labels: every voxel of every training case is background");
    }
    return;
  }
  for (std::size_t value = 1; value < names.size(); ++value) {
    if (found[value]) {
      continue;
    }
    warn(fmt::format("label {} ({}): no voxel in any training case", value, names[value]));
  }
}

// What a rank found in its share of the cases.
struct CasesRead {
  std::vector<std::string> faults, warnings;
  LabelValues found;  // in training cases

  std::vector<double> label_values() const {
    std::vector<double> values;
    for (std::size_t value = 0; value < found.size(); ++value) {
      if (found[value]) {
        values.push_back(static_cast<double>(value));
      }
    }
    return values;
  }
};

void read_share(const TrainingOptions& options, const SubjectSource& part, bool is_training,
                const std::function<bool()>& stop, CasesRead& read) {
  const int rank = rank_of(options.collectives);
  const std::size_t count = cases_of_rank(part.count, rank, options.ranks);
  ReadAhead<Subject> subjects(
      [&](std::uint64_t index) {
        return part.load(static_cast<std::size_t>(index) * static_cast<std::size_t>(options.ranks) +
                             static_cast<std::size_t>(rank),
                         options.network.input_channels);
      },
      0, count, options.readers, options.readers, options.begin_reader);
  for (std::size_t i = 0; i < count && !stop(); ++i) {
    try {
      const Subject subject = subjects.next();
      read.warnings.insert(read.warnings.end(), subject.warnings.begin(), subject.warnings.end());
      for (const std::uint8_t value : subject.labels) {
        if (is_training) {
          read.found.set(value);
        }
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_input) {
        throw;
      }
      read.faults.emplace_back(error.what());
    }
  }
}

// Those of rank 0 first.
std::vector<std::string> lines_of_all(Collectives* ranks, const std::vector<std::string>& own) {
  std::vector<std::string> all;
  for (const std::string& text : texts_of_each(ranks, fmt::format("{}", fmt::join(own, "\n")))) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      all.push_back(line);
    }
  }
  return all;
}

}  // namespace

std::vector<std::string> data_lines(const DataFacts& facts, std::int64_t classes) {
  std::vector<std::string> lines = facts.notes;
  if (classes > 1 && facts.labels.size() == static_cast<std::size_t>(classes) + 1) {
    lines.push_back(fmt::format("labels, in the order of the Dice values: {}",
                                fmt::join(facts.labels.begin() + 1, facts.labels.end(), ", ")));
  }
  return lines;
}

bool is_phantom(const std::string& data) { return data.starts_with(kPhantom); }

SubjectParts open_parts(const std::string& data, const Dims& image, std::uint64_t seed,
                        bool whole_images, const ReadOptions& reading) {
  if (!is_phantom(data)) {
    return data_set_parts(data, seed, reading);
  }
  const std::string_view text = std::string_view(data).substr(kPhantom.size());
  const std::size_t colon = std::min(text.find(':'), text.size());
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + colon, count);
  if (error != std::errc() || end != text.data() + colon || count < 1 || count > kMaxPhantoms) {
    throw_bad_input("--data {}: expected phantom:N with N from 1 to {}, or phantom:N:240x240x155",
                    data, kMaxPhantoms);
  }
  if (colon == text.size() && !whole_images) {
    throw_bad_input(
        "--data {}: whole images of which extents? --tile and --downsample need {}:240x240x155",
        data, data);
  }
  const Dims dims = colon == text.size() ? image : parse_dims(std::string(text.substr(colon + 1)));
  return phantom_parts(count, dims, seed);
}

void read_every_case(const TrainingOptions& options, const SubjectParts& parts,
                     const std::function<bool()>& stop,
                     const std::function<void(const std::string&)>& warn) {
  Collectives* const ranks = options.collectives;
  CasesRead read;
  for (const SubjectSource* part : {&parts.training, &parts.validation, &parts.test}) {
    read_share(options, *part, part == &parts.training, stop, read);
    std::ranges::for_each(lines_of_all(ranks, read.warnings), warn);
    read.warnings.clear();
  }
  throw_case_faults(lines_of_all(ranks, read.faults),
                    parts.training.count + parts.validation.count + parts.test.count);
  LabelValues found;
  for (const std::vector<double>& values : values_of_each(ranks, read.label_values())) {
    for (const double value : values) {
      found.set(static_cast<std::size_t>(value));
    }
  }
  if (!any_rank(ranks, stop())) {
    warn_of_missing(found, parts.facts.labels, warn);
  }
}

CaseSplit places_of(const std::string& data, const SubjectParts& parts, std::uint64_t seed,
                    const ReadOptions& reading) {
  if (!is_phantom(data)) {
    return split_of(read_data_set(data, reading), seed);
  }
  return split_cases(parts.training.count + parts.validation.count + parts.test.count, seed);
}

}  // namespace voxmark
