#include "benches/machine/redact.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

TEST(Redact, CutsPathsToTheirFileNames) {
  EXPECT_EQ(redact_paths("/home/jo/lib/libdnnl.so.2"), "libdnnl.so.2");
  EXPECT_EQ(redact_paths("voxmark run --data '/home/jo/Task01' --out=/tmp/x.json"),
            "voxmark run --data 'Task01' --out=x.json");
  EXPECT_EQ(redact_paths("cannot read /sys/a/b: no such file"), "cannot read b: no such file");
  EXPECT_EQ(redact_paths("12 GB/s and/or exec:/opt/peer/step.py --fast"),
            "12 GB/s and/or exec:step.py --fast");
  EXPECT_EQ(redact_paths("--data ./private/set exec:../customer/step.py -I/opt/secret/include"),
            "--data set exec:step.py -Iinclude");
  EXPECT_EQ(redact_paths("/home/jo/data/"), "data");
  EXPECT_EQ(redact_paths("HOME=/home/jo: full"), "HOME=redacted: full");
}

// Nothing says where a path with blanks ends but its field.
TEST(Redact, CutsFieldsThatArePathsAsAWhole) {
  const Json document = {{"suite", "/tmp/x/My Scans/customerX/s.json"},
                         {"rerun_of", "My Scans/customerX/report.json"},
                         {"case", {{"data", "/tmp/My Scans/customerX/Task01/"}}},
                         {"flags", {{"data", {"synthetic", "phantom:8", "private/Task02"}}}},
                         {"path", "/opt/my libs/libgomp.so.1"},
                         {"reason", "/tmp/a: 3 s/step"}};
  EXPECT_EQ(redacted(document, ""),
            Json({{"suite", "s.json"},
                  {"rerun_of", "report.json"},
                  {"case", {{"data", "Task01"}}},
                  {"flags", {{"data", {"synthetic", "phantom:8", "Task02"}}}},
                  {"path", "libgomp.so.1"},
                  {"reason", "a: 3 s/step"}}));
  EXPECT_EQ(redacted({{"data", "/home/jo"}}, ""), Json({{"data", "redacted"}}));
  EXPECT_EQ(redacted({{"data", "/"}}, ""), Json({{"data", "redacted"}})) << "no field is empty";
}

TEST(Redact, TakesTheHostOutWhereverItStands) {
  const Json document = {{"system", {{"host", "node-7"}, {"kernel", "Linux 6.1"}}},
                         {"hosts", {"node-7", "node-8"}},
                         {"reason", "node-7: disk of node-70 is full"},
                         {"seconds", 0.5},
                         {"libraries", {{{"path", "/opt/secret/libgomp.so.1"}}}}};
  EXPECT_EQ(redacted(document, "node-7"),
            Json({{"system", {{"host", "redacted"}, {"kernel", "Linux 6.1"}}},
                  {"hosts", {"redacted", "redacted"}},
                  {"reason", "redacted: disk of node-70 is full"},
                  {"seconds", 0.5},
                  {"libraries", {{{"path", "libgomp.so.1"}}}}}));
}

}  // namespace
}  // namespace voxmark
