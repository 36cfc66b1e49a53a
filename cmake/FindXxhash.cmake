# SPDX-License-Identifier: BSL-1.0
# Xxhash::headers: xxHash as headers alone (XXH_INLINE_ALL); nothing is linked.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(PC_XXHASH QUIET libxxhash)
endif()
find_path(Xxhash_INCLUDE_DIR xxhash.h HINTS ${PC_XXHASH_INCLUDE_DIRS})
mark_as_advanced(Xxhash_INCLUDE_DIR)

set(Xxhash_VERSION "")
if(Xxhash_INCLUDE_DIR)
    file(STRINGS "${Xxhash_INCLUDE_DIR}/xxhash.h" xxhash_lines
         REGEX "# *define XXH_VERSION_(MAJOR|MINOR|RELEASE) ")
    string(REGEX REPLACE "[^0-9;]" "" Xxhash_VERSION "${xxhash_lines}")
    list(JOIN Xxhash_VERSION "." Xxhash_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS Xxhash_INCLUDE_DIR VERSION_VAR Xxhash_VERSION)
if(Xxhash_FOUND AND NOT TARGET Xxhash::headers)
    add_library(Xxhash::headers INTERFACE IMPORTED)
    set_target_properties(Xxhash::headers PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${Xxhash_INCLUDE_DIR}")
endif()
