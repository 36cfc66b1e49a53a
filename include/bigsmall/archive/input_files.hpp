// SPDX-License-Identifier: BSL-1.0
// What a run reads, so that it writes over none of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include <sys/stat.h>

#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/core/error.hpp>

namespace bigsmall::archive {

/// The files that a run reads: no output may take the place of one of them. They go by device and inode, because names
/// are not enough: the files of a snapshot in the Hugging Face cache lie elsewhere, and links lead to them.
class input_files {
public:
    /// `whose` is what the words of an error call them.
    explicit input_files(std::string whose) : whose_(std::move(whose)) {}

    /// A directory with everything that is or may appear in it, or a file.
    void set_root(const std::filesystem::path& root) { root_ = root; }
    void add(const file_stamp& file) { files_.insert({file.device, file.inode}); }
    /// Follows symbolic links. A file that is not there cannot be overwritten.
    void add(const std::filesystem::path& file) {
        struct stat facts {};
        if (::stat(file.c_str(), &facts) == 0) files_.insert(identity_of(facts));
    }

    /// True when `path` is one of the files, by whatever links, or is the root or lies in it.
    bool contains(const std::filesystem::path& path) const { return is_file(path) || is_in_root(path); }

    /// Throws errc::invalid_argument when `output` must not be written for that.
    void require_apart(const std::filesystem::path& output) const {
        if (is_in_root(output))
            throw error(errc::invalid_argument, "the output would be written into the source " + root_.string())
                .in_file(output.string())
                .with_hint("choose a place outside of it");
        if (is_file(output))
            throw error(errc::invalid_argument, "the output would replace " + whose_)
                .in_file(output.string())
                .with_hint("choose another name for the output");
    }

private:
    bool is_file(const std::filesystem::path& path) const {
        struct stat facts {};
        return ::stat(path.c_str(), &facts) == 0 && files_.count(identity_of(facts)) != 0;
    }
    bool is_in_root(const std::filesystem::path& path) const { return !root_.empty() && lies_within(path, root_); }

    using identity = std::pair<std::uint64_t, std::uint64_t>;
    static identity identity_of(const struct stat& facts) {
        return {static_cast<std::uint64_t>(facts.st_dev), static_cast<std::uint64_t>(facts.st_ino)};
    }

    std::string whose_;
    std::filesystem::path root_;
    std::set<identity> files_;
};

/// What packing `source` reads.
inline input_files inputs_of(const std::filesystem::path& source, const source_tree& tree) {
    input_files inputs("a file that the source consists of");
    inputs.set_root(source);
    for (const source_file& file : tree.files)
        inputs.add(file.stamp);
    return inputs;
}

} // namespace bigsmall::archive
