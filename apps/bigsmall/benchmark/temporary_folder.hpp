// SPDX-License-Identifier: BSL-1.0
// A folder for files that nobody keeps.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <stdlib.h>

#include <bigsmall/core/error.hpp>

namespace bigsmall::app {

/// In $TMPDIR, or /tmp; removed with all in it by the destructor. A signal that the tool catches runs that, too.
class temporary_folder {
public:
    /// Throws: error(errc::io).
    temporary_folder() {
        std::error_code failed;
        const std::filesystem::path parent = std::filesystem::temp_directory_path(failed);
        if (failed) throw impossible(failed.message());
        std::string name = (parent / "bigsmall-benchmark.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw impossible(std::strerror(errno)).in_file(name);
        path_ = name;
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    static error impossible(const std::string& why) {
        error e(errc::io, "cannot create a folder for temporary files: " + why);
        e.with_hint("TMPDIR says where they go");
        return e;
    }

    std::filesystem::path path_;
};

} // namespace bigsmall::app
