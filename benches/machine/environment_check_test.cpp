#include "benches/machine/environment_check.h"

#include <gtest/gtest.h>

#include <utility>

#include "benches/machine/environment.h"

namespace voxmark {
namespace {

constexpr const char* kAmdFlags = "fpu sse2 svm sse4a misalignsse avx2 hypervisor";
constexpr const char* kIntelFlags = "fpu sse2 vmx avx2 avx512f amx_tile hypervisor";

Json amd() {
  return Json{{"cpu",
               {{"vendor_id", "AuthenticAMD"},
                {"model_name", "AMD EPYC 9654 96-Core Processor"},
                {"cpu_family", "25"},
                {"flags", kAmdFlags},
                {"online", 2},
                {"allowed", 2},
                {"sockets", 1},
                {"numa_nodes", 1},
                {"allowed_list", "0-1"},
                {"topology",
                 {{"packages", 1},
                  {"cores", 2},
                  {"hardware_threads", 2},
                  {"numa_nodes", {{{"bytes", 1}, {"cpus", "0-1"}}}}}}}},
              {"system", {{"virtual_machine", true}}}};
}

// What is said after one fact was changed.
std::string after(const std::string& section, const std::string& name, Json value,
                  Json environment = amd()) {
  environment[section][name] = std::move(value);
  const auto found = environment_contradictions(environment);
  return found.empty() ? "" : found.front();
}

TEST(EnvironmentCheck, FindsNothingOnThisMachineNorInWhatIsMissing) {
  EXPECT_EQ(environment_contradictions(probe_environment()), std::vector<std::string>{});
  EXPECT_EQ(environment_contradictions(amd()), std::vector<std::string>{});
  EXPECT_EQ(environment_contradictions(Json::object()), std::vector<std::string>{});
  EXPECT_EQ(environment_contradictions({{"cpu", {{"flags", nullptr}, {"sockets", "two"}}}}),
            std::vector<std::string>{});
}

TEST(EnvironmentCheck, ACpuIsOfItsMaker) {
  EXPECT_EQ(after("cpu", "vendor_id", "GenuineIntel"),
            "cpu.model_name is \"AMD EPYC 9654 96-Core Processor\", cpu.vendor_id is "
            "\"GenuineIntel\": AMD's is \"AuthenticAMD\"");
  EXPECT_NE(after("cpu", "model_name", "Intel(R) Xeon(R) Platinum 8480+").find("vendor_id"),
            std::string::npos);
  Json renamed = amd();
  renamed["cpu"]["vendor_id"] = "GenuineIntel";
  EXPECT_NE(after("cpu", "model_name", "Intel(R) Xeon(R) Platinum 8480+", renamed).find("sse4a"),
            std::string::npos);
  EXPECT_NE(after("cpu", "flags", kIntelFlags).find("vmx"), std::string::npos);
  EXPECT_NE(after("cpu", "cpu_family", "6").find("cpu_family is 6"), std::string::npos);
}

TEST(EnvironmentCheck, EmulatorsNamesSayNothingOfTheMaker) {
  // Under KVM a named model comes with the host's vendor.
  for (const char* name :
       {"Intel Xeon Processor (Skylake)", "AMD EPYC Processor", "QEMU Virtual"}) {
    EXPECT_EQ(after("cpu", "model_name", name), "");
  }
  Json other = amd();
  other["cpu"]["model_name"] = "AMD EPYC Processor";
  EXPECT_EQ(after("cpu", "vendor_id", "GenuineIntel", other), "");
}

TEST(EnvironmentCheck, SocketsArePackages) {
  EXPECT_EQ(after("cpu", "sockets", 2), "cpu.sockets is 2, cpu.topology.packages is 1");
  Json part = amd();  // a container on one of two sockets
  part["cpu"]["online"] = 4;
  EXPECT_EQ(after("cpu", "sockets", 2, part), "");
  Json more = amd();
  more["cpu"]["topology"]["packages"] = 2;
  EXPECT_EQ(after("cpu", "online", 4, more), "cpu.sockets is 1, cpu.topology.packages is 2");
}

TEST(EnvironmentCheck, CountsAgree) {
  Json cores = amd();
  cores["cpu"]["topology"]["cores"] = 4;
  EXPECT_NE(environment_contradictions(cores).at(0).find("cpu.topology.cores is 4"),
            std::string::npos);
  EXPECT_EQ(after("cpu", "allowed_list", "0-1,7"), "cpu.allowed is 2, cpu.allowed_list is 0-1,7");
  EXPECT_EQ(after("cpu", "numa_nodes", 0), "cpu.numa_nodes is 0, cpu.topology.numa_nodes has 1");
}

TEST(EnvironmentCheck, AGuestHasTheFlagOfOne) {
  EXPECT_EQ(after("system", "virtual_machine", false),
            "system.virtual_machine is false, cpu.flags have \"hypervisor\"");
}

TEST(EnvironmentCheck, AKernelNeedsItsFlags) {
  EXPECT_EQ(missing_flag(amd(), "brg:avx512_core_amx"), "amx_tile");
  EXPECT_EQ(missing_flag(amd(), "jit:avx512_core"), "avx512f");
  EXPECT_EQ(missing_flag(amd(), "jit:avx2"), "");
  EXPECT_EQ(missing_flag(Json::object(), "jit:avx512_core"), "");
}

}  // namespace
}  // namespace voxmark
