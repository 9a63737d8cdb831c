#include "benches/protocol/contender.h"

#include "benches/protocol/external_command.h"
#include "benches/protocol/isa.h"
#include "benches/protocol/peers.h"

namespace voxmark {
namespace {

void add(std::vector<std::string>& environment, const std::vector<std::string>& more) {
  environment.insert(environment.end(), more.begin(), more.end());
}

// The case's instruction set: the program that is built for it, or the variables that cap others.
void hold_to(const Isa& isa, bool is_own, Contender& contender) {
  if (is_own) {
    contender.command.at(0) = isa_program(isa, contender.command.at(0));
  }
  if (const auto missing = isa_missing(isa, is_own ? contender.command.front() : "")) {
    contender.missing = *missing;
  }
  add(contender.environment, isa.environment);
}

}  // namespace

bool is_external(const std::string& backend) {
  return backend.starts_with(kExternalPrefix) || find_peer(backend) != nullptr;
}

bool is_external(const CaseSpec& spec) { return is_external(spec.backend); }

Contender contender_of(const CaseSpec& spec, const std::vector<std::string>& own_command) {
  Contender contender;
  const Peer* peer = find_peer(spec.backend);
  if (peer != nullptr) {
    contender.command = peer_command(*peer).value_or(std::vector<std::string>{});
    contender.environment = peer->environment;
    contender.missing = contender.command.empty() ? kPeerNotInstalled : "";
  } else if (is_external(spec)) {
    contender.command = external_command(spec.backend);
  } else {
    contender.command = own_command;
  }
  const Isa* isa = find_isa(spec.isa);
  if (isa != nullptr && contender.missing.empty()) {
    hold_to(*isa, !is_external(spec), contender);
  }
  return contender;
}

}  // namespace voxmark
