// SPDX-License-Identifier: BSL-1.0
// The JSON of a safetensors header, read event by event: nothing is built but the tensors themselves, so a
// hostile header costs no recursion and a few times its size at most: 7 bytes of memory for each byte of text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/tensor_record.hpp>
#include <bigsmall/io/safetensors/text_list.hpp>

namespace bigsmall::io::detail {

/// Offsets of the records are as the JSON gives them: relative to the end of the header.
struct parsed_header {
    std::vector<tensor_record> tensors; // in the order of the header
    text_pairs metadata;
};

/// Receives nlohmann's events (its SAX interface fixes the names of the public functions). Throws
/// errc::invalid_input at the first thing that the format does not allow; values of fields that the format
/// does not name are passed over, because the header is kept verbatim anyway.
class header_handler {
public:
    static constexpr std::size_t max_depth = 64;
    /// The format has no limit. A growing shape takes three times its size for a while: that must not count.
    static constexpr std::size_t max_rank = 65536;

    explicit header_handler(parsed_header& result) : result_(result) {}

    bool start_object(std::size_t) {
        open_level();
        keys_[depth_ - 1].clear();
        if (skipping()) return true;
        switch (next_) {
        case value::root: next_ = value::entry; return true;
        case value::entry: begin_entry(); return true;
        case value::unknown_field: skip_from_ = depth_; return true;
        default: return wrong("an object");
        }
    }

    bool end_object() {
        refuse_repeated_keys();
        if (close_level()) return true;
        if (depth_ == 1 && !in_metadata()) finish_tensor();
        return true;
    }

    bool key(std::string& name) {
        keys_[depth_ - 1].push_back(name);
        if (skipping()) return true;
        if (depth_ == 1) {
            name_ = name;
            next_ = value::entry;
        } else if (in_metadata()) {
            metadata_key_ = name;
            next_ = value::metadata;
        } else {
            begin_field(name);
        }
        return true;
    }

    bool start_array(std::size_t) {
        open_level();
        if (skipping()) return true;
        switch (next_) {
        case value::shape: next_ = value::shape_number; return true;
        case value::offsets: next_ = value::offsets_number; return true;
        case value::unknown_field: skip_from_ = depth_; return true;
        default: return wrong("an array");
        }
    }

    bool end_array() {
        close_level();
        return true;
    }

    bool string(std::string& text) {
        if (skippable()) return true;
        if (next_ == value::dtype)
            current_.dtype_name = std::move(text);
        else if (next_ == value::metadata)
            result_.metadata.push_back(metadata_key_, text);
        else
            wrong("a string");
        return true;
    }

    bool number_unsigned(std::uint64_t number) {
        if (skippable()) return true;
        if (next_ == value::shape_number) {
            if (current_.shape.size() == max_rank)
                fail("its shape has more than " + std::to_string(max_rank) + " dimensions");
            current_.shape.push_back(number);
        } else if (next_ == value::offsets_number) {
            if (offset_count_ < offsets_.size()) offsets_[offset_count_] = number;
            ++offset_count_;
        } else {
            wrong("a number");
        }
        return true;
    }

    bool number_integer(std::int64_t) { return skippable() || wrong("a negative number"); }
    bool number_float(double, const std::string& text) {
        return skippable() || wrong("the number " + printable(text, 40) + " (a fraction, or beyond 64 bits)");
    }
    bool boolean(bool) { return skippable() || wrong("a boolean"); }
    bool binary(std::vector<std::uint8_t>&) { return skippable() || wrong("binary data"); }
    bool null() {
        // The reference implementation reads a null map as a missing one.
        if (next_ == value::entry && in_metadata()) return true;
        return skippable() || wrong("null");
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& cause) {
        // "[json.exception...] parse error at line 1, column 9: WORDS": the words are what a person needs.
        std::string_view words = cause.what();
        for (const std::string_view cut : {"] ", "column ", ": "}) {
            const std::size_t at = words.find(cut);
            if (at != std::string_view::npos) words.remove_prefix(at + cut.size());
        }
        throw error(errc::invalid_input, "the header is not valid JSON: " + printable(words, 300))
            .at_offset(8 + (position > 0 ? position - 1 : 0));
    }

private:
    // What the next value is.
    enum class value : std::uint8_t {
        root,
        entry,
        dtype,
        shape,
        shape_number,
        offsets,
        offsets_number,
        metadata,
        unknown_field
    };

    bool skipping() const noexcept { return skip_from_ != 0; }
    bool skippable() const noexcept { return skipping() || next_ == value::unknown_field; }
    bool in_metadata() const noexcept { return name_ == "__metadata__"; }

    void open_level() {
        if (depth_ == max_depth)
            fail("the JSON is nested more than " + std::to_string(max_depth) + " levels deep");
        if (++depth_ > keys_.size()) keys_.emplace_back();
    }

    // True when the level belonged to a value that is passed over.
    bool close_level() noexcept {
        const bool skipped = skipping();
        if (depth_ == skip_from_) skip_from_ = 0;
        --depth_;
        return skipped;
    }

    void begin_entry() {
        if (in_metadata()) return;
        current_ = {};
        current_.name = name_;
        offset_count_ = 0;
        has_dtype_ = has_shape_ = has_offsets_ = false;
    }

    void begin_field(std::string_view name) {
        if (name == "dtype") {
            next_ = value::dtype;
            has_dtype_ = true;
        } else if (name == "shape") {
            next_ = value::shape;
            has_shape_ = true;
        } else if (name == "data_offsets") {
            next_ = value::offsets;
            has_offsets_ = true;
        } else {
            next_ = value::unknown_field;
        }
    }

    void finish_tensor() {
        if (!has_dtype_) fail("it has no dtype");
        if (!has_shape_) fail("it has no shape");
        if (!has_offsets_) fail("it has no data_offsets");
        if (offset_count_ != 2)
            fail("its data_offsets must be two numbers, begin and end, but there are " +
                 std::to_string(offset_count_));
        if (offsets_[0] > offsets_[1])
            fail("its data_offsets [" + std::to_string(offsets_[0]) + ", " + std::to_string(offsets_[1]) +
                 "] end before they begin");
        current_.shape.shrink_to_fit(); // two bytes of text make a number of eight: no room to spare on top
        current_.begin = offsets_[0];
        current_.end = offsets_[1];
        result_.tensors.push_back(std::move(current_));
    }

    void refuse_repeated_keys() {
        const auto twin = keys_[depth_ - 1].sort_and_find_twin();
        if (!twin) return;
        if (depth_ == 1)
            throw error(errc::invalid_input, "the name " + in_quotes(*twin) + " is in the header twice");
        fail("the key " + in_quotes(*twin) + " is in one JSON object twice");
    }

    [[noreturn]] void fail(const std::string& message) const {
        if (in_metadata()) throw error(errc::invalid_input, "__metadata__: " + message);
        error e(errc::invalid_input, message);
        if (!name_.empty()) e.in_tensor(printable(name_));
        throw e;
    }

    // Never returns; the result type lets the callbacks write `skippable() || wrong(...)`.
    bool wrong(const std::string& found) const {
        switch (next_) {
        case value::root: throw error(errc::invalid_input, "the header must be a JSON object, not " + found);
        case value::entry: fail("its entry must be a JSON object, not " + found);
        case value::dtype: fail("its dtype must be a string, not " + found);
        case value::shape:
        case value::shape_number: fail("its shape must be an array of whole numbers, but has " + found);
        case value::offsets:
        case value::offsets_number:
            fail("its data_offsets must be an array of two whole numbers, but has " + found);
        case value::metadata:
            fail("the value of " + in_quotes(metadata_key_) + " must be a string, not " + found);
        case value::unknown_field: break;
        }
        fail("it has " + found + " where none is expected");
    }

    parsed_header& result_;
    std::vector<text_list> keys_; // of the open object at each depth
    std::size_t depth_ = 0;       // open objects and arrays
    std::size_t skip_from_ = 0;   // the depth of the value that is passed over; 0: none
    value next_ = value::root;
    std::string name_, metadata_key_;
    tensor_record current_;
    std::array<std::uint64_t, 2> offsets_{};
    std::size_t offset_count_ = 0;
    bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

/// Parses the JSON text of a header (without its 8-byte length). Offsets in errors count from the start of
/// the file. Throws: errc::invalid_input.
inline parsed_header parse_header_json(std::string_view text) {
    // The parser takes a NUL for the end of the text and skips a byte order mark; the format allows neither.
    if (text.empty() || text.front() != '{')
        throw error(errc::invalid_input, "the header must begin with '{'").at_offset(8);
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
        throw error(errc::invalid_input, "the header contains a NUL byte; padding must be spaces")
            .at_offset(8 + nul);
    parsed_header result;
    header_handler handler(result);
    nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
    return result;
}

} // namespace bigsmall::io::detail
