#include "workloads/cases/case_fields.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/number_text.h"

namespace voxmark {
namespace {

// Wider than any server; narrow enough that no product of a case's numbers surprises anybody.
constexpr std::int64_t kMaxBatch = 65536;
constexpr std::int64_t kMaxExtent = 65536;
constexpr std::int64_t kMaxChannels = 1024;
constexpr std::int64_t kMaxThreads = 4096;
constexpr std::int64_t kMaxRanks = 65536;
constexpr std::int64_t kMaxSteps = 1000000;

// JSON numbers beyond this are not integers to every reader.
constexpr std::int64_t kMaxJsonInteger = (std::int64_t{1} << 53) - 1;

Json json_of(const Dims& dims) { return {dims.d, dims.h, dims.w}; }
Json json_of(Precision precision) { return to_string(precision); }
Json json_of(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); }
template <class Value>
Json json_of(const Value& value) {
  return value;
}

void assign(Dims& member, const Json& value) {
  member = {value.at(0).get<std::int64_t>(), value.at(1).get<std::int64_t>(),
            value.at(2).get<std::int64_t>()};
}
void assign(Precision& member, const Json& value) {
  member = parse_precision(value.get<std::string>());
}
void assign(std::optional<std::int64_t>& member, const Json& value) {
  member.reset();
  if (!value.is_null()) {
    member = value.get<std::int64_t>();
  }
}
template <class Value>
void assign(Value& member, const Json& value) {
  member = value.get<Value>();
}

// `Member`: from a CaseSpec to the member of it, const or not.
template <class Member>
CaseField row(CaseField field, Member /*member*/) {
  field.read = [](const CaseSpec& spec) { return json_of(Member{}(spec)); };
  field.assign = [](CaseSpec& spec, const Json& value) { assign(Member{}(spec), value); };
  return field;
}

std::vector<CaseField> make_fields() {
  return {
      row({.name = "backend",
           .key = "backend",
           .decides_inputs = false,
           .help = "a name (voxmark list backends), or exec:PROGRAM",
           .default_text = "eigen-tensor,eigen,onednn-direct,onednn",
           .expected = "a name",
           .meaning = FieldMeaning::contender,
           .names_files = true,
           .leads = true,
           .column = "backend",
           .short_name = "{}",
           .label = "{}"},
          [](auto& spec) -> auto& { return spec.backend; }),
      row({.name = "image",
           .key = "image",
           .decides_inputs = true,
           .type = FieldType::image,
           .help = "extents, multiples of 16: 64 or 96x96x64",
           .json_meaning = "depth, height and width",
           .suite_meaning = "a number is a cube; three are depth, height and width",
           .least = kUnetDimsMultiple,
           .most = kMaxExtent,
           .nesting = 9,
           .leads = true,
           .column = "image",
           .short_name = "{}",
           .label = "{}"},
          [](auto& spec) -> auto& { return spec.image; }),
      row({.name = "batch",
           .key = "batch",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "images per step, of each rank",
           .least = 1,
           .most = kMaxBatch,
           .nesting = 10,
           .leads = true,
           .is_told_by_benches = true,
           .column = "batch",
           .short_name = "batch {}",
           .label = "batch {}"},
          [](auto& spec) -> auto& { return spec.batch; }),
      row({.name = "input_channels",
           .key = "channels",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "input channels",
           .least = 1,
           .most = kMaxChannels,
           .nesting = 3,
           .is_told_by_benches = true,
           .column = "channels",
           .label = "{} channels",
           .label_of_one = "{} channel"},
          [](auto& spec) -> auto& { return spec.network.input_channels; }),
      row({.name = "classes",
           .key = "classes",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "labels besides background",
           .least = 1,
           .most = kMaxChannels,
           .nesting = 4,
           .is_told_by_benches = true,
           .column = "classes",
           .label = "{} classes",
           .label_of_one = "{} class"},
          [](auto& spec) -> auto& { return spec.network.classes; }),
      row({.name = "filters",
           .key = "filters",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "of the finest level",
           .least = 1,
           .most = kMaxChannels,
           .nesting = 2,
           .is_told_by_benches = true,
           .column = "filters",
           .label = "{} filters",
           .label_of_one = "{} filter"},
          [](auto& spec) -> auto& { return spec.network.filters; }),
      row({.name = "precision",
           .key = "precision",
           .decides_inputs = false,
           .type = FieldType::choice,
           .help = "fp32, fp64 or bf16",
           .choices = {"fp64", "fp32", "bf16"},
           .nesting = 5,
           .is_told_by_benches = true,
           .column = "precision",
           .short_name = "{}",
           .label = "{}"},
          [](auto& spec) -> auto& { return spec.precision; }),
      row({.name = "threads",
           .key = "threads",
           .decides_inputs = false,
           .type = FieldType::integer,
           .help = "of each process",
           .default_text = "all CPUs of this process, or OMP_NUM_THREADS, shared among ranks",
           .json_meaning = "of the process",
           .least = 1,
           .most = kMaxThreads,
           .nesting = 7,
           .machine_chooses = true,
           .is_told_by_benches = true,
           .column = "threads",
           .label = "{} threads",
           .label_of_one = "{} thread"},
          [](auto& spec) -> auto& { return spec.threads; }),
      row({.name = "ranks",
           .key = "ranks",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "processes that compute each step together, every one on a batch of its own",
           .default_text = "1",
           .least = 1,
           .most = kMaxRanks,
           .is_optional = true,
           .nesting = 7,
           .column = "ranks",
           .short_name = "on {} ranks",
           .label = "{} ranks",
           .label_of_one = "{} rank"},
          [](auto& spec) -> auto& { return spec.ranks; }),
      row({.name = "batch_norm",
           .key = "batch_norm",
           .decides_inputs = false,
           .type = FieldType::choice,
           .help = "statistics over the images of all ranks (global), or of each rank over its own "
                   "(local), as Horovod and DistributedDataParallel take them",
           .default_text = "global",
           .choices = {"global", "local"},
           .is_optional = true,
           .nesting = 7,
           .column = "batch norm",
           .short_name = "{} batch norm",
           .label = "{} batch norm"},
          [](auto& spec) -> auto& { return spec.batch_norm; }),
      row({.name = "copies",
           .key = "copies",
           .decides_inputs = false,
           .type = FieldType::integer,
           .help = "processes at once, each a training of its own on CPUs of its own",
           .default_text = "1",
           .json_meaning = "processes at once, each with its own threads on its own CPUs",
           .least = 1,
           .most = kMaxThreads,
           .is_optional = true,
           .nesting = 7,
           .column = "copies",
           .short_name = "{} copies",
           .label = "{} copies",
           .label_of_one = "{} copy"},
          [](auto& spec) -> auto& { return spec.copies; }),
      row({.name = "memory_limit_bytes",
           .key = "memory_limit",
           .decides_inputs = false,
           .type = FieldType::bytes,
           .help = "8GiB or 500MB, for plan and batch together: tensors are computed again to fit; "
                   "sweep: from most memory to least",
           .json_meaning = "for plan and batch together; tensors are computed again to fit",
           .suite_meaning = "bytes, or a text such as \"8GiB\", for plan and batch together; "
                            "\"sweep\": a case for each plan between the most and the least memory",
           .least = 1,
           .most = kMaxJsonInteger,
           .meaning = FieldMeaning::contender,
           .is_optional = true,
           .nesting = 8,
           .machine_chooses = true,
           .column = "memory limit",
           .short_name = "within {}",
           .label = "limit {} B"},
          [](auto& spec) -> auto& { return spec.memory_limit_bytes; }),
      row({.name = "isa",
           .key = "isa",
           .decides_inputs = false,
           .type = FieldType::choice,
           .help = "avx, avx2, avx512: what kernels may use (ci/isa builds ours)",
           .choices = {"avx", "avx2", "avx512"},
           .is_optional = true,
           .nesting = 6,
           .column = "isa",
           .short_name = "{}",
           .label = "isa {}"},
          [](auto& spec) -> auto& { return spec.isa; }),
      row({.name = "data",
           .key = "data",
           .decides_inputs = true,
           .help = "synthetic, phantom or a data set's folder",
           .expected = "synthetic, phantom or a folder",
           .nesting = 1,
           .names_files = true,
           .column = "data",
           .label = "{}"},
          [](auto& spec) -> auto& { return spec.data; }),
      row({.name = "follow_links",
           .key = "follow_links",
           .decides_inputs = true,
           .type = FieldType::boolean,
           .help = kFollowLinksHelp,
           .meaning = FieldMeaning::effort,
           .is_optional = true,
           .is_axis = false},
          [](auto& spec) -> auto& { return spec.reading.follow_links; }),
      row({.name = "affine_tolerance",
           .key = "affine_tolerance",
           .decides_inputs = true,
           .type = FieldType::number,
           .help = kAffineToleranceHelp,
           .meaning = FieldMeaning::effort,
           .is_optional = true,
           .is_axis = false},
          [](auto& spec) -> auto& { return spec.reading.affine_tolerance; }),
      row({.name = "seed",
           .key = "seed",
           .decides_inputs = true,
           .type = FieldType::integer,
           .help = "of weights, batches and splits",
           .most = kMaxJsonInteger,
           .is_axis = false,
           .column = "seed",
           .label = "seed {}"},
          [](auto& spec) -> auto& { return spec.seed; }),
      row({.name = "steps",
           .key = "steps",
           .decides_inputs = false,
           .type = FieldType::integer,
           .help = "timed steps per process",
           .least = 1,
           .most = kMaxSteps,
           .meaning = FieldMeaning::effort,
           .is_in_all_reports = false,
           .is_axis = false},
          [](auto& spec) -> auto& { return spec.steps; }),
      row({.name = "warmup",
           .key = "warmup",
           .decides_inputs = false,
           .type = FieldType::integer,
           .help = "steps before them, which are no samples",
           .most = kMaxSteps,
           .meaning = FieldMeaning::effort,
           .is_in_all_reports = false,
           .is_axis = false},
          [](auto& spec) -> auto& { return spec.warmup; }),
      row({.name = "process",
           .key = "",
           .decides_inputs = false,
           .type = FieldType::integer,
           .help = "which repeat of the case, each in a process of its own",
           .most = kMaxSteps,
           .meaning = FieldMeaning::effort},
          [](auto& spec) -> auto& { return spec.process; }),
  };
}

std::string choices_text(const std::vector<std::string_view>& choices) {
  return fmt::format("{} or {}", fmt::join(choices.begin(), choices.end() - 1, ", "),
                     choices.back());
}

// `of_json`: in JSON, where an image is a list.
std::string expectation(const CaseField& field, bool of_json) {
  switch (field.type) {
    case FieldType::text:
      return std::string(field.expected);
    case FieldType::choice:
      return choices_text(field.choices);
    case FieldType::image:
      return fmt::format("{}, multiples of {}, up to {}",
                         of_json ? "three extents" : "one extent or three", field.least,
                         field.most);
    case FieldType::integer:
    case FieldType::bytes:
      return fmt::format("an integer from {} to {}", field.least, field.most);
    case FieldType::number:
      return "a number above 0";
    case FieldType::boolean:
      return "true or false";
  }
  return "";
}

bool is_integer_within(const Json& value, std::int64_t least, std::int64_t most) {
  if (!value.is_number_integer()) {
    return false;
  }
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
    return false;
  }
  return value.get<std::int64_t>() >= least && value.get<std::int64_t>() <= most;
}

bool accepts(const CaseField& field, const Json& value) {
  switch (field.type) {
    case FieldType::text:
      return value.is_string() && !value.get_ref<const std::string&>().empty();
    case FieldType::choice:
      return value.is_string() &&
             std::ranges::find(field.choices, value.get<std::string>()) != field.choices.end();
    case FieldType::image:
      return value.is_array() && value.size() == 3 &&
             std::ranges::all_of(value, [&](const Json& extent) {
               return is_integer_within(extent, field.least, field.most) &&
                      extent.get<std::int64_t>() % field.least == 0;
             });
    case FieldType::integer:
    case FieldType::bytes:
      return is_integer_within(value, field.least, field.most);
    case FieldType::number:
      return value.is_number() && value.get<double>() > 0 && std::isfinite(value.get<double>());
    case FieldType::boolean:
      return value.is_boolean();
  }
  return false;
}

// Locale-free, and the whole text. Null where it is no number.
template <class Number>
Json parse_number(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end ? Json(value) : Json();
}

Json parse_image(const std::string& text) {
  try {
    return json_of(parse_dims(text));
  } catch (const Error&) {
    return {};  // which says less than what a case expects
  }
}

Json parse(const CaseField& field, const std::string& text, const std::string& place) {
  switch (field.type) {
    case FieldType::text:
    case FieldType::choice:
      return text;
    case FieldType::image:
      return parse_image(text);
    case FieldType::integer:
      return parse_number<std::int64_t>(text);
    case FieldType::bytes:
      return parse_bytes(text, place);
    case FieldType::number:
      return parse_number<double>(text);
    case FieldType::boolean:
      return text == "true" || text == "false" ? Json(text == "true") : Json();
  }
  return {};
}

}  // namespace

std::span<const CaseField> case_fields() {
  static const std::vector<CaseField> fields = make_fields();
  return fields;
}

const CaseField* find_case_field(std::string_view name) {
  const auto found = std::ranges::find(case_fields(), name, &CaseField::name);
  return found == case_fields().end() ? nullptr : &*found;
}

void check_value(const CaseField& field, const Json& value, const std::string& place) {
  if (!accepts(field, value)) {
    throw_bad_input(
        "{}: expected {}, found {}", place, expectation(field, true),
        value.is_string() && value.get<std::string>().empty() ? "nothing" : dump_json(value));
  }
}

Json parse_value(const CaseField& field, const std::string& text, const std::string& place) {
  Json value = parse(field, text, place);
  if (!accepts(field, value)) {
    throw_bad_input("{}: expected {}, found {}", place, expectation(field, false),
                    text.empty() ? "nothing" : text);
  }
  return value;
}

std::string value_text(const CaseField& field, const Json& value) {
  if (field.type == FieldType::image) {
    return fmt::format("{}", fmt::join(value.get<std::vector<std::int64_t>>(), "x"));
  }
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::string value_words(const CaseField& field, const Json& value) {
  return field.type == FieldType::bytes && value.is_number_integer()
             ? bytes_text(value.get<std::int64_t>())
             : value_text(field, value);
}

std::string flag_of(const CaseField& field) {
  std::string flag = "--" + std::string(field.key);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

Json case_identity(const Json& spec) {
  Json identity = spec;
  for (const CaseField& field : case_fields()) {
    if (field.meaning == FieldMeaning::effort) {
      identity.erase(std::string(field.name));
    }
  }
  return identity;
}

Json without_process(Json spec) {
  spec.erase("process");
  return spec;
}

double images_per_step(const Json& spec) {
  return spec.at("batch").get<double>() * spec.value("ranks", 1);
}

bool same_workload(const Json& left, const Json& right) {
  return std::ranges::all_of(case_fields(), [&](const CaseField& field) {
    return field.meaning != FieldMeaning::workload ||
           left.value(field.name, Json()) == right.value(field.name, Json());
  });
}

}  // namespace voxmark
