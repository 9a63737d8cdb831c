// Structs as members of a JSON object, by one list that serves reading and writing:
//
//   struct Roofline {
//     std::optional<double> seconds;
//     std::optional<std::string> reason;
//     static constexpr auto members() {
//       return std::tuple{Member{"seconds", &Roofline::seconds, kNullWithReason},
//                         Member{"reason", &Roofline::reason}};
//     }
//   };
//
// Reading takes out of an object what is in the list and has its type. All else stays where it is:
// what other programs added, what a later version will know. Writing puts both together again. A
// known name with a value of another type is for the schema to refuse.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json.h"

namespace voxmark {

// A member that is nothing is left out, or is null where the struct says why: in its `reason`,
// under the member's name in its `reasons`, or by says_why_missing(name).
enum class Missing { left_out, null_with_reason };
constexpr Missing kNullWithReason = Missing::null_with_reason;

template <class Struct, class Value>
struct Member {
  const char* name;
  std::optional<Value> Struct::* value;
  Missing missing = Missing::left_out;
};
template <class Struct, class Value>
Member(const char*, std::optional<Value> Struct::*) -> Member<Struct, Value>;
template <class Struct, class Value>
Member(const char*, std::optional<Value> Struct::*, Missing) -> Member<Struct, Value>;

template <class Struct>
concept HasMembers = requires { Struct::members(); };

// Nothing where `json` is of another type.
template <class Struct>
Struct take_members(Json& object);
template <class Struct>
void put_members(Json& object, const Struct& value);

namespace members_detail {

template <class Type>
struct IsVector : std::false_type {};
template <class Element>
struct IsVector<std::vector<Element>> : std::true_type {};
template <class Type>
struct IsMap : std::false_type {};
template <class Value>
struct IsMap<std::map<std::string, Value>> : std::true_type {};

template <class Value>
bool is_of_type(const Json& json) {
  if constexpr (std::same_as<Value, Json>) {
    return true;
  } else if constexpr (std::same_as<Value, bool>) {
    return json.is_boolean();
  } else if constexpr (std::same_as<Value, std::int64_t>) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return json.is_number_unsigned() ? json.get<std::uint64_t>() <= kMost
                                     : json.is_number_integer();
  } else if constexpr (std::same_as<Value, std::uint64_t>) {
    return json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0);
  } else if constexpr (std::same_as<Value, double>) {
    return json.is_number();
  } else if constexpr (std::same_as<Value, std::string>) {
    return json.is_string();
  } else if constexpr (IsVector<Value>::value) {
    return json.is_array() && std::ranges::all_of(json, is_of_type<typename Value::value_type>);
  } else if constexpr (IsMap<Value>::value) {
    return json.is_object() && std::ranges::all_of(json, is_of_type<typename Value::mapped_type>);
  } else {
    static_assert(HasMembers<Value>);
    return json.is_object();
  }
}

// `json` is of the type; what is left of it stays in it, null where that is nothing.
template <class Value>
Value take_value(Json& json) {
  if constexpr (HasMembers<Value>) {
    Value value = take_members<Value>(json);
    if (json.empty()) {
      json = nullptr;
    }
    return value;
  } else if constexpr (IsVector<Value>::value) {
    Value values;
    bool is_taken = true;
    for (Json& element : json) {
      values.push_back(take_value<typename Value::value_type>(element));
      is_taken = is_taken && element.is_null();
    }
    if (is_taken) {
      json = nullptr;
    }
    return values;
  } else {
    auto value = json.get<Value>();
    json = nullptr;
    return value;
  }
}

template <class Value>
void put_value(Json& json, const Value& value) {
  if constexpr (HasMembers<Value>) {
    if (!json.is_object()) {
      json = Json::object();
    }
    put_members(json, value);
  } else if constexpr (IsVector<Value>::value) {
    if (!json.is_array() || json.size() != value.size()) {
      json = Json::array();
      for (std::size_t i = 0; i < value.size(); ++i) {
        json.push_back(nullptr);
      }
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      put_value(json[i], value[i]);
    }
  } else {
    json = value;
  }
}

template <class Struct>
bool says_why(const Struct& value, const char* name) {
  if constexpr (requires { value.says_why_missing(name); }) {
    return value.says_why_missing(name);
  } else if constexpr (requires { value.reasons->contains(name); }) {
    return value.reasons && value.reasons->contains(name);
  } else if constexpr (requires { value.reason.has_value(); }) {
    return value.reason.has_value();
  } else {
    return false;
  }
}

// Calls visit(member) for each of the list.
template <class Struct, class Visit>
void for_each_member(Visit visit) {
  std::apply([&](const auto&... member) { (visit(member), ...); }, Struct::members());
}

}  // namespace members_detail

template <class Struct>
Struct take_members(Json& object) {
  Struct value;
  members_detail::for_each_member<Struct>(
      [&]<class Owner, class Value>(const Member<Owner, Value>& member) {
        const auto found = object.find(member.name);
        if (found == object.end() || !members_detail::is_of_type<Value>(*found)) {
          return;
        }
        value.*member.value = members_detail::take_value<Value>(*found);
        if (found->is_null()) {
          object.erase(found);
        }
      });
  // What is null for a reason that was taken is written anew with it.
  members_detail::for_each_member<Struct>([&](const auto& member) {
    const auto found = object.find(member.name);
    if (found != object.end() && found->is_null() && member.missing == kNullWithReason &&
        members_detail::says_why(value, member.name)) {
      object.erase(found);
    }
  });
  return value;
}

template <class Struct>
void put_members(Json& object, const Struct& value) {
  members_detail::for_each_member<Struct>([&](const auto& member) {
    if (const auto& own = value.*member.value) {
      members_detail::put_value(object[member.name], *own);
    } else if (member.missing == kNullWithReason && !object.contains(member.name) &&
               members_detail::says_why(value, member.name)) {
      object[member.name] = nullptr;
    }
  });
}

template <HasMembers Struct>
Json members_to_json(const Struct& value) {
  Json object = Json::object();
  put_members(object, value);
  return object;
}

}  // namespace voxmark
