#include "benches/protocol/peers.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/own_program.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

// glibc keeps what a step has freed, in huge pages: no page is faulted in twice. A heap that is
// grown by 64 MiB at a time, up to 32 GiB that are never given back.
const std::vector<std::string> kTunedAllocator = {
    "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "MALLOC_MMAP_MAX_=0",
    "MALLOC_TRIM_THRESHOLD_=34359738368", "MALLOC_TOP_PAD_=67108864"};

const std::string kTensorFlow = "tensorflow";
const std::string kPyTorch = "pytorch";
const std::string kJax = "jax";

// A peer as it is installed, and with its allocator tuned.
void add_with_tuned(std::vector<Peer>& all, Peer peer) {
  all.push_back(peer);
  peer.name += "-tuned";
  peer.description += ", memory kept by malloc in huge pages";
  peer.environment.insert(peer.environment.end(), kTunedAllocator.begin(), kTunedAllocator.end());
  all.push_back(std::move(peer));
}

std::vector<Peer> make_peers() {
  std::vector<Peer> all;
  add_with_tuned(all, {"tensorflow-stock",
                       kTensorFlow,
                       {"--onednn=off"},
                       {"TF_ENABLE_ONEDNN_OPTS=0"},
                       "TensorFlow with its own kernels (Eigen), in a tf.function: the baseline of "
                       "voxmark reproduce"});
  add_with_tuned(all, {"tensorflow-stock-2018",
                       kTensorFlow,
                       {"--onednn=off", "--kernels-of-2018"},
                       {"TF_ENABLE_ONEDNN_OPTS=0"},
                       "tensorflow-stock with its gradients' kernels from before September 2018"});
  add_with_tuned(all, {"tensorflow-onednn",
                       kTensorFlow,
                       {"--onednn=on"},
                       {"TF_ENABLE_ONEDNN_OPTS=1"},
                       "TensorFlow on oneDNN, in a tf.function: what the paper trains with"});
  all.push_back({"tensorflow-eager",
                 kTensorFlow,
                 {"--onednn=on", "--eager"},
                 {"TF_ENABLE_ONEDNN_OPTS=1"},
                 "TensorFlow on oneDNN, op by op, without a tf.function"});
  all.push_back({"tensorflow-compiled",
                 kTensorFlow,
                 {"--onednn=on", "--compile"},
                 {"TF_ENABLE_ONEDNN_OPTS=1"},
                 "TensorFlow compiled by XLA (jit_compile)"});
  add_with_tuned(all, {"pytorch", kPyTorch, {}, {}, "PyTorch, channels last, eager"});
  all.push_back({"pytorch-compiled",
                 kPyTorch,
                 {"--compile"},
                 {},
                 "PyTorch compiled by torch.compile, channels last"});
  all.push_back({"pytorch-bf32",
                 kPyTorch,
                 {"--bf32"},
                 {},
                 "PyTorch whose fp32 convolutions multiply in bf16, channels last, eager",
                 true});
  all.push_back({"pytorch-ddp",
                 kPyTorch,
                 {"--ddp"},
                 {},
                 "PyTorch on --ranks R by DistributedDataParallel over gloo, --batch-norm local",
                 false,
                 true});
  all.push_back(
      {"jax", kJax, {}, {"JAX_PLATFORMS=cpu"}, "JAX compiled by XLA (jit), channels last"});
  return all;
}

// The tree that holds this program, by the peers' programs in it: the sources' tools/peers, or an
// unpacked tarball's share/voxmark/peers. "" where there is none above it.
struct Tree {
  fs::path root, programs;
};
Tree tree_of_this_program() {
  fs::path folder = own_program_path();
  while (folder.has_relative_path()) {
    folder = folder.parent_path();
    for (const char* programs : {"tools/peers", "share/voxmark/peers"}) {
      std::error_code failure;
      if (fs::is_directory(folder / programs, failure)) {
        return {folder, folder / programs};
      }
    }
  }
  return {};
}

}  // namespace

const std::vector<Peer>& peers() {
  static const std::vector<Peer> all = make_peers();
  return all;
}

const Peer* find_peer(const std::string& name) {
  const auto found = std::find_if(peers().begin(), peers().end(),
                                  [&](const Peer& peer) { return peer.name == name; });
  return found == peers().end() ? nullptr : &*found;
}

Rounding rounding_of(const std::string& backend, Precision precision) {
  const Peer* peer = find_peer(backend);
  const bool is_bf32 = peer != nullptr && peer->multiplies_in_bf16 && precision == Precision::fp32;
  return is_bf32 ? Rounding::bf32 : rounding_of(precision);
}

std::optional<std::vector<std::string>> peer_command(const Peer& peer) {
  const Tree tree = tree_of_this_program();
  const char* chosen = std::getenv("VOXMARK_PEERS");
  const fs::path environments = chosen != nullptr ? fs::path(chosen) : tree.root / ".peers";
  const fs::path environment = environments / peer.framework;
  std::error_code failure;
  // ci/peers leaves this file last.
  if (tree.programs.empty() || !fs::exists(environment / "installed.txt", failure)) {
    return std::nullopt;
  }
  std::vector<std::string> command = {environment / "bin" / "python",
                                      tree.programs / (peer.framework + "_child.py")};
  command.insert(command.end(), peer.arguments.begin(), peer.arguments.end());
  return command;
}

}  // namespace voxmark
