// SPDX-License-Identifier: BSL-1.0
// A file mapped into memory. Including this header makes you link boost_iostreams.
#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>

#include <boost/iostreams/device/mapped_file.hpp>

#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// A regular file as one view of bytes. Nobody may shorten the file meanwhile: the system answers a read
/// behind the new end with a signal, not an error. Where that can happen, use file_source.
class mapped_source final : public source {
public:
    /// Throws: as file_source; errc::io when the file cannot be mapped.
    explicit mapped_source(const std::filesystem::path& path) : name_(path.string()) {
        // Boost reports "failed opening file" for everything; file_source gives the causes by name.
        size_ = file_source(path).size();
        if (size_ == 0) return; // an empty file cannot be mapped, and needs no mapping
        try {
            map_.open(name_);
        } catch (const std::exception& cause) {
            throw error(errc::io, std::string("cannot map the file into memory: ") + cause.what())
                .in_file(name_);
        }
        size_ = map_.size();
    }

    std::uint64_t size() const override { return size_; }
    const std::string& name() const override { return name_; }

    /// The whole file; valid as long as this object lives.
    bytes_view bytes() const noexcept {
        if (size_ == 0) return {};
        return {reinterpret_cast<const std::uint8_t*>(map_.data()), static_cast<std::size_t>(size_)};
    }

    void read(std::uint64_t offset, bytes_span to) const override {
        detail::require_range(name_, size_, offset, to.size());
        if (!to.empty()) std::memcpy(to.data(), bytes().data() + offset, to.size());
    }

private:
    std::string name_;
    boost::iostreams::mapped_file_source map_;
    std::uint64_t size_ = 0;
};

} // namespace bigsmall::io
