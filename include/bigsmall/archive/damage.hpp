// SPDX-License-Identifier: BSL-1.0
// What is wrong with an archive, and where: a record instead of an exception, so that one bad block does not
// hide the next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive {

struct damage {
    errc code = errc::corrupt;
    std::string what;                    ///< what is wrong, as a sentence without an end
    std::string file;                    ///< the container (or other file) on disk
    std::string member;                  ///< the file that it restores
    std::string tensor;                  ///< empty when it is no tensor
    std::optional<std::uint64_t> block;  ///< number of the block in its tensor
    std::optional<std::uint64_t> offset; ///< first byte affected: of `file` for a block, else of `member`
    std::optional<std::uint64_t> bytes;  ///< how many of them
    bool redundant = false;              ///< it is there a second time, or is padding: nothing is lost yet
};

/// The same as an exception, for those who cannot go on.
inline error error_of(const damage& d) {
    std::string message;
    if (!d.member.empty()) message += io::printable(d.member) + ": ";
    // Whoever reads blocks names them in the words already.
    if (d.block && d.what.rfind("block ", 0) != 0) message += "block " + std::to_string(*d.block) + ": ";
    error e(d.code, message + d.what);
    e.in_file(d.file);
    if (!d.tensor.empty()) e.in_tensor(io::printable(d.tensor));
    if (d.offset) e.at_offset(*d.offset);
    return e;
}

/// An exception as a record. What the exception does not know is left empty.
inline damage damage_of(const error& e) {
    damage d;
    d.code = e.code();
    d.what = e.message();
    d.file = e.file();
    d.tensor = e.tensor();
    d.offset = e.offset();
    return d;
}

} // namespace bigsmall::archive
