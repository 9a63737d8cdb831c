// The files that a data set lists: whether they are there and may be read, and what keeps them from
// it, all of it, a line each.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "workloads/images/read_options.h"

namespace voxmark {

class FileFaults {
 public:
  FileFaults(std::filesystem::path root, const ReadOptions& reading)
      : root_(std::move(root)), follow_links_(reading.follow_links) {}

  // Notes a fault unless `path` is, behind every link, a regular file below the root, or outside it
  // where links are followed.
  void check(const std::string& path);
  void add(std::string fault) { faults_.push_back(std::move(fault)); }

  // Throws Error (bad_input) with every fault. Of links out of the folder the first is told, and
  // the number of others.
  void throw_if_any() const;

 private:
  std::filesystem::path root_;
  bool follow_links_;
  std::size_t links_out_ = 0;
  std::vector<std::string> faults_;
};

// What the first link among the parts of `relative` leads the whole path to; "" without a link.
std::string link_target(const std::string& folder, const std::string& relative);

// Throws Error (bad_input) with the faults of single cases, unless there are none.
void throw_case_faults(const std::vector<std::string>& faults, std::size_t cases);

}  // namespace voxmark
