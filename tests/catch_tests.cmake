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
    target_compile_options(bigsmall_test_support PRIVATE -O1)
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

# To read the headers takes the compiler longest, so the sources of a program are compiled in batches: first what any of
# them includes, then each in a namespace of its own, as all have their helpers in an anonymous one.
function(bigsmall_compile_in_batches program)
    get_target_property(sources ${program} SOURCES)
    foreach(source IN LISTS sources)
        cmake_path(GET source PARENT_PATH folder)
        file(STRINGS "${source}" lines REGEX "^#include ")
        foreach(line IN LISTS lines)
            string(REGEX REPLACE "^#include [<\"](.+)[>\"].*" "\\1" header "${line}")
            if(EXISTS "${folder}/${header}")
                set(line "#include \"${folder}/${header}\"")
            endif()
            list(APPEND includes "${line}")
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES includes)
    list(SORT includes)
    list(JOIN includes "\n" includes)
    set(all_headers "${CMAKE_CURRENT_BINARY_DIR}/${program}_headers.hpp")
    file(CONFIGURE OUTPUT "${all_headers}" CONTENT "#pragma once\n${includes}\n")
    set_target_properties(${program} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 9
        UNITY_BUILD_UNIQUE_ID bigsmall_test_file
        UNITY_BUILD_CODE_BEFORE_INCLUDE "#include \"${all_headers}\"\nnamespace bigsmall_test_file {"
        UNITY_BUILD_CODE_AFTER_INCLUDE "}")
endfunction()

foreach(kind unit property golden corrupt)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${kind}/*.cpp")
    # The logic of archives is the same in every build, and its tests take minutes to compile. Those that a sanitizer
    # cannot run are part of every build.
    if(NOT BIGSMALL_BUILD_ARCHIVE_TESTS)
        set(archive_sources ${sources})
        list(FILTER archive_sources INCLUDE REGEX "/unit/archive/")
        foreach(source IN LISTS archive_sources)
            file(STRINGS "${source}" unsanitized REGEX "memory_is_measurable" LIMIT_COUNT 1)
            if(NOT unsanitized)
                list(REMOVE_ITEM sources "${source}")
            endif()
        endforeach()
    endif()
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
    if(BIGSMALL_BUILD_APPS)
        target_link_libraries(${program} PRIVATE bigsmall_tool_parts)
    endif()
    target_compile_definitions(${program} PRIVATE
        BIGSMALL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        BIGSMALL_TEST_DATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/${kind}/data")
    set(optimisation -O1)
    if(kind STREQUAL "unit")
        bigsmall_compile_in_batches(${program})
        set(optimisation -O0) # what these run longest lies in bigsmall_own_codecs
    endif()
    if(NOT BIGSMALL_SANITIZE)
        target_compile_options(${program} PRIVATE ${optimisation})
    endif()
    foreach(source IN LISTS sources)
        bigsmall_register_cases(${program} ${kind} "${source}")
    endforeach()
endforeach()

# These code themselves. Sources with options of their own stay out of the batches.
if(BIGSMALL_SANITIZE)
    set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/unit/codec/policy_laws.cpp" PROPERTIES COMPILE_OPTIONS -O1)
else()
    file(GLOB coding_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/unit/codec/*.cpp"
        "${CMAKE_CURRENT_SOURCE_DIR}/unit/kernel/*.cpp")
    list(APPEND coding_sources "${CMAKE_CURRENT_SOURCE_DIR}/unit/archive/repair.cpp")
    set_source_files_properties(${coding_sources} PROPERTIES COMPILE_OPTIONS -O1)
endif()

# A first run knows nothing of how long tests take; the longest begin first.
set_tests_properties(property.round_trip PROPERTIES COST 100)
if(BIGSMALL_BUILD_ARCHIVE_TESTS)
    set_tests_properties(unit.archive.in_place_crashes unit.archive.resume_crashes PROPERTIES COST 100)
endif()

# static/: the test is that it compiles, in every build.
file(GLOB static_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/static/*.cpp")
if(static_sources)
    add_library(bigsmall_test_static OBJECT ${static_sources})
    bigsmall_own_target(bigsmall_test_static)
    target_link_libraries(bigsmall_test_static PRIVATE bigsmall::archive)
endif()
