// SPDX-License-Identifier: BSL-1.0
// Memory for a piece of a stripe: a range of the columns of all its rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/ecc/layout.hpp>

namespace bigsmall::archive::detail {

static_assert(ecc::data_symbols == io::ecc_data_rows && ecc::parity_symbols == io::ecc_parity_rows);

/// Some rows of up to as many bytes as was asked for, apart by what the processor's caches like.
class ecc_rows {
public:
    ecc_rows(std::size_t rows, std::size_t row_bytes)
        : distance_((row_bytes + line - 1) / line * line + line), bytes_(rows * distance_ + line) {
        const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
        first_ = bytes_.data() + (line - address % line) % line;
    }
    ecc_rows(const ecc_rows&) = delete;
    ecc_rows& operator=(const ecc_rows&) = delete;

    std::uint8_t* row(std::size_t number) noexcept { return first_ + number * distance_; }
    const std::uint8_t* row(std::size_t number) const noexcept { return first_ + number * distance_; }

    bytes_view all() const noexcept { return bytes_; }
    /// `from` has rows of the same number and size.
    void copy_from(const ecc_rows& from) noexcept {
        const std::size_t count = bytes_.size() - line;
        std::copy_n(from.first_, count, first_);
    }

private:
    static constexpr std::size_t line = 64; // of the cache

    std::size_t distance_;
    byte_buffer bytes_;
    std::uint8_t* first_;
};

template <std::size_t Count>
std::array<const std::uint8_t*, Count> row_pointers(const ecc_rows& rows, std::size_t first) noexcept {
    std::array<const std::uint8_t*, Count> pointers;
    for (std::size_t i = 0; i < Count; ++i)
        pointers[i] = rows.row(first + i);
    return pointers;
}

template <std::size_t Count>
std::array<std::uint8_t*, Count> row_pointers(ecc_rows& rows, std::size_t first, std::size_t column = 0) noexcept {
    std::array<std::uint8_t*, Count> pointers;
    for (std::size_t i = 0; i < Count; ++i)
        pointers[i] = rows.row(first + i) + column;
    return pointers;
}

/// Progress of threads that work at once; each may be stopped.
class ecc_progress {
public:
    ecc_progress(const run_options& options, std::string item, std::uint64_t total_bytes)
        : options_(options), item_(std::move(item)), total_bytes_(total_bytes) {}

    /// Throws errc::cancelled.
    void add(std::uint64_t bytes) {
        check_cancelled(options_);
        if (options_.progress == nullptr) return;
        const std::lock_guard lock(mutex_);
        done_bytes_ += bytes;
        options_.progress->on_progress({item_, done_bytes_, total_bytes_, 0});
    }

private:
    const run_options& options_;
    std::string item_;
    std::uint64_t total_bytes_, done_bytes_ = 0;
    std::mutex mutex_;
};

} // namespace bigsmall::archive::detail
