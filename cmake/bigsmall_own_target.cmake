# SPDX-License-Identifier: BSL-1.0
# Warnings and sanitizers for what we build ourselves. Users of the library never inherit them.

add_library(bigsmall_warnings INTERFACE)
target_compile_options(bigsmall_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<BOOL:${BIGSMALL_WERROR}>:-Werror>)
if(BIGSMALL_WERROR AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 misjudges its own inlined std::vector::insert; it still warns.
    target_compile_options(bigsmall_warnings INTERFACE -Wno-error=array-bounds)
endif()
# GCC 12 warns inside its own std::string about overlaps that cannot be (GCC bug 105651, fixed in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(bigsmall_warnings INTERFACE -Wno-restrict)
endif()

add_library(bigsmall_sanitizers INTERFACE)
if(BIGSMALL_SANITIZE)
    set(flags -fsanitize=${BIGSMALL_SANITIZE} -fno-omit-frame-pointer)
    if(BIGSMALL_SANITIZE MATCHES "undefined")
        list(APPEND flags -fno-sanitize-recover=all)
    endif()
    target_compile_options(bigsmall_sanitizers INTERFACE ${flags})
    target_compile_definitions(bigsmall_sanitizers INTERFACE _GLIBCXX_ASSERTIONS)
    target_link_options(bigsmall_sanitizers INTERFACE ${flags})
endif()

function(bigsmall_own_target target)
    target_link_libraries(${target} PRIVATE bigsmall_warnings bigsmall_sanitizers)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# Link this in the place of bigsmall::archive: codecs and pipelines, most of the compiler's work, are compiled once. As
# objects they come first in the link of who names them directly, so that these optimised copies are the ones kept.
if(TARGET bigsmall::archive)
    add_library(bigsmall_own_codecs OBJECT EXCLUDE_FROM_ALL
        "${CMAKE_CURRENT_LIST_DIR}/own_codecs.cpp" "${CMAKE_CURRENT_LIST_DIR}/own_pipelines.cpp")
    bigsmall_own_target(bigsmall_own_codecs)
    target_compile_definitions(bigsmall_own_codecs PUBLIC BIGSMALL_EXTERN_CODECS)
    target_include_directories(bigsmall_own_codecs PUBLIC "${CMAKE_CURRENT_LIST_DIR}")
    target_link_libraries(bigsmall_own_codecs PUBLIC bigsmall::archive)
    if(BIGSMALL_SANITIZE)
        target_compile_options(bigsmall_own_codecs PRIVATE -O1) # the rest need not be fast
    endif()
endif()
