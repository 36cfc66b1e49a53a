// SPDX-License-Identifier: BSL-1.0
// A file with its sidecar in a directory of its own, and ways to damage both.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <utility>

#include <bigsmall/archive/repair.hpp>
#include <bigsmall/parallel/executor.hpp>

#include "support/model_files.hpp"

namespace parity_test {

using namespace bigsmall;
using namespace bigsmall::archive;
using namespace support;
namespace fs = std::filesystem;

inline byte_buffer random_bytes(std::size_t count, std::uint32_t seed = 1) {
    std::mt19937 random(seed);
    byte_buffer bytes(count);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    return bytes;
}

/// Another value, whatever it was.
inline void spoil(byte_buffer& bytes, std::uint64_t at) { bytes[static_cast<std::size_t>(at)] ^= 0x5a; }
inline void spoil(byte_buffer& bytes, std::uint64_t begin, std::uint64_t count) {
    for (std::uint64_t i = begin; i < std::min<std::uint64_t>(begin + count, bytes.size()); ++i)
        spoil(bytes, i);
}
inline void wipe(byte_buffer& bytes, std::uint64_t begin, std::uint64_t count) {
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), count, std::uint8_t{0});
}

/// The kind of the error that is thrown, or nothing.
template <class F>
std::optional<errc> failure_code(F&& run) {
    try {
        run();
    } catch (const error& failure) {
        return failure.code();
    }
    return std::nullopt;
}

struct protected_file {
    explicit protected_file(byte_buffer content) : original(std::move(content)), layout(original.size()) {
        write_file(path, original);
        parallel::serial_executor e;
        protect(path, sidecar, {}, e);
        parity = read_file(sidecar);
        file = original;
    }
    explicit protected_file(std::size_t bytes) : protected_file(random_bytes(bytes)) {}

    /// Writes `file` and `parity` as they are now, and repairs to another place.
    repair_report repair() {
        save();
        fs::remove(output);
        parallel::serial_executor e;
        return repair_to(path, sidecar, output, {}, e);
    }
    void save() const {
        write_file(path, file);
        write_file(sidecar, parity);
    }
    bool is_repaired() {
        const repair_report report = repair();
        return report.repairable() && read_file(output) == original;
    }
    void reset() {
        file = original;
        write_file(path, original);
        parallel::serial_executor e;
        run_options over;
        over.existing = io::if_exists::replace;
        protect(path, sidecar, over, e);
        parity = read_file(sidecar);
    }

    temporary_directory directory;
    fs::path path = directory / "model.bs", sidecar = directory / "model.bs.ecc", output = directory / "repaired.bs";
    byte_buffer original, file, parity;
    io::ecc_layout layout;
};

} // namespace parity_test
