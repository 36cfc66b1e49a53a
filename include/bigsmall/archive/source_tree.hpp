// SPDX-License-Identifier: BSL-1.0
// The files of a source: one file, or everything below a directory.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::archive {

/// What changes when somebody writes to a file or puts another in its place.
struct file_stamp {
    std::uint64_t bytes = 0;
    std::uint64_t device = 0, inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0; ///< of the last change of the content

    bool operator==(const file_stamp&) const = default;
};

struct source_file {
    std::string name;           ///< relative to the source, parts divided by '/'; the file name for one file
    std::filesystem::path path; ///< where to open it
    file_stamp stamp;           ///< as it was when it was found
};

struct source_tree {
    bool directory = false;
    std::vector<source_file> files; ///< by name, in byte order
};

/// Follows symbolic links. Throws: errc::missing, errc::io; errc::invalid_input when it is no regular file.
inline file_stamp stamp_of(const std::filesystem::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) throw io::detail::system_error("look at the file", path.string(), errno);
    if (!S_ISREG(facts.st_mode))
        throw error(errc::invalid_input, "only regular files can be packed, and this is none").in_file(path.string());
    return {static_cast<std::uint64_t>(facts.st_size), static_cast<std::uint64_t>(facts.st_dev),
            static_cast<std::uint64_t>(facts.st_ino), static_cast<std::int64_t>(facts.st_mtim.tv_sec),
            static_cast<std::int64_t>(facts.st_mtim.tv_nsec)};
}

/// Throws errc::io when a file is no longer what it was.
inline void require_unchanged(const source_file& file) {
    if (stamp_of(file.path) == file.stamp) return;
    throw error(errc::io, "the file was changed while it was being read").in_file(file.path.string());
}

namespace detail {

/// `folders` gets the directories that are still to be read.
inline void add_entry(const std::filesystem::path& root, const std::filesystem::directory_entry& entry,
                      std::vector<std::filesystem::path>& folders, source_tree& tree) {
    if (entry.is_directory()) {
        // A linked directory may lead anywhere, back to its own parent too.
        if (entry.is_symlink())
            throw error(errc::invalid_input, "symbolic links to directories cannot be packed")
                .in_file(entry.path().string())
                .with_hint("put the files themselves there, or pack the directory that it points to");
        folders.push_back(entry.path());
        return;
    }
    const std::string name = entry.path().lexically_relative(root).generic_string();
    tree.files.push_back({name, entry.path(), stamp_of(entry.path())});
}

} // namespace detail

/// Every regular file below `source`, or `source` itself when it is a file. Symbolic links to files are
/// followed, as in the snapshots of the Hugging Face cache. Empty directories have no entry.
/// Throws: errc::missing; errc::io; errc::invalid_input, naming it, for anything that is neither a file nor a
/// directory and for symbolic links to directories.
inline source_tree find_files(const std::filesystem::path& source) {
    namespace fs = std::filesystem;
    source_tree tree;
    std::error_code failed;
    tree.directory = fs::is_directory(source, failed);
    if (!tree.directory) {
        tree.files.push_back({source.filename().string(), source, stamp_of(source)});
        return tree;
    }
    // Not by a recursive iterator: that does not say which directory it cannot read.
    for (std::vector<fs::path> folders{source}; !folders.empty();) {
        const fs::path folder = std::move(folders.back());
        folders.pop_back();
        try {
            for (const fs::directory_entry& entry : fs::directory_iterator(folder))
                detail::add_entry(source, entry, folders, tree);
        } catch (const fs::filesystem_error& e) {
            const fs::path& place = e.path1().empty() ? folder : e.path1();
            throw io::detail::system_error("read the directory", place.string(), e.code().value());
        }
    }
    std::sort(tree.files.begin(), tree.files.end(),
              [](const source_file& a, const source_file& b) { return a.name < b.name; });
    return tree;
}

/// True when `path`, which need not exist yet, lies in `directory` or is the directory itself.
inline bool lies_within(const std::filesystem::path& path, const std::filesystem::path& directory) {
    namespace fs = std::filesystem;
    std::error_code failed;
    const fs::path inner = fs::weakly_canonical(fs::absolute(path), failed);
    const fs::path outer = fs::canonical(directory, failed);
    if (failed) return false;
    const auto [at_outer, at_inner] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return at_outer == outer.end();
}

} // namespace bigsmall::archive
