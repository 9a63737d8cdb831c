#include "training/data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"
#include "training/read_ahead.h"
#include "workloads/data_sets/data_files.h"

namespace voxmark {
namespace {

constexpr std::string_view kPhantom = "phantom:";
constexpr std::size_t kMaxPhantoms = 1000000;  // an order of subjects is shuffled as a whole

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
  if (!is_phantom(data)) return data_set_parts(data, seed, reading);
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

void read_every_case(const SubjectParts& parts, std::int64_t channels, int readers,
                     const std::function<bool()>& stop,
                     const std::function<void(const std::string&)>& warn) {
  std::vector<std::string> faults;
  for (const SubjectSource* part : {&parts.training, &parts.validation, &parts.test}) {
    ReadAhead<Subject> subjects(
        [&](std::uint64_t index) { return part->load(static_cast<std::size_t>(index), channels); },
        0, part->count, readers, readers);
    for (std::size_t i = 0; i < part->count && !stop(); ++i) {
      try {
        const Subject subject = subjects.next();
        std::ranges::for_each(subject.warnings, warn);
      } catch (const Error& error) {
        if (error.code() != ExitCode::bad_input) throw;
        faults.emplace_back(error.what());
      }
    }
  }
  throw_case_faults(faults, parts.training.count + parts.validation.count + parts.test.count);
}

}  // namespace voxmark
