// SPDX-License-Identifier: BSL-1.0
// What tests of the index share: rules to break, sections to replace.
#pragma once

#include <functional>
#include <vector>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

namespace io_test {

struct broken_rule {
    std::function<void(container_index&)> change;
    const char* says;
};

/// A whole index in which one section is replaced by `body`.
inline byte_buffer with_section(const container_index& index, std::uint8_t tag, const byte_buffer& body) {
    const byte_buffer raw = encode_index(index);
    byte_cursor in(raw);
    io::detail::byte_writer out;
    while (in.left() > 0) {
        const auto found = in.read<std::uint8_t>();
        const bytes_view old = in.take(in.read_varint());
        out.u8(found);
        out.sized(found == tag ? bytes_view(body) : old);
    }
    return out.take();
}

/// Neither written nor read once one of the rules is broken.
inline void check_refused(const std::vector<broken_rule>& rules, const container_index& sound) {
    for (const broken_rule& rule : rules) {
        container_index index = sound;
        rule.change(index);
        const error writing = thrown_by([&] { encode_index(index); });
        INFO(writing.what());
        CHECK(writing.code() == errc::invalid_argument);
        CHECK(contains(writing.what(), rule.says));
        CHECK(thrown_by([&] { check_index(index, errc::corrupt); }).code() == errc::corrupt);
    }
}

} // namespace io_test
