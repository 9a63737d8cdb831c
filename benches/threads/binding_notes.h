// Which variables ask for threads to be held on CPUs and are not followed: a runtime says nothing
// of those of another one, and goes on without a value that it cannot read. Pure but for
// binding_notes().
#pragma once

#include <map>
#include <string>
#include <vector>

namespace voxmark {

// What the environment asks for, by a variable's name, and what the runtime made of it.
struct BindingFacts {
  std::map<std::string, std::string> variables;
  std::string runtime;  // benches/machine/loaded_libraries.h: openmp_runtime()
  int places = 0;       // that it holds threads on; 0: threads run anywhere
};

// A line for each variable that is not followed.
std::vector<std::string> binding_notes(const BindingFacts& facts);

// Of this process.
std::vector<std::string> binding_notes();

}  // namespace voxmark
