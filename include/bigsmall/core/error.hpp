// SPDX-License-Identifier: BSL-1.0
// The one exception type of the public interface: a kind for programs, and the words a person needs.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace bigsmall {

enum class errc : std::uint8_t {
    corrupt,          ///< a file contradicts itself or fails its checksum
    truncated,        ///< a file ends before what it announces
    unsupported,      ///< a newer version, an unknown wire id, or a format that is not ours
    mismatch,         ///< two things that must be equal are not (a receipt, a source)
    invalid_argument, ///< the caller asked for something that makes no sense
    invalid_input,    ///< an input file breaks the rules of its own format
    io,               ///< the operating system refused a read, a write or a rename
    exists,           ///< the output is there already and overwriting was not asked for
    missing,          ///< a file that is needed is not there
    limit,            ///< a size beyond what this library accepts
    cancelled,        ///< the caller asked to stop
};

/// A stable lower-case name, for JSON and logs.
constexpr const char* name_of(errc code) noexcept {
    switch (code) {
    case errc::corrupt: return "corrupt";
    case errc::truncated: return "truncated";
    case errc::unsupported: return "unsupported";
    case errc::mismatch: return "mismatch";
    case errc::invalid_argument: return "invalid_argument";
    case errc::invalid_input: return "invalid_input";
    case errc::io: return "io";
    case errc::exists: return "exists";
    case errc::missing: return "missing";
    case errc::limit: return "limit";
    case errc::cancelled: return "cancelled";
    }
    return "unknown";
}

/// Thrown by io and everything above. Context is added by whoever knows it while the error travels up:
/// `throw error(errc::corrupt, "block 7 fails its checksum").in_tensor(name).in_file(path);`
/// The first file, tensor, offset and hint to be set are kept.
class error : public std::exception {
public:
    error(errc code, std::string message) : code_(code), message_(std::move(message)) { compose(); }

    errc code() const noexcept { return code_; }
    const char* what() const noexcept override { return text_.c_str(); }
    const std::string& message() const noexcept { return message_; }
    const std::string& file() const noexcept { return file_; }
    const std::string& tensor() const noexcept { return tensor_; }
    std::optional<std::uint64_t> offset() const noexcept { return offset_; }
    const std::string& hint() const noexcept { return hint_; }

    error& in_file(std::string path) { return set(file_, std::move(path)); }
    error& in_tensor(std::string name) { return set(tensor_, std::move(name)); }
    /// What the reader can do next, as one sentence.
    error& with_hint(std::string text) { return set(hint_, std::move(text)); }
    error& at_offset(std::uint64_t bytes) {
        if (!offset_) offset_ = bytes;
        compose();
        return *this;
    }

private:
    error& set(std::string& field, std::string value) {
        if (field.empty()) field = std::move(value);
        compose();
        return *this;
    }

    // "FILE: tensor NAME: at byte N: MESSAGE (HINT)", the parts that are known.
    void compose() {
        text_.clear();
        if (!file_.empty()) text_ += file_ + ": ";
        if (!tensor_.empty()) text_ += "tensor " + tensor_ + ": ";
        if (offset_) text_ += "at byte " + std::to_string(*offset_) + ": ";
        text_ += message_;
        if (!hint_.empty()) text_ += " (" + hint_ + ")";
    }

    errc code_;
    std::string message_, file_, tensor_, hint_, text_;
    std::optional<std::uint64_t> offset_;
};

} // namespace bigsmall
