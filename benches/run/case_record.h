// The record of a case: what is known before it runs, what its child said, and how it ended.
#pragma once

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

// What the child plans to take.
void keep_plan(const PlannedMessage& planned, Record& record);

// Samples, memory and stages of a child that was timed. Throws Error (bad_input) when its words
// contradict each other.
void keep_measurement(const CaseSpec& spec, const Exchange& timed, Record& record);

// A reason for each null of a record that has ended: what a child of somebody else's did not tell.
void explain_gaps(Record& record);

}  // namespace voxmark
