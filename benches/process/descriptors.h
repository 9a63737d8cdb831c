// Descriptors 0, 1 and 2 are standard input, output and error to everything in a process, so that
// nothing else may ever lie there. A program that is started with one of them closed (cron, nohup,
// 2>&-) would get its next file or pipe in that place.
#pragma once

namespace voxmark {

// First in main(): opens what is closed of the three. Input is then at its end and errors go
// nowhere; whoever writes to output is told that it cannot be written, as before.
void open_standard_streams();

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

// Both ends above 2 and closed on exec. Nothing where the system has none left: errno says why.
Pipe make_pipe();

}  // namespace voxmark
