#include "benches/protocol/contender.h"

#include "benches/protocol/external_command.h"
#include "benches/protocol/isa.h"
#include "benches/protocol/peers.h"

namespace voxmark {
namespace {

Contender start_of(const std::string& backend, const std::vector<std::string>& own_command) {
  switch (kind_of(backend)) {
    case ContenderKind::backend:
      return {own_command, {}, ""};
    case ContenderKind::program:
      return {external_command(backend), {}, ""};
    case ContenderKind::peer:
      break;
  }
  const Peer& peer = *find_peer(backend);
  const auto command = peer_command(peer);
  return {command.value_or(std::vector<std::string>{}), peer.environment,
          command ? "" : kPeerNotInstalled};
}

// The case's instruction set: the program that is built for it, or the variables that cap others.
void hold_to(const Isa& isa, bool is_own, Contender& contender) {
  if (is_own) {
    contender.command.at(0) = isa_program(isa, contender.command.at(0));
  }
  if (const auto missing = isa_missing(isa, is_own ? contender.command.front() : "")) {
    contender.missing = *missing;
  }
  contender.environment.insert(contender.environment.end(), isa.environment.begin(),
                               isa.environment.end());
}

}  // namespace

ContenderKind kind_of(const std::string& backend) {
  if (backend.starts_with(kExternalPrefix)) {
    return ContenderKind::program;
  }
  return find_peer(backend) != nullptr ? ContenderKind::peer : ContenderKind::backend;
}

bool is_of_build(const std::string& backend) { return kind_of(backend) == ContenderKind::backend; }
bool runs_our_child(const std::string& backend) {
  return kind_of(backend) == ContenderKind::backend;
}
bool exchanges_files(const std::string& backend) {
  return kind_of(backend) != ContenderKind::backend;
}
bool computes_on_ranks(const std::string& backend) {
  const Peer* peer = find_peer(backend);
  return peer == nullptr ? kind_of(backend) == ContenderKind::backend : peer->has_ranks;
}
bool plans_memory(const std::string& backend) { return kind_of(backend) == ContenderKind::backend; }
bool is_fault_of_ours(const std::string& backend) {
  return kind_of(backend) == ContenderKind::backend;
}

bool is_this_program(const CaseSpec& spec) { return is_of_build(spec.backend) && spec.isa.empty(); }

Contender contender_of(const CaseSpec& spec, const std::vector<std::string>& own_command) {
  Contender contender = start_of(spec.backend, own_command);
  const Isa* isa = find_isa(spec.isa);
  if (isa != nullptr && contender.missing.empty()) {
    hold_to(*isa, is_of_build(spec.backend), contender);
  }
  return contender;
}

}  // namespace voxmark
