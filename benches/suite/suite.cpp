#include "benches/suite/suite.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "backends/plan/memory_trade.h"
#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/json_schema.h"
#include "benches/suite/value_list.h"

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

Dims parse_image(const std::string& text, const std::string& name) {
  try {
    return parse_dims(text);
  } catch (const Error& error) {
    throw_bad_input("{}: {}", name, error.what());
  }
}

Precision parse_precision_key(const std::string& text, const std::string& name) {
  try {
    return parse_precision(text);
  } catch (const Error& error) {
    throw_bad_input("{}: {}", name, error.what());
  }
}

bool parse_flag(const std::string& text, const std::string& name) {
  if (text != "true" && text != "false") {
    throw_bad_input("{}: {}, expected true or false", name, text);
  }
  return text == "true";
}

using Values = std::vector<std::string>;

const std::string& single(const Values& values, const std::string& name) {
  if (values.size() != 1) {
    throw_bad_input("{}: expected one value, found {}", name, values.size());
  }
  return values.front();
}

template <class T, class Parse>
std::vector<T> parse_all(const Values& values, Parse parse) {
  std::vector<T> result;
  for (const std::string& value : values) {
    result.push_back(parse(value));
  }
  return result;
}

std::vector<std::int64_t> counts(const Values& values, const std::string& name) {
  return parse_all<std::int64_t>(
      values, [&](const auto& text) { return parse_small_count(text, name, 1); });
}

using SetGrid = void (*)(Grid&, const Values&, const std::string& name);
using SetSuite = void (*)(Suite&, const Values&, const std::string& name);

const std::map<std::string, SetGrid>& grid_setters() {
  static const std::map<std::string, SetGrid> setters = {
      {"backend", [](Grid& grid, const Values& v, const std::string&) { grid.backend = v; }},
      {"image",
       [](Grid& grid, const Values& v, const std::string& name) {
         refuse_one_image_as_cubes(v, name);
         grid.image = parse_all<Dims>(v, [&](const auto& t) { return parse_image(t, name); });
       }},
      {"batch",
       [](Grid& grid, const Values& v, const std::string& name) { grid.batch = counts(v, name); }},
      {"channels", [](Grid& grid, const Values& v,
                      const std::string& name) { grid.channels = counts(v, name); }},
      {"classes", [](Grid& grid, const Values& v,
                     const std::string& name) { grid.classes = counts(v, name); }},
      {"filters", [](Grid& grid, const Values& v,
                     const std::string& name) { grid.filters = counts(v, name); }},
      {"threads", [](Grid& grid, const Values& v,
                     const std::string& name) { grid.threads = counts(v, name); }},
      {"precision",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.precision = parse_all<Precision>(
             v, [&](const auto& text) { return parse_precision_key(text, name); });
       }},
      {"data", [](Grid& grid, const Values& v, const std::string&) { grid.data = v; }},
      {"isa", [](Grid& grid, const Values& v, const std::string&) { grid.isa = v; }},
      {"follow_links",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.reading.follow_links = parse_flag(single(v, name), name);
       }},
      {"affine_tolerance",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.reading.affine_tolerance = parse_positive(single(v, name), name);
       }},
      {"seed",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.seed = static_cast<std::uint64_t>(parse_count(single(v, name), name, 0));
       }},
      {"steps",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.steps = parse_small_count(single(v, name), name, 1);
       }},
      {"warmup",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.warmup = parse_small_count(single(v, name), name, 0);
       }},
      {"memory_limit",
       [](Grid& grid, const Values& v, const std::string& name) {
         grid.sweeps_memory = v == Values{"sweep"};
         grid.memory_limits = {};
         for (const std::string& text : grid.sweeps_memory ? Values{} : v) {
           grid.memory_limits.emplace_back(parse_bytes(text, name));
         }
       }},
  };
  return setters;
}

const std::map<std::string, SetSuite>& suite_setters() {
  static const std::map<std::string, SetSuite> setters = {
      {"repeats",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.repeats = parse_small_count(single(v, name), name, 1);
       }},
      {"case_budget",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.case_budget_seconds = parse_positive(single(v, name), name);
       }},
      {"timeout",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.timeout_seconds = parse_positive(single(v, name), name);
       }},
      {"precision_target",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.stopping.precision_target = parse_positive(single(v, name), name);
         if (*suite.stopping.precision_target >= 1) {
           throw_bad_input("{}: {}, expected a fraction of the median such as 0.02", name,
                           single(v, name));
         }
       }},
      {"time_budget",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.stopping.time_budget_seconds = parse_positive(single(v, name), name);
       }},
      {"max_repeats",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.stopping.max_processes = parse_small_count(single(v, name), name, 1);
       }},
      {"order_seed",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.order_seed = static_cast<std::uint64_t>(parse_count(single(v, name), name, 0));
       }},
      {"taint_repeats",
       [](Suite& suite, const Values& v, const std::string& name) {
         suite.taint_repeats = parse_small_count(single(v, name), name, 0);
       }},
      {"baseline", [](Suite& suite, const Values& v,
                      const std::string& name) { suite.baseline = single(v, name); }},
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

// Every combination but the backends, the first list slowest.
std::vector<CaseSpec> workloads_of(const Grid& grid, int default_threads) {
  std::vector<CaseSpec> cases(1);
  cases.front().seed = grid.seed;
  cases.front().steps = grid.steps;
  cases.front().warmup = grid.warmup;
  cases.front().reading = grid.reading;
  const auto multiply = [&cases](const auto& values, auto assign) {
    std::vector<CaseSpec> product;
    for (const CaseSpec& spec : cases) {
      for (const auto& value : values) {
        product.push_back(spec);
        assign(product.back(), value);
      }
    }
    cases = std::move(product);
  };
  const std::vector<std::int64_t> threads =
      grid.threads.empty() ? std::vector<std::int64_t>{default_threads} : grid.threads;
  multiply(grid.data, [](CaseSpec& spec, const std::string& v) { spec.data = v; });
  multiply(grid.filters, [](CaseSpec& spec, std::int64_t v) { spec.network.filters = v; });
  multiply(grid.channels, [](CaseSpec& spec, std::int64_t v) { spec.network.input_channels = v; });
  multiply(grid.classes, [](CaseSpec& spec, std::int64_t v) { spec.network.classes = v; });
  multiply(grid.precision, [](CaseSpec& spec, Precision v) { spec.precision = v; });
  multiply(grid.isa, [](CaseSpec& spec, const std::string& v) { spec.isa = v; });
  multiply(threads, [](CaseSpec& spec, std::int64_t v) { spec.threads = static_cast<int>(v); });
  if (!grid.memory_limits.empty()) {
    multiply(grid.memory_limits,
             [](CaseSpec& spec, std::int64_t v) { spec.memory_limit_bytes = v; });
  }
  multiply(grid.image, [](CaseSpec& spec, const Dims& v) { spec.image = v; });
  multiply(grid.batch, [](CaseSpec& spec, std::int64_t v) { spec.batch = v; });
  return cases;
}

template <class Setters>
std::vector<std::string> keys_of(const Setters& setters) {
  std::vector<std::string> keys;
  keys.reserve(setters.size());
  for (const auto& [key, setter] : setters) {
    keys.push_back(key);
  }
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
  std::vector<std::string> known = keys_of(suite_setters());
  known.insert(known.end(), {"schema", "description", "grids"});
  check_keys(json, known, name);
  if (!json.is_object() || !json.contains("grids") || !json.at("grids").is_array()) {
    return;
  }
  std::size_t i = 0;
  for (const Json& grid : json.at("grids")) {
    check_keys(grid, keys_of(grid_setters()), fmt::format("{}: grids[{}]", name, i++));
  }
}

using MemoryLimits = std::vector<std::int64_t>;

// One for each plan between the most and the least memory; none where there is nothing to trade.
MemoryLimits limits_to_sweep(const CaseSpec& spec) {
  check(spec);
  const Backend* backend = is_external(spec) ? nullptr : find_backend(spec.backend).backend;
  const Program program = training_program(spec);
  const CompileOptions options = compile_options(spec);
  MemoryLimits limits;
  if (backend != nullptr && !backend->unsupported(program, options)) {
    for (const MemoryPlan& plan : memory_trade_off(*backend, program, options)) {
      limits.push_back(plan.total_bytes() + harness_bytes(spec));
    }
  }
  return limits.size() > 1 ? limits : MemoryLimits{};
}

}  // namespace

const std::vector<std::string>& suite_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> all = keys_of(grid_setters());
    const std::vector<std::string> of_suite = keys_of(suite_setters());
    all.insert(all.end(), of_suite.begin(), of_suite.end());
    return all;
  }();
  return keys;
}

void set_key(Suite& suite, const std::string& key, const Values& values, const std::string& name) {
  const auto of_suite = suite_setters().find(key);
  if (of_suite != suite_setters().end()) {
    of_suite->second(suite, values, name);
    return;
  }
  for (Grid& grid : suite.grids) {
    grid_setters().at(key)(grid, values, name);
  }
}

Suite read_suite(const std::string& path) { return suite_from_json(read_json_file(path), path); }

Suite suite_from_json(const Json& json, const std::string& name) {
  check_keys(json, name);
  JsonSchema(suite_schema_text()).check(json, name);
  Suite suite;
  suite.grids.clear();
  for (const Json& grid_json : json.at("grids")) {
    Grid grid;
    for (const auto& item : grid_json.items()) {
      grid_setters().at(item.key())(grid, as_texts(item.value()), name + ": " + item.key());
    }
    suite.grids.push_back(std::move(grid));
  }
  for (const auto& item : json.items()) {
    const auto setter = suite_setters().find(item.key());
    if (setter != suite_setters().end()) {
      setter->second(suite, as_texts(item.value()), name + ": " + item.key());
    }
  }
  return suite;
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

std::int64_t parse_bytes(const std::string& text, const std::string& name) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  constexpr double kMost = 0x1p53;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const auto unit = error == std::errc() ? kUnits.find(std::string(stopped, end)) : kUnits.end();
  if (unit == kUnits.end() || !(value * unit->second >= 1) || !(value * unit->second < kMost)) {
    throw_bad_input("{}: expected bytes such as 8GiB or 500MB, found {}", name, text);
  }
  constexpr double kFewest = 1000;  // nobody means so few bytes by a bare number
  if (unit->first.empty() && value < kFewest) {
    throw_bad_input("{}: expected a unit, as in {}GiB, found {}", name, text, text);
  }
  return static_cast<std::int64_t>(value * unit->second);
}

std::vector<CaseSpec> expand(const Suite& suite, int default_threads) {
  std::vector<CaseSpec> cases;
  std::set<std::string> seen;
  const auto add = [&](const CaseSpec& spec) {
    if (seen.insert(dump_json(to_json(spec))).second) {
      check(spec);
      cases.push_back(spec);
    }
  };
  for (const Grid& grid : suite.grids) {
    for (const CaseSpec& workload : workloads_of(grid, default_threads)) {
      for (int process = 0; process < suite.repeats; ++process) {
        for (const std::string& backend : grid.backend) {
          CaseSpec spec = workload;
          spec.backend = backend;
          spec.process = process;
          const auto limits = grid.sweeps_memory ? limits_to_sweep(spec) : MemoryLimits{};
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
