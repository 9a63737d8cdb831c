#include "benches/suite/suite.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/json_schema.h"
#include "base/number_text.h"
#include "benches/suite/value_list.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// Locale-free, and nothing but digits: no sign, no space, no "1e3".
std::int64_t parse_count(const std::string& text, const std::string& name, std::int64_t least) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || value < least) {
    throw_bad_input("{}: expected an integer of at least {}, found {}", name, least, text);
  }
  return value;
}

int parse_small_count(const std::string& text, const std::string& name, int least) {
  constexpr std::int64_t kMost = 1000000;
  const std::int64_t value = parse_count(text, name, least);
  if (value > kMost) {
    throw_bad_input("{}: {}, expected {} to {}", name, value, least, kMost);
  }
  return static_cast<int>(value);
}

double parse_positive(const std::string& text, const std::string& name) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || !(value > 0) || std::isinf(value)) {
    throw_bad_input("{}: expected a number above 0, found {}", name, text);
  }
  return value;
}

using Values = std::vector<std::string>;

const std::string& single(const Values& values, const std::string& name) {
  if (values.size() != 1) {
    throw_bad_input("{}: expected one value, found {}", name, values.size());
  }
  return values.front();
}

// Of a grid: `field`'s values.
void set_field(Grid& grid, const CaseField& field, const Values& texts, const std::string& name) {
  if (field.name == "image") {
    refuse_one_image_as_cubes(texts, name);
  }
  if (!field.is_axis) {
    single(texts, name);
  }
  if (field.name == "batch") {
    grid.global_batches.clear();
  }
  std::vector<Json>& values = grid.values[std::string(field.name)];
  values.clear();
  if (field.name == "memory_limit_bytes") {
    grid.sweeps_memory = texts == Values{"sweep"};
    if (grid.sweeps_memory) {
      grid.values.erase(std::string(field.name));
      return;
    }
  }
  for (const std::string& text : texts) {
    values.push_back(parse_value(field, text, name));
  }
}

// Of a grid, beside a case's fields.
constexpr const char* kGlobalBatch = "global_batch";

void set_global_batches(Grid& grid, const Values& texts, const std::string& name) {
  grid.values.erase("batch");
  grid.global_batches.clear();
  for (const std::string& text : texts) {
    grid.global_batches.push_back(
        parse_value(*find_case_field("batch"), text, name).get<std::int64_t>());
  }
}

const CaseField& known_field(std::string_view key) {
  const auto found = std::ranges::find(case_fields(), key, &CaseField::key);
  if (key.empty() || found == case_fields().end()) {
    throw_internal("{}: no key of a suite", key);
  }
  return *found;
}

void set_of_grid(Grid& grid, const std::string& key, const Values& texts, const std::string& name) {
  if (key == kGlobalBatch) {
    set_global_batches(grid, texts, name);
  } else {
    set_field(grid, known_field(key), texts, name);
  }
}

using SetSuite = void (*)(Suite&, const Values&, const std::string& name);

struct SuiteSetter {
  SetSuite set;
  const char* help;
};

const std::map<std::string, SuiteSetter>& suite_setters() {
  static const std::map<std::string, SuiteSetter> setters = {
      {"repeats",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.repeats = parse_small_count(single(v, name), name, 1);
        },
        "processes per case, interleaved over the backends"}},
      {"case_budget",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.case_budget_seconds = parse_positive(single(v, name), name);
        },
        "a case predicted to take more seconds is skipped"}},
      {"timeout",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.timeout_seconds = parse_positive(single(v, name), name);
        },
        "seconds without a message after which a case is ended"}},
      {"precision_target",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.stopping.precision_target = parse_positive(single(v, name), name);
          if (*suite.stopping.precision_target >= 1) {
            throw_bad_input("{}: {}, expected a fraction of the median such as 0.02", name,
                            single(v, name));
          }
        },
        "more processes until the median is known to this fraction: 0.02"}},
      {"time_budget",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.stopping.time_budget_seconds = parse_positive(single(v, name), name);
        },
        "seconds after which no process starts beyond --repeats; alone: to be filled"}},
      {"max_repeats",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.stopping.max_processes = parse_small_count(single(v, name), name, 1);
        },
        "processes per case that these two may reach"}},
      {"order_seed",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.order_seed = static_cast<std::uint64_t>(parse_count(single(v, name), name, 0));
        },
        "of the order in which cases are interleaved"}},
      {"taint_repeats",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.taint_repeats = parse_small_count(single(v, name), name, 0);
        },
        "how often a process that was disturbed is run again, at most"}},
      {"baseline",
       {[](Suite& suite, const Values& v, const std::string& name) {
          suite.baseline = single(v, name);
        },
        "backend that speed-ups refer to; default: eigen-tensor, else the first"}},
  };
  return setters;
}

// As the command line would say it: 32, "fp32", [96, 96, 64] -> "96x96x64".
std::string as_text(const Json& value) {
  if (value.is_array()) {
    std::string text;
    for (const Json& part : value) {
      text += (text.empty() ? "" : "x") + as_text(part);
    }
    return text;
  }
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

Values as_texts(const Json& value) {
  if (!value.is_array()) {
    return {as_text(value)};
  }
  Values texts;
  for (const Json& part : value) {
    texts.push_back(as_text(part));
  }
  return texts;
}

// Each case once for each of `values`.
void multiply(std::vector<CaseSpec>& cases, const CaseField& field,
              const std::vector<Json>& values) {
  std::vector<CaseSpec> product;
  for (const CaseSpec& spec : cases) {
    for (const Json& value : values) {
      product.push_back(spec);
      field.assign(product.back(), value);
    }
  }
  cases = std::move(product);
}

// Those that a grid gives values for, the slowest first.
std::vector<const CaseField*> given_fields(const Grid& grid) {
  std::vector<const CaseField*> fields;
  for (const CaseField& field : case_fields()) {
    if (grid.values.contains(field.name) && field.name != "backend") {
      fields.push_back(&field);
    }
  }
  std::ranges::stable_sort(fields, {}, &CaseField::nesting);
  return fields;
}

void share_global_batches(const Grid& grid, std::vector<CaseSpec>& cases) {
  if (grid.global_batches.empty()) {
    return;
  }
  std::vector<CaseSpec> shared;
  for (const CaseSpec& spec : cases) {
    for (const std::int64_t images : grid.global_batches) {
      shared.push_back(spec);
      shared.back().batch = batch_of_rank(images, spec.ranks);
    }
  }
  cases = std::move(shared);
}

// Every combination but the backends.
std::vector<CaseSpec> workloads_of(const Grid& grid, int default_threads,
                                   const RanksOfHost& ranks_of_host) {
  std::vector<CaseSpec> cases(1);
  for (const CaseField* field : given_fields(grid)) {
    multiply(cases, *field, grid.values.find(field->name)->second);
  }
  share_global_batches(grid, cases);
  for (CaseSpec& spec : cases) {
    if (!grid.values.contains("threads")) {
      spec.threads = std::max(1, default_threads / (ranks_of_host(spec.ranks) * spec.copies));
    }
    if (spec.ranks == 1) {
      spec.batch_norm = CaseSpec{}.batch_norm;  // its own images are those of all
    }
  }
  return cases;
}

// What may stand in a grid.
std::vector<std::string> grid_keys() {
  std::vector<std::string> keys;
  for (const CaseField& field : case_fields()) {
    if (!field.key.empty()) {
      keys.emplace_back(field.key);
    }
  }
  keys.emplace_back(kGlobalBatch);
  std::ranges::sort(keys);  // of messages
  return keys;
}

// Before the schema, which would not say what the key could have been.
void check_keys(const Json& object, const std::vector<std::string>& known,
                const std::string& place) {
  if (!object.is_object()) {
    return;  // the schema's complaint
  }
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      throw_bad_input("{}: key \"{}\" is unknown, expected one of: {}", place, item.key(),
                      fmt::join(known, ", "));
    }
  }
}

void check_keys(const Json& json, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [key, setter] : suite_setters()) {
    known.push_back(key);
  }
  known.insert(known.end(), {"schema", "description", "grids"});
  check_keys(json, known, name);
  if (!json.is_object() || !json.contains("grids") || !json.at("grids").is_array()) {
    return;
  }
  std::size_t i = 0;
  for (const Json& grid : json.at("grids")) {
    check_keys(grid, grid_keys(), fmt::format("{}: grids[{}]", name, i++));
  }
}

// With what stands where none is given.
std::string help_of(const CaseField& field) {
  const Json value = field.read(CaseSpec{});
  std::string default_text(field.default_text);
  if (default_text.empty() && !field.is_optional) {
    default_text = value_text(field, value);
  }
  return fmt::format("{}{}{}", field.help, field.is_axis ? "; several with commas" : "",
                     default_text.empty() ? "" : "; default: " + default_text);
}

}  // namespace

const std::vector<SuiteKey>& suite_keys() {
  static const std::vector<SuiteKey> keys = [] {
    std::vector<SuiteKey> all;
    for (const CaseField& field : case_fields()) {
      if (!field.key.empty()) {
        all.push_back({std::string(field.key), help_of(field), field.is_axis, field.names_files,
                       field.type == FieldType::boolean});
      }
    }
    all.push_back({kGlobalBatch,
                   "images per step of all ranks together, instead of --batch: each rank takes an "
                   "equal part of them; several with commas",
                   true});
    for (const auto& [key, setter] : suite_setters()) {
      all.push_back({key, setter.help});
    }
    return all;
  }();
  return keys;
}

void set_key(Suite& suite, const std::string& key, const Values& values, const std::string& name) {
  const auto of_suite = suite_setters().find(key);
  if (of_suite != suite_setters().end()) {
    of_suite->second.set(suite, values, name);
    return;
  }
  for (Grid& grid : suite.grids) {
    set_of_grid(grid, key, values, name);
  }
}

Suite read_suite(const std::string& path) { return suite_from_json(read_json_file(path), path); }

Suite suite_from_json(const Json& json, const std::string& name) {
  check_keys(json, name);
  JsonSchema(suite_schema_text()).check(json, name);
  Suite suite;
  suite.grids.clear();
  for (const Json& grid_json : json.at("grids")) {
    if (grid_json.contains("batch") && grid_json.contains(kGlobalBatch)) {
      throw_bad_input("{}: grids[{}]: batch and {}: expected one of them", name, suite.grids.size(),
                      kGlobalBatch);
    }
    Grid grid;
    for (const auto& item : grid_json.items()) {
      set_of_grid(grid, item.key(), as_texts(item.value()), name + ": " + item.key());
    }
    suite.grids.push_back(std::move(grid));
  }
  for (const auto& item : json.items()) {
    const auto setter = suite_setters().find(item.key());
    if (setter != suite_setters().end()) {
      setter->second.set(suite, as_texts(item.value()), name + ": " + item.key());
    }
  }
  return suite;
}

std::int64_t batch_of_rank(std::int64_t images, int ranks) {
  if (images % ranks != 0) {
    throw_bad_input("global batch {}: {} ranks cannot share {} equally, expected a multiple of {}",
                    images, ranks, counted(images, "image"), ranks);
  }
  return images / ranks;
}

std::vector<std::string> split_list(const std::string& text, const std::string& name) {
  Values parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (parts.back().empty()) {
      throw_bad_input("{}: expected a list such as a,b, found \"{}\"", name, text);
    }
    if (comma == std::string::npos) {
      return parts;
    }
    begin = comma + 1;
  }
}

std::vector<CaseSpec> expand(const Suite& suite, int default_threads,
                             const LimitsToSweep& limits_to_sweep,
                             const RanksOfHost& ranks_of_host) {
  std::vector<CaseSpec> cases;
  std::set<std::string> seen;
  const auto add = [&](const CaseSpec& spec) {
    if (seen.insert(dump_json(to_json(spec))).second) {
      cases.push_back(spec);
    }
  };
  for (const Grid& grid : suite.grids) {
    for (const CaseSpec& workload : workloads_of(grid, default_threads, ranks_of_host)) {
      for (int process = 0; process < suite.repeats; ++process) {
        for (const Json& backend : grid.values.at("backend")) {
          CaseSpec spec = workload;
          spec.backend = backend.get<std::string>();
          spec.process = process;
          check(spec);
          const std::vector<std::int64_t> limits =
              grid.sweeps_memory ? limits_to_sweep(spec) : std::vector<std::int64_t>{};
          for (const std::int64_t bytes : limits) {
            spec.memory_limit_bytes = bytes;
            add(spec);
          }
          if (limits.empty()) {
            add(spec);
          }
        }
      }
    }
  }
  return cases;
}

}  // namespace voxmark
