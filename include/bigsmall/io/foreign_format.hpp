// SPDX-License-Identifier: BSL-1.0
// What a file is that was given by mistake, told from its first bytes: the best hint an error can give.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::io {

/// First bytes that are enough for guess_format.
inline constexpr std::size_t guess_format_bytes = 16;

inline constexpr std::string_view our_format = "a bigsmall container";

/// A noun phrase such as "a GGUF file", or nothing when the bytes say nothing.
inline std::optional<std::string_view> guess_format(bytes_view first) noexcept {
    const std::string_view text = as_string_view(first);
    if (text.starts_with("\211BSM\r\n\032\n")) return our_format;
    if (text.starts_with("BGSM")) return "a container of the original Python BigSmall";
    if (text.starts_with("GGUF")) return "a GGUF file";
    if (text.starts_with("PK\x03\x04")) return "a zip archive, as PyTorch .bin and .pt files are";
    if (text.starts_with("version ")) return "a Git LFS pointer instead of the file that it stands for";
    if (text.starts_with("\x28\xb5\x2f\xfd")) return "a zstd file";
    if (text.starts_with("\x1f\x8b")) return "a gzip file";
    if (text.starts_with("\x89HDF")) return "an HDF5 file";
    if (text.starts_with("<!DOCTYPE") || text.starts_with("<html")) return "a web page";
    if (text.starts_with("{")) return "a JSON file";
    // Last, because it is the weakest sign: a plausible length and the start of a JSON object.
    if (first.size() > 8 && first[8] == '{' && load_le<std::uint64_t>(first.data()) <= 100'000'000)
        return "a safetensors file";
    return std::nullopt;
}

} // namespace bigsmall::io
