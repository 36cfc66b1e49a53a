# SPDX-License-Identifier: BSL-1.0
# The Catch2 programs and the compile-only tests. Catch2 2.13 and 3 both do: see support/catch.hpp.
find_package(Catch2 REQUIRED)

add_library(bigsmall_test_support STATIC)
file(GLOB support_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/support/*.cpp")
target_sources(bigsmall_test_support PRIVATE ${support_sources})
bigsmall_own_target(bigsmall_test_support)
target_include_directories(bigsmall_test_support PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(bigsmall_test_support PUBLIC bigsmall_own_codecs)
# Test programs spend their time in the compiler, not in the tests: the tool itself is what runs fully optimised.
if(NOT BIGSMALL_SANITIZE)
    target_compile_options(bigsmall_test_support PUBLIC -O1)
endif()
# Version 3 brings its own main, and main.cpp is then empty.
if(TARGET Catch2::Catch2WithMain)
    target_link_libraries(bigsmall_test_support PUBLIC Catch2::Catch2WithMain)
    set(catch_fails_when_empty "")
else()
    target_link_libraries(bigsmall_test_support PUBLIC Catch2::Catch2)
    set(catch_fails_when_empty --warn NoTests)
endif()

# Cases are selected by the name of their file, so files run side by side and a failure names its file.
function(bigsmall_register_cases program kind source)
    file(RELATIVE_PATH name "${CMAKE_CURRENT_SOURCE_DIR}/${kind}" "${source}")
    cmake_path(REMOVE_EXTENSION name LAST_ONLY)
    string(REPLACE "/" "." name "${kind}.${name}")
    cmake_path(GET source STEM LAST_ONLY stem)
    # Only a file of this folder that defines cases; helpers next to them have none.
    file(STRINGS "${source}" cases REGEX "^ *(TEMPLATE_)?TEST_CASE" LIMIT_COUNT 1)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    if(NOT cases)
        return()
    endif()
    add_test(NAME ${name} COMMAND ${program} --filenames-as-tags "[#${stem}]" ${catch_fails_when_empty})
    set_tests_properties(${name} PROPERTIES LABELS ${kind} TIMEOUT 900 ENVIRONMENT "${test_environment}")
endfunction()

foreach(kind unit property golden corrupt)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${kind}/*.cpp")
    # Programs that write test data live in a folder `tool`: built, so that they cannot rot, and not run.
    file(GLOB tools CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${kind}/tool/*.cpp")
    foreach(tool IN LISTS tools)
        list(REMOVE_ITEM sources "${tool}")
        cmake_path(GET tool STEM name)
        add_executable(${name} "${tool}")
        bigsmall_own_target(${name})
        target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
        target_link_libraries(${name} PRIVATE bigsmall_own_codecs)
    endforeach()
    # The tool's own parts exist only where the tool is built.
    if(NOT BIGSMALL_BUILD_APPS)
        list(FILTER sources EXCLUDE REGEX "/${kind}/apps/")
    endif()
    if(NOT sources)
        continue()
    endif()

    set(program bigsmall_test_${kind})
    add_executable(${program} ${sources})
    bigsmall_own_target(${program})
    target_link_libraries(${program} PRIVATE bigsmall_own_codecs bigsmall_test_support)
    # Many sources, most of which read all headers. GCC forgets which of those are the system's.
    if(kind STREQUAL "unit" AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        target_precompile_headers(${program} PRIVATE "<support/archive_runs.hpp>")
    endif()
    if(BIGSMALL_BUILD_APPS)
        target_link_libraries(${program} PRIVATE bigsmall_tool_parts)
    endif()
    target_compile_definitions(${program} PRIVATE
        BIGSMALL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        BIGSMALL_TEST_DATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/${kind}/data")
    foreach(source IN LISTS sources)
        bigsmall_register_cases(${program} ${kind} "${source}")
    endforeach()
endforeach()

# What these run longest lies in bigsmall_own_codecs, which is optimised.
if(NOT BIGSMALL_SANITIZE)
    file(GLOB archive_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/unit/archive/*.cpp")
    set_source_files_properties(${archive_sources} PROPERTIES COMPILE_OPTIONS -O0)
endif()
# The laws run every policy over much data.
if(BIGSMALL_SANITIZE)
    set_source_files_properties(unit/codec/policy_laws.cpp PROPERTIES COMPILE_OPTIONS -O1 SKIP_PRECOMPILE_HEADERS ON)
endif()

# static/: the test is that it compiles, in every build.
file(GLOB static_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/static/*.cpp")
if(static_sources)
    add_library(bigsmall_test_static OBJECT ${static_sources})
    bigsmall_own_target(bigsmall_test_static)
    target_link_libraries(bigsmall_test_static PRIVATE bigsmall::archive)
endif()
