#include "benches/ranks/mpi_library.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

TEST(LibraryName, IsNameAndVersionOfWhatAnMpiSaysOfItself) {
  EXPECT_EQ(library_name("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, May 26, 2022"),
            "Open MPI v4.1.4");
  EXPECT_EQ(library_name("MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7 2022\nMPICH ABI"),
            "MPICH 4.0.2");
  EXPECT_EQ(library_name("MPICH Version:      4.2.0\n"), "MPICH 4.2.0");
  EXPECT_EQ(library_name("Intel(R) MPI Library 2021.9 for Linux* OS\n"),
            "Intel(R) MPI Library 2021.9 for Linux* OS");
  EXPECT_EQ(library_name(""), "");
}

}  // namespace
}  // namespace voxmark
