// Checks a document against a JSON Schema (draft 7) and says in one line what is wrong where.
#pragma once

#include <memory>
#include <string_view>

#include "base/json.h"

namespace voxmark {

// Before the schema's own word, which would only be that a constant does not match. `expected`:
// "voxmark.report/1". `what`: "report". Throws Error (bad_input) where "schema" is another one.
void check_schema_name(const Json& document, std::string_view name, std::string_view what,
                       std::string_view expected);

class JsonSchema {
 public:
  // `text` is a schema that is part of the program. Throws Error (internal) when it is none.
  explicit JsonSchema(std::string_view text);
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // Throws Error (bad_input) naming the document, the place in it, what was found there, and what
  // the schema says. `name` stands in the message (a file name, "--suite", ...).
  void check(const Json& document, std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxmark
