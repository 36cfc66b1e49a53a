// SPDX-License-Identifier: BSL-1.0
// Names of outputs that were not given.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace bigsmall::app {

/// A path without trailing slashes whose last part is a name: "dir/" -> "dir", "." -> "/home/me/dir".
inline std::filesystem::path named_path(const std::filesystem::path& path) {
    std::filesystem::path clean = path.has_filename() ? path : path.parent_path();
    const auto name = clean.filename();
    if (name.empty() || name == "." || name == "..") {
        clean = std::filesystem::absolute(clean).lexically_normal();
        if (!clean.has_filename()) clean = clean.parent_path();
    }
    return clean;
}

/// `suffix` put behind the name of `path`, in the same folder.
inline std::filesystem::path with_suffix(const std::filesystem::path& path, std::string_view suffix) {
    return std::filesystem::path(path).concat(suffix);
}

/// Where compress writes: model.safetensors -> model.bs, dir -> dir.bs, per shard dir -> dir-bs.
inline std::filesystem::path default_archive(const std::filesystem::path& source, bool per_shard,
                                             bool directory) {
    const std::filesystem::path named = named_path(source);
    if (per_shard) return with_suffix(named, "-bs");
    // Directories keep the dots of their names: "model-v1.5" is not a name with the extension ".5".
    return directory ? with_suffix(named, ".bs") : std::filesystem::path(named).replace_extension(".bs");
}

/// Where transcode writes: X.bs -> X.bsr, a directory X-bs -> X-bsr, any other name gets the suffix. A name that ends
/// like that already stays as it is, which is no place to write to.
inline std::filesystem::path default_transcoded(const std::filesystem::path& archive, bool directory) {
    const std::filesystem::path named = named_path(archive);
    if (!directory) return std::filesystem::path(named).replace_extension(".bsr");
    const std::string name = named.filename().string();
    if (name.ends_with("-bsr")) return named;
    return with_suffix(named, name.ends_with("-bs") ? "r" : "-bsr");
}

/// Where decompress writes a directory: X.bs or X.bsr -> X, X-bs or X-bsr -> X, else X-restored.
inline std::filesystem::path default_directory(const std::filesystem::path& archive) {
    const std::filesystem::path named = named_path(archive);
    if (named.extension() == ".bs" || named.extension() == ".bsr")
        return std::filesystem::path(named).replace_extension();
    const std::string name = named.filename().string();
    for (const std::string_view suffix : {"-bs", "-bsr"})
        if (name.size() > suffix.size() && name.ends_with(suffix))
            return named.parent_path() / name.substr(0, name.size() - suffix.size());
    return with_suffix(named, "-restored");
}

/// Where decompress writes a single file: X.bs -> X.safetensors.
inline std::filesystem::path default_safetensors(const std::filesystem::path& archive) {
    return std::filesystem::path(named_path(archive)).replace_extension(".safetensors");
}

} // namespace bigsmall::app
