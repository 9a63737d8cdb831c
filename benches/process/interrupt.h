// SIGINT and SIGTERM as a request to stop: the first is remembered, the second ends the process.
#pragma once

namespace voxmark {

// Call once, before the first case. Signals are a property of the process, hence no object.
void catch_interrupts();

// SIGINT or SIGTERM once one has come, else 0.
int pending_interrupt();

}  // namespace voxmark
