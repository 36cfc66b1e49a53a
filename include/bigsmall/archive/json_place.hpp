// SPDX-License-Identifier: BSL-1.0
// A value in a JSON text together with where it stands, so that an error can say which one is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive::detail {

/// Refers to a value of a document that outlives it. Every function throws errc::corrupt, with words such as
/// "shards[2].file must be a string, but is number".
class json_place {
public:
    explicit json_place(const nlohmann::json& value, std::string name = {}) : value_(&value), name_(std::move(name)) {}

    json_place at(const std::string& key) const {
        require(value_->is_object(), "an object");
        const auto found = value_->find(key);
        const std::string name = name_.empty() ? key : name_ + "." + key;
        if (found == value_->end()) throw error(errc::corrupt, name + " is missing");
        return json_place(*found, name);
    }
    std::string text() const {
        require(value_->is_string(), "a string");
        return value_->get<std::string>();
    }
    std::uint64_t count() const {
        require(value_->is_number_unsigned(), whole_number);
        return value_->get<std::uint64_t>();
    }
    /// `use(json_place)` for each element of an array.
    template <class Use>
    void each_element(Use&& use) const {
        require(value_->is_array(), "an array");
        for (std::size_t i = 0; i < value_->size(); ++i)
            use(json_place((*value_)[i], name_ + "[" + std::to_string(i) + "]"));
    }
    /// `use(key, json_place)` for each value of an object.
    template <class Use>
    void each_member(Use&& use) const {
        require(value_->is_object(), "an object");
        for (const auto& [key, value] : value_->items())
            use(key, json_place(value, name_ + "[" + io::in_quotes(key) + "]"));
    }
    /// An array of strings, or one string instead.
    std::vector<std::string> texts() const {
        if (value_->is_string()) return {text()};
        std::vector<std::string> list;
        each_element([&](const json_place& element) { list.push_back(element.text()); });
        return list;
    }

private:
    static constexpr const char* whole_number = "a whole number";

    void require(bool right, const char* wanted) const {
        if (right) return;
        const bool other_number = value_->is_number() && std::string_view(wanted) == whole_number;
        throw error(errc::corrupt, (name_.empty() ? "the value" : name_) + " must be " + wanted + ", but is " +
                                       (other_number ? value_->dump() : value_->type_name()));
    }

    const nlohmann::json* value_;
    std::string name_;
};

} // namespace bigsmall::archive::detail
