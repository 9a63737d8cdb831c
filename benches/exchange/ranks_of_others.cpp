#include "benches/exchange/ranks_of_others.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

namespace voxmark {
namespace {

int free_port() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool is_found = descriptor >= 0 && bind(descriptor, any, size) == 0 &&
                        getsockname(descriptor, any, &size) == 0;
  const int fault = errno;
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (!is_found) {
    throw Error(ExitCode::cannot_here,
                "ranks: no port where they could meet: " + describe_errno(fault));
  }
  return ntohs(address.sin_port);
}

}  // namespace

Contender placed_by(const std::vector<std::string>& own_command, Contender contender,
                    const RankSettings& settings) {
  std::vector<std::string> words = own_command;
  words.emplace_back("--");
  words.insert(words.end(), contender.command.begin(), contender.command.end());
  contender.command = std::move(words);
  const std::vector<Host>& hosts = settings.hosts.empty() ? settings.allocation : settings.hosts;
  contender.environment.push_back(
      fmt::format("MASTER_ADDR={}", hosts.empty() ? "127.0.0.1" : hosts.front().name));
  contender.environment.push_back(fmt::format("MASTER_PORT={}", free_port()));
  return contender;
}

}  // namespace voxmark
