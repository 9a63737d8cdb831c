// The record of a case: what is known before it runs, what its child said, and how it ended.
#pragma once

#include <span>
#include <string>

#include "benches/exchange/exchange.h"
#include "results/record.h"
#include "results/report.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// What is known of a case before anything runs.
Record start_record(const CaseSpec& spec);

// `code`: whose a fault is, as Exchange tells it.
void end_record(Record& record, Outcome outcome, const std::string& reason,
                ExitCode code = ExitCode::internal);
// Of a case that failed (failed, crashed, timeout).
ExitCode code_of_fault(const Record& record);
// Of a whole run, by how its records ended: as Runner::run() returns it.
ExitCode exit_code(const Report& report);

// What the child plans to take, as often as there are copies of it.
void keep_plan(const PlannedMessage& planned, int copies, Record& record);

// Samples, memory and stages of a child that was timed. Of several copies the samples of all, the
// sum of their memory, and the stages of the first. Throws Error (bad_input) when their words
// contradict each other.
void keep_measurement(const CaseSpec& spec, std::span<const Exchange> copies, Record& record);

// A reason for each null of a record that has ended: what a child of somebody else's did not tell.
void explain_gaps(Record& record);

}  // namespace voxmark
