#include "tools/voxmark/assumed_network.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/protocol/case_work.h"
#include "benches/run/rank_model.h"
#include "results/tables/summary.h"
#include "results/tables/table.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

using Units = std::span<const std::pair<const char*, double>>;

constexpr std::pair<const char*, double> kSeconds[] = {
    {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
constexpr std::pair<const char*, double> kBytesPerSecond[] = {
    {"kbit/s", 1e3 / 8}, {"Mbit/s", 1e6 / 8}, {"Gbit/s", 1e9 / 8},
    {"kB/s", 1e3},       {"MB/s", 1e6},       {"GB/s", 1e9}};

double parse_quantity(const std::string& text, Units units, const std::string& all) {
  std::size_t end = 0;
  double value = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = text.substr(end);
  for (const auto& [name, factor] : units) {
    if (end > 0 && unit == name && std::isfinite(value) && value > 0) {
      return value * factor;
    }
  }
  std::string names;
  for (const auto& [name, factor] : units) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw_bad_input("--network {}: \"{}\", expected a number above 0 and one of {}, as in {}", all,
                  text, names, "2us,100Gbit/s");
}

const char* name_of(ExchangeEvent::Kind kind) {
  switch (kind) {
    case ExchangeEvent::Kind::statistics:
      return "statistics";
    case ExchangeEvent::Kind::loss:
      return "loss";
    case ExchangeEvent::Kind::gradients:
      return "gradients";
    case ExchangeEvent::Kind::wait:
      break;
  }
  return "";
}

std::int64_t gradient_bytes(const CaseSpec& spec) {
  return spec.precision == Precision::fp64 ? sizeof(double) : sizeof(float);
}

// By kind, in the order of a step.
Json exchange_of(const StepTrace& trace, const Wire& network) {
  Json all = Json::object();
  for (const char* kind : {"statistics", "loss", "gradients"}) {
    all[kind] = {{"times", 0}, {"bytes", std::int64_t{0}}, {"seconds", 0.0}};
  }
  for (const ExchangeEvent& event : trace.events) {
    if (event.kind == ExchangeEvent::Kind::wait) {
      continue;
    }
    Json& own = all[name_of(event.kind)];
    const Duration& duration =
        event.kind == ExchangeEvent::Kind::gradients ? network.sum : network.meeting;
    own["times"] = own["times"].get<int>() + 1;
    own["bytes"] = own["bytes"].get<std::int64_t>() + event.bytes;
    own["seconds"] = own["seconds"].get<double>() + duration.of(event.bytes);
  }
  return all;
}

struct MeasuredStep {
  double seconds = 0;
  std::int64_t threads = 0;
};

// The fastest of `wanted`, whatever its threads and images.
std::optional<MeasuredStep> step_in(const Report& report, const CaseSpec& wanted) {
  const Json asked = to_json(wanted);
  std::optional<MeasuredStep> best;
  for (const CaseSummary& own : summarise(report.records)) {
    if (own.outcome != Outcome::ok || !own.step_seconds ||
        own.spec.at("backend") != asked.at("backend")) {
      continue;
    }
    Json likewise = own.spec;
    for (const char* name : {"threads", "data", "seed"}) {
      likewise[name] = asked.value(name, Json());
    }
    if (same_workload(likewise, asked) && (!best || own.step_seconds->median < best->seconds)) {
      best = {own.step_seconds->median, own.spec.at("threads").get<std::int64_t>()};
    }
  }
  return best;
}

Json predicted(const std::string& backend, const RankedPlans& ranked, const Program& program,
               const CaseSpec& spec, const Wire& network, const Report& report) {
  CaseSpec wanted = spec;
  wanted.backend = backend;
  wanted.ranks = 1;
  const auto measured = step_in(report, wanted);
  if (!measured) {
    return {{"backend", backend},
            {"step_seconds", nullptr},
            {"reason", fmt::format("no step of one rank with batch {} in the report", spec.batch)}};
  }
  const PredictedStep step =
      predicted_step(planned_trace(program, gradient_bytes(spec), measured->seconds), network);
  return {
      {"backend", backend},
      {"one_rank_seconds", measured->seconds},
      {"threads", measured->threads},
      {"step_seconds", step.seconds},
      {"statistics_seconds", step.statistics},
      {"loss_seconds", step.loss},
      {"gradients_seconds", step.gradients},
      {"hidden_seconds", step.hidden},
      {"images_per_second", static_cast<double>(spec.batch * ranked.options.ranks) / step.seconds},
      {"efficiency", measured->seconds / step.seconds}};
}

}  // namespace

NetworkFlag parse_network(const std::string& text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos) {
    throw_bad_input("--network {}: expected LATENCY,BANDWIDTH, as in 2us,100Gbit/s", text);
  }
  return {parse_quantity(text.substr(0, comma), kSeconds, text),
          parse_quantity(text.substr(comma + 1), kBytesPerSecond, text)};
}

Json network_plan(const RankedPlans& ranked, const NetworkFlag& flag,
                  const std::optional<Report>& report) {
  const CaseSpec spec = asked_case(ranked.options);
  const Program program = training_program(spec);
  const Wire network =
      assumed_wire(ranked.options.ranks, flag.latency_seconds, flag.bytes_per_second);
  Json plan = {{"is_model", true},
               {"latency_seconds", flag.latency_seconds},
               {"bytes_per_second", flag.bytes_per_second},
               {"exchange", exchange_of(planned_trace(program, gradient_bytes(spec), 0), network)}};
  if (report) {
    plan["steps"] = Json::array();
    for (const BackendPlan& own : ranked.plans) {
      if (own.reason.empty()) {
        plan["steps"].push_back(predicted(own.backend, ranked, program, spec, network, *report));
      }
    }
  }
  return plan;
}

std::string network_text(const RankedPlans& ranked, const Json& plan, const std::string& network) {
  Table table{{{"each step", Align::left},
               {"times", Align::right},
               {"bytes of a rank", Align::right},
               {"ms on the wire", Align::right}},
              {}};
  for (const auto& [kind, own] : plan.at("exchange").items()) {
    table.rows.push_back({kind, fmt::format("{}", own.at("times").get<int>()),
                          bytes_text(own.at("bytes").get<std::int64_t>()),
                          significant(1e3 * own.at("seconds").get<double>(), 3)});
  }
  std::string text = fmt::format(
      "A model, nothing of it measured: {} on a network of {} for each\n{}Gradients travel behind "
      "the backward pass; all wait for statistics and loss.\n",
      counted(ranked.options.ranks, "rank"), network, render_text(table));
  for (const Json& own : plan.value("steps", Json::array())) {
    text += own.at("step_seconds").is_null()
                ? fmt::format("{}: {}\n", own.at("backend").get<std::string>(),
                              own.at("reason").get<std::string>())
                : fmt::format(
                      "{}: step {} s by the model, {} s measured of one rank with {}: efficiency "
                      "{:.0f}%, {} images/s\n",
                      own.at("backend").get<std::string>(),
                      significant(own.at("step_seconds").get<double>(), 4),
                      significant(own.at("one_rank_seconds").get<double>(), 4),
                      counted(own.at("threads").get<std::int64_t>(), "thread"),
                      100 * own.at("efficiency").get<double>(),
                      significant(own.at("images_per_second").get<double>(), 4));
  }
  return text;
}

}  // namespace voxmark
