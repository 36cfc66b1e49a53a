# SPDX-License-Identifier: BSL-1.0
# The library's targets. All are INTERFACE: a component is an include path and the packages that its headers need.
#   bigsmall::bigsmall   core, kernel, codec: a compiler and nothing else
#   bigsmall::io         + Boost.Iostreams, nlohmann/json, xxHash (headers), zstd
#   bigsmall::parallel   + oneTBB
#   bigsmall::archive    + io, parallel, libcrypto

list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
if(POLICY CMP0167)
    cmake_policy(SET CMP0167 NEW) # Boost's own package configuration
endif()
if(NOT PROJECT_IS_TOP_LEVEL)
    # The parent links our components, so it must see what they stand on.
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)
endif()

add_library(bigsmall INTERFACE)
add_library(bigsmall::bigsmall ALIAS bigsmall)
target_compile_features(bigsmall INTERFACE cxx_std_20)
target_include_directories(bigsmall INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
    "$<INSTALL_INTERFACE:include>")

# What each component looks for, and below, the targets that this must have given.
function(bigsmall_find_io quiet_or_required)
    find_package(Boost 1.74 COMPONENTS iostreams ${quiet_or_required})
    find_package(nlohmann_json 3.9 ${quiet_or_required})
    find_package(Xxhash 0.8 ${quiet_or_required})
    find_package(Zstd 1.4 ${quiet_or_required})
endfunction()
function(bigsmall_find_parallel quiet_or_required)
    find_package(TBB 2021 ${quiet_or_required})
endfunction()
function(bigsmall_find_archive quiet_or_required)
    find_package(OpenSSL 3.0 COMPONENTS Crypto ${quiet_or_required})
endfunction()

set(bigsmall_io_links bigsmall Boost::iostreams nlohmann_json::nlohmann_json Xxhash::headers Zstd::zstd)
set(bigsmall_parallel_links bigsmall TBB::tbb)
set(bigsmall_archive_links bigsmall_io bigsmall_parallel OpenSSL::Crypto)

# Archive stands on io and parallel, so asking for it asks for them.
set(bigsmall_wanted "${BIGSMALL_COMPONENTS}")
set(bigsmall_mode REQUIRED)
if(bigsmall_wanted STREQUAL "auto")
    set(bigsmall_wanted io parallel archive)
    set(bigsmall_mode QUIET)
elseif(bigsmall_wanted STREQUAL "none")
    set(bigsmall_wanted "")
elseif("archive" IN_LIST bigsmall_wanted)
    list(APPEND bigsmall_wanted io parallel)
endif()
foreach(component IN LISTS bigsmall_wanted)
    if(NOT component MATCHES "^(io|parallel|archive)$")
        message(FATAL_ERROR "BIGSMALL_COMPONENTS: no component is called \"${component}\"")
    endif()
endforeach()

set(bigsmall_built_components "")
foreach(component io parallel archive)
    if(NOT component IN_LIST bigsmall_wanted)
        continue()
    endif()
    cmake_language(CALL bigsmall_find_${component} ${bigsmall_mode})
    set(missing "")
    foreach(dependency IN LISTS bigsmall_${component}_links)
        if(NOT TARGET ${dependency})
            list(APPEND missing ${dependency})
        endif()
    endforeach()
    if(missing)
        list(JOIN missing ", " missing)
        message(STATUS "bigsmall::${component} is left out: ${missing} not found")
        continue()
    endif()
    add_library(bigsmall_${component} INTERFACE)
    add_library(bigsmall::${component} ALIAS bigsmall_${component})
    set_target_properties(bigsmall_${component} PROPERTIES EXPORT_NAME ${component})
    target_link_libraries(bigsmall_${component} INTERFACE ${bigsmall_${component}_links})
    list(APPEND bigsmall_built_components ${component})
endforeach()

# For what needs a component that may be absent: says which packages to install, or how to do without.
function(bigsmall_require component option_name)
    if(NOT TARGET bigsmall::${component})
        message(FATAL_ERROR
            "${option_name} needs bigsmall::${component}, whose packages were not all found (see above). "
            "scripts/packages.txt names them; -D${option_name}=OFF does without.")
    endif()
endfunction()
