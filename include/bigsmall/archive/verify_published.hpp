// SPDX-License-Identifier: BSL-1.0
// Hashes that somebody published of the original files, against those of an archive: the original need not be there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive {

struct published_hash {
    std::string file;   ///< path of the original; empty: of the only one
    std::string sha256; ///< 64 hexadecimal digits, small letters
};

namespace detail {

/// The digits in small letters when `text` is a SHA-256, else nothing.
inline std::optional<std::string> sha256_digits(std::string_view text) {
    if (text.size() != 64) return std::nullopt;
    std::string digits(text);
    for (char& c : digits) {
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
    }
    return digits;
}

} // namespace detail

/// The lines of sha256sum: 64 digits, a space, a space or '*', a name; empty lines and those that begin with '#' are
/// passed over. Throws: errc::invalid_input for other lines, and when there is none.
inline std::vector<published_hash> parse_published_hashes(std::string_view text, const std::string& source) {
    std::vector<published_hash> hashes;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        const auto digits = detail::sha256_digits(line.substr(0, 64));
        const bool named = line.size() > 66 && line[64] == ' ' && (line[65] == ' ' || line[65] == '*');
        if (!digits || !(named || line.size() == 64))
            throw error(errc::invalid_input, "line " + std::to_string(number) +
                                                 " is not a SHA-256 in hexadecimal digits and the name of a file")
                .in_file(source);
        std::string_view name = named ? line.substr(66) : std::string_view{};
        while (name.starts_with("./"))
            name.remove_prefix(2);
        hashes.push_back({std::string(name), *digits});
    }
    if (hashes.empty()) throw error(errc::invalid_input, "there is no hash in this file").in_file(source);
    return hashes;
}

/// `given` is a SHA-256 or the name of a file of them. Throws: as parse_published_hashes(); errc::missing, errc::io;
/// errc::limit for a file above 16 MiB.
inline std::vector<published_hash> published_hashes_of(const std::string& given) {
    if (const auto digits = detail::sha256_digits(given)) return {{"", *digits}};
    const io::file_source file(given);
    if (file.size() > 16 * MiB) throw error(errc::limit, "a list of hashes has at most 16 MiB").in_file(given);
    byte_buffer bytes(static_cast<std::size_t>(file.size()));
    file.read(0, bytes);
    return parse_published_hashes(as_string_view(bytes), given);
}

namespace detail {

/// The SHA-256 that an archive has of each file that it restores.
inline std::map<std::string, std::string> recorded_hashes(const opened_archive& archive) {
    std::map<std::string, std::string> recorded;
    for (const opened_container& container : archive.containers())
        for (const io::member_entry& member : container.index().members)
            recorded.emplace(container.folder + member.path, hex_of(member.sha256));
    for (const carried_record& file : archive.shards().files)
        recorded.emplace(file.file, file.sha256);
    return recorded;
}

/// A hash without a name is that of the only file, or of the only safetensors file; one with a name also finds a file
/// whose path ends with it, if there is but one.
inline std::vector<std::string> files_meant(const std::string& name, const std::map<std::string, std::string>& files) {
    if (files.contains(name)) return {name};
    std::vector<std::string> found;
    for (const auto& [path, ignored] : files)
        if (name.empty() ? files.size() == 1 || path.ends_with(".safetensors") : path.ends_with("/" + name))
            found.push_back(path);
    return found;
}

} // namespace detail

/// Compares the hashes that the archive has of its originals with published ones. This says what verify() does not:
/// that the archive was made of the very files that were published; verify() with file_hashes says that it gives those
/// back which it was made of. Differences, and files that the archive has not, are problems.
inline void check_published(const std::filesystem::path& archive, const std::vector<published_hash>& published,
                            verify_report& report) {
    const opened_archive opened(archive);
    const std::map<std::string, std::string> recorded = detail::recorded_hashes(opened);
    for (const published_hash& wanted : published) {
        const std::vector<std::string> meant = detail::files_meant(wanted.file, recorded);
        if (meant.size() != 1) {
            const std::string why = !wanted.file.empty()
                                        ? (meant.empty() ? "no file of that name is in the archive"
                                                         : "several files in the archive are called so")
                                    : meant.empty() ? "there is no file in the archive to which the hash could belong"
                                                    : "there are several files in the archive: a hash needs a name";
            detail::add_problem(report,
                                detail::make_damage(errc::missing, why + " (published hash " + wanted.sha256 + ")",
                                                    archive, wanted.file));
        } else if (recorded.at(meant[0]) != wanted.sha256) {
            detail::add_problem(report,
                                detail::make_damage(errc::mismatch,
                                                    "the published SHA-256 is " + wanted.sha256 +
                                                        ", that of the file in the archive is " + recorded.at(meant[0]),
                                                    archive, meant[0]));
        }
    }
}

} // namespace bigsmall::archive
