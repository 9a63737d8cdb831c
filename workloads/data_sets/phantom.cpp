#include "workloads/data_sets/phantom.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "workloads/images/nifti_writer.h"
#include "workloads/network/philox.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

// A point of the volume, each coordinate from -1 to 1: right-left, back-front, bottom-top.
using Point = std::array<double, 3>;

// What a random number is for; apart for every subject.
enum class Purpose : std::uint64_t { shape, folds, tumour_edge, gain_field, voxel_noise };

constexpr std::uint64_t kPhantomStreams = 3ULL << 56U;  // apart from every tensor's stream

std::uint64_t stream_of(std::size_t subject, Purpose purpose) {
  return kPhantomStreams + (std::uint64_t{subject} << 8U) + static_cast<std::uint64_t>(purpose);
}

// Smooth noise from 0 to 1: random values on a coarse cubic lattice over [-1, 1]^3, blended.
class Noise {
 public:
  Noise(std::uint64_t seed, std::uint64_t stream, std::size_t cells)
      : cells_(cells), values_((cells + 1) * (cells + 1) * (cells + 1)) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = static_cast<double>(uniform(seed, stream, i));
    }
  }

  double at(const Point& point) const {
    std::array<std::size_t, 3> cell{};
    std::array<double, 3> weight{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double position = (point[axis] + 1) / 2 * static_cast<double>(cells_);
      cell[axis] = std::min(static_cast<std::size_t>(position), cells_ - 1);
      const double t = position - static_cast<double>(cell[axis]);
      weight[axis] = t * t * (3 - 2 * t);
    }
    double sum = 0;
    for (std::size_t corner = 0; corner < 8; ++corner) {
      double share = 1;
      std::array<std::size_t, 3> node = cell;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const bool upper = ((corner >> axis) & 1U) != 0;
        share *= upper ? weight[axis] : 1 - weight[axis];
        node[axis] += upper ? 1 : 0;
      }
      sum += share * values_[node[0] + (cells_ + 1) * (node[1] + (cells_ + 1) * node[2])];
    }
    return sum;
  }

 private:
  std::size_t cells_;
  std::vector<double> values_;
};

// Square of the distance from `centre` in units of the ellipsoid's radii: 1 on its surface.
double squared_distance(const Point& point, const Point& centre, const Point& radii) {
  double sum = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double offset = (point[axis] - centre[axis]) / radii[axis];
    sum += offset * offset;
  }
  return sum;
}

enum class Tissue : std::size_t { air, fluid, grey, white, oedema, core, rim };

std::uint8_t label_of(Tissue tissue) {
  switch (tissue) {
    case Tissue::air:
    case Tissue::fluid:
    case Tissue::grey:
    case Tissue::white:
      return 0;
    case Tissue::oedema:
      return 1;
    case Tissue::core:
      return 2;
    case Tissue::rim:
      return 3;
  }
  throw_internal("phantom: no such tissue");
}

// Typical brightness by tissue and modality, in the units of a scanner: oedema is bright in FLAIR
// and T2w, the rim takes up gadolinium, fluid is dark in FLAIR and bright in T2w.
constexpr std::array<std::array<double, kPhantomChannels>, 7> kBrightness = {{
    // FLAIR, T1w, T1gd, T2w
    {0, 0, 0, 0},          // air
    {70, 80, 85, 520},     // fluid
    {260, 220, 230, 280},  // grey
    {220, 300, 310, 220},  // white
    {420, 190, 195, 430},  // oedema
    {330, 140, 145, 400},  // core
    {370, 200, 480, 340},  // rim
}};

// One subject's anatomy: every number in it is drawn once.
class Anatomy {
 public:
  Anatomy(std::uint64_t seed, std::size_t subject)
      : folds_(seed, stream_of(subject, Purpose::folds), 12),
        edge_(seed, stream_of(subject, Purpose::tumour_edge), 8) {
    std::uint64_t draws = 0;
    const auto between = [&](double low, double high) {
      const float share = uniform(seed, stream_of(subject, Purpose::shape), draws++);
      return low + (high - low) * static_cast<double>(share);
    };
    head_radii_ = {between(0.72, 0.80), between(0.86, 0.94), between(0.78, 0.86)};
    ventricle_radii_ = {between(0.07, 0.11), between(0.24, 0.32), between(0.12, 0.18)};
    const double side = between(0, 1) < 0.5 ? -1 : 1;
    tumour_centre_ = {side * between(0.24, 0.36), between(-0.40, 0.40), between(-0.20, 0.34)};
    const double size = between(0.30, 0.42);
    for (double& radius : tumour_radii_) {
      radius = size * between(0.85, 1.15);
    }
    core_ = between(0.40, 0.50);
    rim_ = core_ + between(0.15, 0.22);
  }

  Tissue tissue_at(const Point& point) const {
    const double fold = folds_.at(point) - 0.5;
    const double depth = squared_distance(point, {0, 0, 0}, head_radii_) + 0.10 * fold;
    if (depth > 1) {
      return Tissue::air;
    }
    // The edge is ragged: a share of the distance is noise.
    const double ragged = 1 + 0.7 * (edge_.at(point) - 0.5);
    const double distance = squared_distance(point, tumour_centre_, tumour_radii_) * ragged;
    if (distance < core_ * core_) {
      return Tissue::core;
    }
    if (distance < rim_ * rim_) {
      return Tissue::rim;
    }
    if (depth > 0.92) {
      return Tissue::fluid;
    }
    if (distance < 1) {
      return Tissue::oedema;
    }
    for (const double side : {-1.0, 1.0}) {
      if (squared_distance(point, {side * 0.12, 0.05, 0.05}, ventricle_radii_) < 1) {
        return Tissue::fluid;
      }
    }
    return depth + 0.9 * fold > 0.62 ? Tissue::grey : Tissue::white;
  }

 private:
  Noise folds_;
  Noise edge_;
  Point head_radii_{};
  Point ventricle_radii_{};
  Point tumour_centre_{};
  Point tumour_radii_{};
  double core_ = 0;  // as shares of the tumour's radii
  double rim_ = 0;
};

// The two halves of a word give a triangular distribution, near enough to a scanner's noise;
// from -1 to 1, standard deviation 0.41.
double symmetric_noise(std::uint32_t word) {
  const auto sum = static_cast<double>((word & 0xFFFFU) + (word >> 16U));
  return sum / 65536 - 1;
}

constexpr double kNoise = 45;       // half-width, in the units of kBrightness
constexpr double kGainField = 0.2;  // a receiver coil sees near tissue brighter: +-10%

double coordinate(std::int64_t index, std::int64_t extent) {
  return static_cast<double>(2 * index + 1) / static_cast<double>(extent) - 1;
}

constexpr const char* kDatasetName = "voxmark phantom";

void refuse_foreign_dataset(const fs::path& folder) {
  const fs::path file = folder / "dataset.json";
  if (!fs::exists(file)) {
    return;
  }
  const Json document = read_json_file(file.string());
  if (!document.is_object() || document.value("name", Json()) != kDatasetName) {
    throw_bad_input("{}: another data set is here, expected none or a \"{}\"", file.string(),
                    kDatasetName);
  }
}

Json describe_dataset(std::size_t subjects, Json training) {
  Json labels;
  for (const std::string& name : phantom_labels()) {
    labels[std::to_string(labels.size())] = name;
  }
  return {{"name", kDatasetName},
          {"description", "Computed volumes in the layout of the Decathlon's Task01; no person's"},
          {"tensorImageSize", "4D"},
          {"modality", {{"0", "FLAIR"}, {"1", "T1w"}, {"2", "T1gd"}, {"3", "T2w"}}},
          {"labels", std::move(labels)},
          {"numTraining", subjects},
          {"numTest", 0},
          {"training", std::move(training)},
          {"test", Json::array()}};
}

}  // namespace

Affine phantom_affine(const Dims& dims) {
  // The field of view of a head, whatever the dims; its centre is the origin.
  constexpr std::array<double, 3> kFieldOfViewMillimetres = {192, 192, 160};
  const std::array<std::int64_t, 3> extents = {dims.d, dims.h, dims.w};
  Affine affine{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto extent = static_cast<double>(extents[axis]);
    const double size = kFieldOfViewMillimetres[axis] / extent;
    affine[axis][axis] = size;
    affine[axis][3] = -size * (extent - 1) / 2;
  }
  return affine;
}

std::vector<std::string> phantom_labels() {
  return {"background", "edema", "non-enhancing tumor", "enhancing tumour"};
}

Subject phantom_subject(const PhantomOptions& options, std::size_t index, std::int64_t channels) {
  const Dims& dims = options.dims;
  const Anatomy anatomy(options.seed, index);
  const Noise gain_field(options.seed, stream_of(index, Purpose::gain_field), 2);
  const std::uint64_t noise_stream = stream_of(index, Purpose::voxel_noise);
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };

  const auto voxels = static_cast<std::size_t>(dims.voxels());
  const auto drawn =
      static_cast<std::size_t>(std::clamp<std::int64_t>(channels, 1, kPhantomChannels));
  Subject subject{fmt::format("phantom {}", index), dims, static_cast<std::int64_t>(drawn), {}, {}};
  subject.image.resize(voxels * drawn);
  subject.labels.resize(voxels);
  std::size_t voxel = 0;
  for (std::int64_t z = 0; z < dims.w; ++z) {
    for (std::int64_t y = 0; y < dims.h; ++y) {
      for (std::int64_t x = 0; x < dims.d; ++x, ++voxel) {
        const Point point = {coordinate(x, dims.d), coordinate(y, dims.h), coordinate(z, dims.w)};
        const Tissue tissue = anatomy.tissue_at(point);
        subject.labels[voxel] = label_of(tissue);
        if (tissue == Tissue::air) {
          continue;  // stays 0
        }
        const double gain = 1 + kGainField * (gain_field.at(point) - 0.5);
        const std::array<std::uint32_t, 4> words =
            philox4x32({low(voxel), high(voxel), low(noise_stream), high(noise_stream)},
                       {low(options.seed), high(options.seed)});
        for (std::size_t channel = 0; channel < drawn; ++channel) {
          const double brightness = kBrightness[static_cast<std::size_t>(tissue)][channel] * gain +
                                    kNoise * symmetric_noise(words[channel]);
          subject.image[channel * voxels + voxel] =
              static_cast<float>(std::floor(std::max(brightness, 1.0) + 0.5));
        }
      }
    }
  }
  return subject;
}

void write_phantom_dataset(const std::string& folder, const PhantomOptions& options) {
  const fs::path root(folder);
  refuse_foreign_dataset(root);
  std::error_code error;
  for (const char* part : {"imagesTr", "labelsTr"}) {
    fs::create_directories(root / part, error);
    if (error) {
      throw_bad_input("{}: cannot create: {}", (root / part).string(), error.message());
    }
  }
  const Dims& dims = options.dims;
  const Affine affine = phantom_affine(dims);
  Json training = Json::array();
  for (std::size_t index = 0; index < options.subjects; ++index) {
    const Subject subject = phantom_subject(options, index);
    const std::string file = fmt::format("PHANTOM_{:03}.nii.gz", index);
    write_nifti((root / "imagesTr" / file).string(),
                {{dims.d, dims.h, dims.w, kPhantomChannels}, affine},
                std::span<const float>(subject.image));
    write_nifti((root / "labelsTr" / file).string(), {{dims.d, dims.h, dims.w}, affine},
                std::span<const std::uint8_t>(subject.labels));
    training.push_back({{"image", "./imagesTr/" + file}, {"label", "./labelsTr/" + file}});
  }
  AtomicFile json_file((root / "dataset.json").string());
  json_file.write(dump_json(describe_dataset(options.subjects, std::move(training)), 1));
  json_file.write("\n");
  json_file.commit();
}

}  // namespace voxmark
