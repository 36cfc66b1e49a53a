# SPDX-License-Identifier: BSL-1.0
# cli/*.sh: each is run by bash. lib.sh holds what they share. Exit code 77 means skipped.
if(NOT BIGSMALL_BUILD_APPS)
    return()
endif()
find_program(BASH_PROGRAM bash REQUIRED)
file(GLOB scripts CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cli/*.sh")
list(REMOVE_ITEM scripts "${CMAKE_CURRENT_SOURCE_DIR}/cli/lib.sh")
# Under a sanitizer only those that feed the tool what strangers make, and that do not time or measure it.
if(BIGSMALL_SANITIZE)
    list(FILTER scripts INCLUDE REGEX "/(directory|hostile|info_stat|overwrite|repair|reshard|roundtrip|skip_damaged|usage|verify)\\.sh$")
endif()
# Preloaded, it makes the tool's calls on files fail.
set(fault_shim "")
if(NOT BIGSMALL_SANITIZE AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_library(bigsmall_fault_shim MODULE faults/fault_shim.cpp)
    bigsmall_own_target(bigsmall_fault_shim)
    target_compile_features(bigsmall_fault_shim PRIVATE cxx_std_20)
    target_link_libraries(bigsmall_fault_shim PRIVATE ${CMAKE_DL_LIBS})
    set(fault_shim ";BIGSMALL_FAULT_SHIM=$<TARGET_FILE:bigsmall_fault_shim>")
endif()
foreach(script IN LISTS scripts)
    cmake_path(GET script STEM name)
    add_test(NAME cli.${name} COMMAND "${BASH_PROGRAM}" "${script}")
    set_tests_properties(cli.${name} PROPERTIES LABELS cli TIMEOUT 600 SKIP_RETURN_CODE 77
        ENVIRONMENT "BIGSMALL=$<TARGET_FILE:bigsmall_tool>;SOURCE_DIR=${PROJECT_SOURCE_DIR}${fault_shim};${test_environment}")
endforeach()
