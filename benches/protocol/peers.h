// Frameworks that people use instead, as backends by name: external programs under tools/peers,
// each started with the interpreter of an environment that ci/peers installed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "workloads/network/rounding.h"

namespace voxmark {

struct Peer {
  std::string name;                      // "tensorflow-onednn"
  std::string framework;                 // what `ci/peers FRAMEWORK` installs
  std::vector<std::string> arguments;    // of the framework's program
  std::vector<std::string> environment;  // "NAME=VALUE"
  std::string description;
  bool multiplies_in_bf16 = false;  // the convolutions of fp32
  bool has_ranks = false;           // several processes may compute a step
};

// In the order in which tables show them.
const std::vector<Peer>& peers();

// Null when no peer has this name.
const Peer* find_peer(const std::string& name);

// Of the case's backend and precision.
Rounding rounding_of(const std::string& backend, Precision precision);

// The words that start a peer; nothing where its framework is not installed. The environments lie
// in $VOXMARK_PEERS, or in the folder .peers of the tree (of sources, or an unpacked tarball) that
// holds this program.
std::optional<std::vector<std::string>> peer_command(const Peer& peer);

// Why a peer that is not there is skipped.
constexpr const char* kPeerNotInstalled = "not installed (ci/peers)";

}  // namespace voxmark
