#include "benches/machine/environment_changes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/number_text.h"

namespace voxmark {
namespace {

// What moves by itself: each with all that lies below it.
constexpr std::array<std::string_view, 4> kMoving = {
    "cpu.mhz", "memory.available_bytes", "memory.available_source", "system.load_average"};
constexpr std::string_view kNodes = "cpu.topology.numa_nodes.";
constexpr std::string_view kNodeBytes = ".bytes";

// The number in "cpu.topology.numa_nodes.0.bytes"; "" of another fact.
std::string node_of(std::string_view fact) {
  if (!fact.starts_with(kNodes) || !fact.ends_with(kNodeBytes) ||
      fact.size() <= kNodes.size() + kNodeBytes.size()) {
    return "";
  }
  fact.remove_prefix(kNodes.size());
  fact.remove_suffix(kNodeBytes.size());
  return std::string(fact);
}

bool is_moving(const std::string& fact) {
  return std::ranges::any_of(kMoving, [&](std::string_view own) {
    return fact == own || fact.starts_with(std::string(own) + ".");
  });
}

bool can_matter(const std::string& fact, const Json& before, const Json& after) {
  if (before == after || is_moving(fact)) {
    return false;
  }
  const bool is_memory = fact == "memory.total_bytes" || !node_of(fact).empty();
  return !(is_memory && before.is_number() && after.is_number() &&
           after.get<double>() > before.get<double>());
}

// By the leaf's path, in the order of their names. What has a path of its own (a library) goes by
// its file's name, since its place in a list says nothing. Reasons go with their nulls.
using Leaves = std::map<std::string, Json>;

void add_leaves(const std::string& path, const Json& value, Leaves& leaves) {
  const std::string prefix = path.empty() ? "" : path + ".";
  if (value.is_object()) {
    for (const auto& member : value.items()) {
      if (member.key() != "reasons") {
        add_leaves(prefix + member.key(), member.value(), leaves);
      }
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json& own = value[i];
      if (own.is_object() && own.contains("path") && own.at("path").is_string()) {
        const std::filesystem::path file = own.at("path").get<std::string>();
        add_leaves(prefix + file.filename().string(), own, leaves);
      } else {
        add_leaves(prefix + std::to_string(i), own, leaves);
      }
    }
  } else {
    leaves[path] = value;
  }
}

Leaves leaves_of(const Json& environment) {
  Leaves leaves;
  add_leaves("", environment, leaves);
  return leaves;
}

Json value_of(const Leaves& leaves, const std::string& fact) {
  const auto found = leaves.find(fact);
  return found == leaves.end() ? Json() : found->second;
}

std::string value_text(const std::string& fact, const Json& value) {
  if (value.is_null()) {
    return "not known";
  }
  if (fact.ends_with("bytes") && value.is_number()) {
    return bytes_text(value.get<std::int64_t>());
  }
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

// The words of one text that another one lacks.
std::string words_not_in(const std::string& text, const std::string& other) {
  const auto words = [](const std::string& all) {
    std::istringstream stream(all);
    std::set<std::string> found;
    for (std::string word; stream >> word;) {
      found.insert(word);
    }
    return found;
  };
  std::vector<std::string> lacking;
  std::ranges::set_difference(words(text), words(other), std::back_inserter(lacking));
  return lacking.empty() ? "nothing" : fmt::format("{}", fmt::join(lacking, " "));
}

}  // namespace

Json environment_changes(const Json& before, const Json& after) {
  const Leaves old_leaves = leaves_of(before), new_leaves = leaves_of(after);
  std::set<std::string> facts;
  for (const Leaves* leaves : {&old_leaves, &new_leaves}) {
    for (const auto& [fact, value] : *leaves) {
      facts.insert(fact);
    }
  }
  Json changes = Json::array();
  for (const std::string& fact : facts) {
    Json old_value = value_of(old_leaves, fact), new_value = value_of(new_leaves, fact);
    if (can_matter(fact, old_value, new_value)) {
      changes.push_back(
          {{"fact", fact}, {"before", std::move(old_value)}, {"after", std::move(new_value)}});
    }
  }
  return changes;
}

std::string change_text(const Json& change) {
  constexpr std::size_t kLong = 80;
  const std::string fact = change.at("fact");
  const std::string before = value_text(fact, change.at("before"));
  const std::string after = value_text(fact, change.at("after"));
  if (const std::string node = node_of(fact); !node.empty()) {
    return fmt::format("NUMA node {}: {} -> {} of memory", node, before, after);
  }
  if (before.size() > kLong && after.size() > kLong) {
    return fmt::format("{}: lost {}, gained {}", fact, words_not_in(before, after),
                       words_not_in(after, before));
  }
  return fmt::format("{}: {} -> {}", fact, before, after);
}

}  // namespace voxmark
