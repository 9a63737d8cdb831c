#include "benches/protocol/stages_json.h"

#include <fmt/format.h>

#include <map>

#include "results/slow_kernel.h"
#include "workloads/network/work.h"

namespace voxmark {

Json stages_to_json(const Program& program, const Executable& executable) {
  Json stages = Json::array();
  for (const Stage& stage : executable.stages()) {
    const Work work = work_of(program, stage.ops);
    Json ops = Json::array();
    for (const OpId id : stage.ops) {
      const Op& op = program.ops.at(static_cast<std::size_t>(id));
      ops.push_back(op.layer.empty() ? op_name(op) : op.layer + "/" + op_name(op));
    }
    stages.push_back({{"ops", std::move(ops)},
                      {"implementation", stage.implementation},
                      {"layout", stage.layout},
                      {"isa", stage.isa},
                      {"recomputed", stage.recomputed},
                      {"kind", work.kind},
                      {"direction", work.direction},
                      {"slow", is_slow_kernel(stage.implementation)}});
  }
  return stages;
}

std::vector<std::string> other_kernels(const Json& verified, const Json& timed) {
  std::map<std::string, std::string> known;
  for (const Json& stage : verified) {
    for (const Json& op : stage.at("ops")) {
      known[op.get<std::string>()] = stage.value("implementation", "");
    }
  }
  std::vector<std::string> others;
  for (const Json& stage : timed) {
    const std::string implementation = stage.value("implementation", "");
    for (const Json& op : stage.at("ops")) {
      const auto found = known.find(op.get<std::string>());
      if (found != known.end() && found->second != implementation) {
        others.push_back(fmt::format("{}: {} -> {}", found->first, found->second, implementation));
        known.erase(found);  // once, where it is computed again
      }
    }
  }
  return others;
}

}  // namespace voxmark
