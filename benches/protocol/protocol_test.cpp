#include "benches/protocol/protocol.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace voxmark {
namespace {

CaseSpec naive_case() {
  CaseSpec spec;
  spec.backend = "naive";
  return spec;
}

// Through a line and back gives the same line.
void expect_survives(const Message& message) {
  EXPECT_EQ(to_line(parse_message(to_line(message))), to_line(message));
}

template <class Parse>
std::string message_of(Parse parse) {
  try {
    parse();
    return "accepted";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Protocol, EveryMessageSurvivesItsLine) {
  StepMessage step;
  step.warmup = true;
  step.load_seconds = 0.125;
  step.forward_backward_seconds = 1.5;
  step.update_seconds = 0.25;
  step.step_seconds = 1.75;
  step.loss = -std::numeric_limits<double>::infinity();
  step.readings = {{"minor_faults", 3}};
  step.gradient_norms = {{"encodeA_conv0/bias", 0.1}};
  expect_survives(step);
  expect_survives(PlannedMessage{123, false, {{"parameters", 123}}});
  expect_survives(PlannedMessage{});
  expect_survives(UnsupportedMessage{"no bf16"});
  expect_survives(VerifiedMessage{
      {48, 48, 32}, 2, 99, "loss", 1e-6, 1e-5, 0.5, Json::array(), Json::array(), "a hint"});
  expect_survives(ComputedMessage{0.25});
  expect_survives(ReadyMessage{
      1, 2, 0.5, std::string(64, 'a'), std::string(64, 'b'), Json::array(), {{"mxcsr", 40896}}});
  expect_survives(ReadyMessage{});
  expect_survives(DoneMessage{5, Json::object(), {}});
  expect_survives(DoneMessage{5, Json::object(), {0.25, std::nullopt, 0.0}});
  expect_survives(ErrorMessage{ErrorKind::out_of_memory, "no \"memory\"\nleft"});
}

TEST(Protocol, NamesTheMemberThatHasAnotherShape) {
  struct Wrong {
    const char* line;
    const char* told;
  };
  const Wrong all[] = {
      {R"({"type":"done","probes":7})", "probes: expected an object, found 7"},
      {R"({"type":"done","probes":{"counters":null}})",
       "probes.counters: expected an object, found null"},
      {R"({"type":"done","probes":{"counters":{"events":[]}}})",
       "probes.counters.events: expected an object, found []"},
      {R"({"type":"done","probes":{"energy":3}})", "probes.energy: expected an object, found 3"},
      {R"({"type":"done","probes":{"energy":{"joules":"x"}}})",
       "probes.energy.joules: expected a number, found \"x\""},
      {R"({"type":"done","probes":{"harness_seconds_per_step":[1]}})",
       "probes.harness_seconds_per_step: expected a number, found [1]"},
      {R"({"type":"done","probes":{"missing_readings":{"steal_seconds":1}}})",
       "probes.missing_readings: expected an object, each member a text, found "
       "{\"steal_seconds\":1}"},
      {R"({"type":"ready","compile_seconds":1,"execution":{"omp_dynamic":0}})",
       "execution.omp_dynamic: expected true or false, found 0"},
      {R"({"type":"done","probes":{"threads":{}}})", "probes.threads: expected an array, found {}"},
      {R"({"type":"done","probes":{"missing_readings":"all"}})",
       "probes.missing_readings: expected an object, found \"all\""},
      {R"({"type":"ready","compile_seconds":1,"stages":[7]})",
       "stages[0]: expected an object, found 7"},
      {R"({"type":"ready","compile_seconds":1,"stages":[{"ops":"a"}]})",
       "stages[0].ops: expected an array of texts, found \"a\""},
      {R"({"type":"ready","compile_seconds":1,"stages":[{"ops":["a"]},{"ops":[]}]})",
       "stages[1].ops: expected an array of texts, found []"},
      {R"({"type":"ready","compile_seconds":1,"stages":[{"ops":["a"],"isa":null}]})",
       "stages[0].isa: expected a text, found null"},
      {R"({"type":"ready","compile_seconds":1,"stages":[{"ops":["a"],"recomputed":"no"}]})",
       "stages[0].recomputed: expected true or false, found \"no\""},
      {R"({"type":"ready","compile_seconds":1,"stages":[{"ops":["a"],"slow":1}]})",
       "stages[0].slow: expected true or false, found 1"},
      {R"({"type":"ready","compile_seconds":1,"batch_sha256":"abc"})",
       "batch_sha256: expected 64 hexadecimal digits, found \"abc\""},
      {R"({"type":"ready","compile_seconds":1e300})",
       "compile_seconds: expected seconds, found 1e+300"},
      {R"({"type":"planned","exact":true,"plan_by_purpose":{"activations":-1}})",
       "plan_by_purpose.activations: expected an integer of 0 or more, found -1"},
  };
  for (const Wrong& wrong : all) {
    EXPECT_EQ(
        message_of([&] { parse_message(wrong.line); }),
        fmt::format("child protocol: {}: {}",
                    parse_json(wrong.line, "line").at("type").get<std::string>(), wrong.told));
  }
}

TEST(Protocol, ALineIsALine) {
  EXPECT_EQ(to_line(ErrorMessage{ErrorKind::internal, "two\nlines"}).find('\n'), std::string::npos);
}

TEST(Protocol, EveryModeOfARequestSurvives) {
  for (const ChildMode mode :
       {ChildMode::plan, ChildMode::verify, ChildMode::time, ChildMode::check}) {
    const std::string line = to_line(
        Request{mode, naive_case(), "/tmp/reference", "/tmp/w", "/tmp/b", "/tmp/r", "pytorch"});
    EXPECT_EQ(to_line(parse_request(line)), line);
  }
}

// A copy knows nothing of the others, but that it waits for them.
TEST(Protocol, ARequestIsOneCopys) {
  CaseSpec spec = naive_case();
  const std::string alone = to_line(request_of(ChildMode::time, spec));
  spec.copies = 4;
  Request request = request_of(ChildMode::time, spec);
  EXPECT_EQ(to_line(request), alone);
  request.awaits_start = true;
  EXPECT_TRUE(parse_request(to_line(request)).awaits_start);
  EXPECT_FALSE(parse_request(alone).awaits_start);
  Json wrong = parse_json(to_line(request), "request");
  wrong["awaits_start"] = "yes";
  EXPECT_EQ(message_of([&] { parse_request(dump_json(wrong)); }),
            "child protocol: request: awaits_start: expected true or false, found \"yes\"");
}

TEST(Protocol, RefusesAnotherVersionAndKeysItDoesNotKnow) {
  Json request = parse_json(to_line(request_of(ChildMode::time, naive_case())), "request");
  request["verson"] = 2;
  EXPECT_EQ(message_of([&] { parse_request(dump_json(request)); }),
            "child protocol: key \"verson\" is unknown");
  request.erase("verson");
  request["protocol"] = "voxmark.child/1";
  EXPECT_EQ(message_of([&] { parse_request(dump_json(request)); }),
            "child protocol: expected voxmark.child/2, found voxmark.child/1");
}

TEST(Protocol, NamesWhatIsWrongInAMessage) {
  const auto fault = [](const std::string& line) {
    return message_of([&] { parse_message(line); });
  };
  EXPECT_EQ(fault("[]"), "child protocol: expected an object, found array");
  EXPECT_EQ(fault("{}"), "child protocol: a message: \"type\" is missing, expected a text");
  EXPECT_EQ(fault(R"({"type":"hello"})"),
            "child protocol: type: \"hello\" is unknown, expected planned, computed, ready, step, "
            "done, unsupported or error");
  EXPECT_EQ(fault(R"({"type":"planned","planned_bytes":null})"),
            "child protocol: planned: \"exact\" is missing, expected true or false");
  EXPECT_EQ(fault(R"({"type":"planned","planned_bytes":-1,"exact":true})"),
            "child protocol: planned: planned_bytes: expected an integer of 0 or more, found -1");
  EXPECT_EQ(fault(R"({"type":"ready","compile_seconds":-1})"),
            "child protocol: ready: compile_seconds: expected seconds, found -1");
  const auto reading = [&](const std::string& value) {
    return fault(R"({"type":"step","warmup":false,"load_seconds":0,"forward_backward_seconds":1,)"
                 R"("update_seconds":0,"step_seconds":1,"loss":1,"readings":{"user_seconds":)" +
                 value + "}}");
  };
  EXPECT_EQ(reading("0.5"), "accepted");
  for (const char* value : {"-0.5", "\"0.5\"", "\"NaN\"", "null", "[1]"}) {
    EXPECT_EQ(
        reading(value),
        std::string("child protocol: step: readings.user_seconds: expected a number of 0 or more, "
                    "found ") +
            value);
  }
  EXPECT_EQ(fault(R"({"type":"unsupported"})"),
            "child protocol: unsupported: \"reason\" is missing, expected a text");
}

TEST(Protocol, AVerificationWithNaNDoesNotPass) {
  VerifiedMessage message;
  message.tolerance = 1;
  EXPECT_TRUE(message.passed());
  message.error = std::nan("");
  EXPECT_FALSE(message.passed());
}

}  // namespace
}  // namespace voxmark
