// The record of a case: what is known before it runs, what its child said, and how it ended.
#pragma once

#include <string>

#include "benches/case_spec.h"
#include "benches/exchange.h"
#include "results/record.h"

namespace voxmark {

// What is known of a case before anything runs.
Record start_record(const CaseSpec& spec);

// `bad_input`: it failed by what the user gave it.
void end_record(Record& record, Outcome outcome, const std::string& reason, bool bad_input = false);
bool is_bad_input(const Record& record);

// What the child plans to take.
void keep_plan(const PlannedMessage& planned, Record& record);

// Samples, memory and stages of a child that was timed. Throws Error (bad_input) when its words
// contradict each other.
void keep_measurement(const CaseSpec& spec, const Exchange& timed, Record& record);

// A reason for each null of a record that has ended: what a child of somebody else's did not tell.
void explain_gaps(Record& record);

}  // namespace voxmark
