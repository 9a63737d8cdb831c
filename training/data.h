// What a training run reads, by the text of --data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "training/training_options.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/data_sets/data_set.h"

namespace voxmark {

// A data set (read_data_set()), or "phantom:N" (N cases drawn when asked for, at `image` dims), or
// "phantom:N:240x240x155" (at dims of their own). Split by the seed, which also draws phantoms.
// `whole_images`: that `image` is as large as the images are; false for tiles and down-sampled
// images, of which phantoms must have dims of their own. Throws Error (bad_input).
SubjectParts open_parts(const std::string& data, const Dims& image, std::uint64_t seed,
                        bool whole_images = true, const ReadOptions& reading = {});

// Reads every case once, by the options' readers, until `stop` says so: a broken file is found now
// instead of when it is needed, which may be at the end. Throws Error (bad_input) naming all of
// them. `warn`: is told what was read otherwise than files say, and which labels no training case
// has. Of several ranks each reads its share, `warn` of the first is told, and all throw alike.
void read_every_case(const TrainingOptions& options, const SubjectParts& parts,
                     const std::function<bool()>& stop,
                     const std::function<void(const std::string&)>& warn);

// Where each case of the parts stands in the data set that they are of.
CaseSplit places_of(const std::string& data, const SubjectParts& parts, std::uint64_t seed,
                    const ReadOptions& reading = {});

// What is to be said of it before anything is trained or predicted, a line each: how it was read
// where there was a choice, and the labels' names in the order of the Dice values.
std::vector<std::string> data_lines(const DataFacts& facts, std::int64_t classes);

bool is_phantom(const std::string& data);

}  // namespace voxmark
