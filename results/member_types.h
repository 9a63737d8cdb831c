// Whether what others wrote has the types of a struct's members (results/members.h).
#pragma once

#include <optional>
#include <string>

#include "results/members.h"

namespace voxmark {

// A member whose value is of another type than the list says.
struct WrongMember {
  std::string path;      // "energy.joules"
  std::string expected;  // "a number"
  Json found;
};

namespace members_detail {

template <class Value>
std::string type_name() {
  if constexpr (std::same_as<Value, bool>) {
    return "true or false";
  } else if constexpr (std::same_as<Value, std::int64_t> || std::same_as<Value, std::uint64_t>) {
    return "an integer";
  } else if constexpr (std::same_as<Value, double>) {
    return "a number";
  } else if constexpr (std::same_as<Value, std::string>) {
    return "a text";
  } else if constexpr (IsVector<Value>::value) {
    return "an array, each of it " + type_name<typename Value::value_type>();
  } else if constexpr (IsMap<Value>::value) {
    return "an object, each member " + type_name<typename Value::mapped_type>();
  } else {
    return "an object";
  }
}

}  // namespace members_detail

// The first member of `object`, or of an object in it, that is of another type. Null stands for
// nothing in place of a number or a text, and of nothing larger.
template <HasMembers Struct>
std::optional<WrongMember> wrong_member(const Json& object) {
  std::optional<WrongMember> wrong;
  members_detail::for_each_member<Struct>(
      [&]<class Owner, class Value>(const Member<Owner, Value>& member) {
        const auto found = object.find(member.name);
        if (wrong || found == object.end()) {
          return;
        }
        constexpr bool kIsPlain = std::same_as<Value, bool> || std::same_as<Value, double> ||
                                  std::same_as<Value, std::int64_t> ||
                                  std::same_as<Value, std::uint64_t> ||
                                  std::same_as<Value, std::string>;
        if (kIsPlain && found->is_null()) {
          return;
        }
        if (!members_detail::is_of_type<Value>(*found)) {
          wrong = {member.name, members_detail::type_name<Value>(), *found};
          return;
        }
        if constexpr (HasMembers<Value>) {
          wrong = wrong_member<Value>(*found);
          if (wrong) {
            wrong->path = std::string(member.name) + "." + wrong->path;
          }
        }
      });
  return wrong;
}

}  // namespace voxmark
