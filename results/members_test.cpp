#include "results/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "results/example_record.h"
#include "results/member_types.h"

namespace voxmark {
namespace {

// What a run writes, a place for every member.
Json full_details() {
  return parse_json(R"({
    "program": {"command": "./a --b", "files": [{"path": "/a", "sha256": "aa"}]},
    "beyond_cpu_quota": {"threads": 4, "cpus": 1.5},
    "plan_exact": true,
    "predicted_peak_bytes": 7, "beyond_budget": true,
    "probes": {
      "energy": {"joules": 8.5, "domains": {"package-0": 8.5}, "joules_per_image": 4.25},
      "observed_step": {"convolution_seconds": 0.4, "other_seconds": 0.1},
      "counters": {"events": {"cycles": {"value": null, "reason": "no PMU"}}, "passes": 1},
      "harness_seconds_per_step": 1e-5,
      "frequency": {"source": null, "reason": "no cpufreq"},
      "first_touch": {"seconds": null, "reason": "the backend does not tell"},
      "threads": [{"cpu": null, "allowed": "0-1", "cpu_seconds": 0.5}],
      "ranks": {"library": "Open MPI v4.1.4", "each": []},
      "missing_readings": {"steal_seconds": "not told"}},
    "copies": {"apart": "copy 0 ran no step beside the others",
      "each": [{"cpus": "0-3", "steps": 5, "step_seconds": 0.5, "peak_bytes": 7,
        "compile_seconds": 0.25, "threads": [{"cpu": 1}]}]},
    "beyond_memory_limit": {"taken_bytes": 3, "limit_bytes": 2},
    "execution": {"mxcsr": 40896, "flush_to_zero": true, "denormals_are_zero": true,
      "omp_max_threads": 2, "omp_dynamic": false, "omp_proc_bind": 3, "omp_num_places": 2,
      "omp_num_procs": 2},
    "openmp_places": ["OMP_PLACES={0},{1}"],
    "interference": {"tainted": true, "tainted_steps": 2, "lost_fraction": 0.1,
      "reasons": ["threads waited 3%"], "canary_seconds": 0.01,
      "discarded": [{"tainted": true, "tainted_steps": 3, "lost_fraction": 0.2,
        "reasons": ["threads waited 9%"], "canary_seconds": 0.01, "step_seconds": [0.5, 0.75]}],
      "not_repeated": "under constant load"},
    "warmup": {"over": null, "steps": 1, "needed": 2, "reason": "too few"},
    "roofline": {"seconds": 0.25, "flops_per_second": 1e12, "bytes_per_second": 1e10},
    "bad_input": true,
    "cannot_here": true,
    "wall_seconds": 9.5})",
                    "details");
}

Json full_run_details() {
  return parse_json(R"({
    "suite": "a.json", "flags": {"image": "64"}, "reproduce": "quick", "cases_sha256": "aa",
    "budget_seconds": 60.5, "repeats": 3, "order_seed": 18446744073709551615, "taint_repeats": 2,
    "baseline": "naive", "against_backend": "eigen", "rerun_of": "b.json", "quickstart": true,
    "noise": true,
    "thread_settings": {"bind": "cores", "profile": "paper", "runtime": "libgomp",
      "requested": {"KMP_BLOCKTIME": "1"}, "translated": {"OMP_PLACES": "cores"},
      "note": "roughly", "warning": "2 NUMA nodes"},
    "isa_programs": {"avx": {"version": "1"}}, "busy_at_start": "1.3 CPUs",
    "identity": {"CPU": "one"}, "environment_changes": [{"fact": "cpu.boost"}],
    "partial": "the run was killed", "findings": [{"id": "a"}],
    "answer": {"lines": ["so"], "claims": [], "left_out": "", "measured": "today"}, "wall_seconds": 99.5})",
                    "details");
}

Json full_limits() {
  return parse_json(R"({
    "memory_bytes": 7, "memory_source": "MemAvailable", "timeout_seconds": 900.5,
    "case_budget_seconds": 60.5,
    "machine": [{"threads": 2, "fp32_flops_per_second": 1e11,
      "fp32_flops_per_second_median": 9e10, "fp32_isa": "avx2", "bf16_flops_per_second": null,
      "bf16_flops_per_second_median": 1.5, "bf16_implementation": "jit", "triad_bytes_per_second": 1e10,
      "triad_bytes_per_second_median": 9e9, "triad_array_bytes": 5,
      "reasons": {"bf16_flops_per_second": "no such instructions"}, "interference": ["a hog"]}],
    "machine_reason": "not asked for"})",
                    "limits");
}

Json full_verification_details() {
  return parse_json(R"({"batch": 2, "checks": 202, "cached": true,
    "other_kernels": ["a/convolution: rows -> im2col"],
    "timed_shape": {"against": "onednn", "tensor": "loss", "error": "NaN", "tolerance": 1e-6,
      "reason": "none"}})",
                    "details");
}

// A valid report that says all of it.
Json full_report() {
  Json json = to_json(example_report());
  json["records"][0]["details"] = full_details();
  json["records"][0]["verification"]["details"] = full_verification_details();
  json["details"] = full_run_details();
  json["limits"] = full_limits();
  return json;
}

Json unordered(const Json& json) { return parse_json(nlohmann::json(json).dump(), "sorted"); }

TEST(Members, AreReadWholeAndWrittenAsTheyWere) {
  const Json json = full_report();
  const Report report = report_from_json(json, "full");
  const Record& record = report.records.front();
  EXPECT_EQ(record.details, Json::object()) << "everything has a member";
  EXPECT_EQ(record.verification->details, Json::object());
  EXPECT_EQ(report.header.other_details, Json::object());
  EXPECT_EQ(report.header.other_limits, Json::object());
  EXPECT_EQ(unordered(to_json(report)), unordered(json));
  EXPECT_EQ(record.facts.interference->discarded->front().step_seconds->back(), 0.75);
  EXPECT_EQ(record.facts.probes->first_touch->reason, "the backend does not tell");
  EXPECT_EQ(report.header.limits.machine->front().fp32_isa, "avx2");
}

TEST(Members, OfOlderReportsAreNothingAndStayAway) {
  Json json = to_json(example_report());
  for (Json& record : json["records"]) {
    record.erase("details");
  }
  json.erase("details");
  const Report old = report_from_json(json, "old");
  EXPECT_FALSE(old.records.front().facts.roofline);
  EXPECT_FALSE(old.header.facts.baseline);
  const Json again = to_json(old);
  EXPECT_EQ(again["records"][0]["details"], Json::object());
  EXPECT_EQ(again["details"], Json::object());
  EXPECT_EQ(again["limits"], Json::object());
}

TEST(Members, WhatOthersAddedStaysWhereItStood) {
  Json json = full_report();
  Json& details = json["records"][0]["details"];
  details["mine"] = {1, 2};
  details["interference"]["mine"] = "a";
  details["interference"]["discarded"][0]["mine"] = {{"deep", 1}};
  details["probes"]["energy"]["mine"] = 7;
  details["execution"]["torch"] = "2.4";
  json["details"]["mine"] = true;
  json["limits"]["machine"][0]["mine"] = 1.5;
  const Report report = report_from_json(json, "more");
  EXPECT_EQ(report.records.front().facts.interference->tainted, true);
  EXPECT_EQ(report.records.front().facts.interference->discarded->size(), 1U);
  EXPECT_EQ(report.records.front().details["execution"], Json({{"torch", "2.4"}}));
  EXPECT_EQ(unordered(to_json(report)), unordered(json));
}

TEST(Members, OfAnotherTypeAreNothingAndStayWhereTheyStood) {
  Json object = {{"seconds", "x"}, {"flops_per_second", 1e12}};
  const Json before = object;
  const auto roofline = take_members<Roofline>(object);
  EXPECT_FALSE(roofline.seconds);
  EXPECT_EQ(roofline.flops_per_second, 1e12);
  EXPECT_EQ(object, Json({{"seconds", "x"}}));
  put_members(object, roofline);
  EXPECT_EQ(object, before);
  Json huge = {{"taken_bytes", 18446744073709551615U}};
  EXPECT_FALSE(take_members<BeyondMemoryLimit>(huge).taken_bytes);
}

TEST(Members, AreNullWhereTheReasonStandsBesideThem) {
  Roofline roofline;
  EXPECT_EQ(members_to_json(roofline), Json::object());
  roofline.reason = "not measured";
  EXPECT_EQ(members_to_json(roofline), Json({{"seconds", nullptr}, {"reason", "not measured"}}));
  MachineLimits limits;
  limits.reasons.emplace()["bf16_flops_per_second"] = "no such instructions";
  const Json json = members_to_json(limits);
  EXPECT_TRUE(json.at("bf16_flops_per_second").is_null());
  EXPECT_FALSE(json.contains("fp32_flops_per_second"));
}

// The places in `json`, below those that have no type of their own.
void collect(const Json& json, const std::string& place, std::vector<std::string>& places) {
  static const std::set<std::string> kFree = {"counters",           "threads",  "isa_programs",
                                              "identity",           "findings", "answer",
                                              "environment_changes"};
  for (const auto& item : json.items()) {
    const std::string own = place + "/" + item.key();
    places.push_back(own);
    const bool is_free = kFree.contains(item.key()) && !item.value().is_number();
    if (item.value().is_structured() && !is_free) {
      collect(item.value(), own, places);
    }
  }
}

TEST(Members, OfAnotherTypeAreRefusedByTheSchemaThatNamesThem) {
  const Json good = full_report();
  validate_report(good, "full");
  int refused = 0;
  for (const char* root :
       {"/records/0/details", "/records/0/verification/details", "/details", "/limits"}) {
    std::vector<std::string> places;
    collect(good.at(Json::json_pointer(root)), root, places);
    for (const std::string& place : places) {
      Json json = good;
      Json& value = json[Json::json_pointer(place)];
      // Neither a number nor a text nor true nor an object of texts.
      value = value.is_array() ? Json(7) : Json::array({Json::array()});
      SCOPED_TRACE(place);
      EXPECT_THROW(validate_report(json, "bad"), Error);
      ++refused;
    }
  }
  EXPECT_GT(refused, 120);
}

// Every member of the structs, and those of structs in them, stands in the full documents above: so
// the schema knows all of them.
template <class Struct>
void expect_all(const Json& object, const std::string& place) {
  members_detail::for_each_member<Struct>([&]<class Owner, class Value>(
                                              const Member<Owner, Value>& member) {
    ASSERT_TRUE(object.contains(member.name)) << place << "/" << member.name;
    if constexpr (HasMembers<Value>) {
      expect_all<Value>(object[member.name], place + "/" + member.name);
    } else if constexpr (members_detail::IsVector<Value>::value) {
      if constexpr (HasMembers<typename Value::value_type>) {
        expect_all<typename Value::value_type>(object[member.name][0], place + "/" + member.name);
      }
    }
  });
}

TEST(Members, AreAllInTheDocumentsOfTheseTests) {
  Json details = full_details();
  details["roofline"]["reason"] = "";
  details["probes"]["energy"]["reason"] = "";
  expect_all<RecordFacts>(details, "details");
  expect_all<RunFacts>(full_run_details(), "details");
  expect_all<RunLimits>(full_limits(), "limits");
  expect_all<VerificationFacts>(full_verification_details(), "details");
}

TEST(WrongMember, IsNamedWithItsPathAndWhatWasExpected) {
  const Json probes = full_details()["probes"];
  EXPECT_FALSE(wrong_member<Probes>(probes));
  Json odd = probes;
  odd["mine"] = "anything";
  odd["harness_seconds_per_step"] = nullptr;
  EXPECT_FALSE(wrong_member<Probes>(odd));
  odd["energy"]["joules"] = "many";
  const auto wrong = wrong_member<Probes>(odd);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->path, "energy.joules");
  EXPECT_EQ(wrong->expected, "a number");
  EXPECT_EQ(wrong->found, "many");
  odd["energy"] = nullptr;
  EXPECT_EQ(wrong_member<Probes>(odd)->path, "energy");
}

}  // namespace
}  // namespace voxmark
