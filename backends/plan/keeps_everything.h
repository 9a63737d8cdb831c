// A framework that gives nothing back before a step ends, as a backend that can be planned: its
// bytes are arithmetic (workloads/network/kept_bytes.h), and nothing of it runs. Beside the plans
// of real backends it says what placing tensors well saves.
#pragma once

#include "backends/backend.h"

namespace voxmark {

constexpr const char* kKeepsEverything = "keeps-everything";

// compile() throws Error (bad_input). It is in no registry.
const Backend& keeps_everything_backend();

}  // namespace voxmark
