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
    list(FILTER scripts INCLUDE REGEX "/(directory|hostile|info_stat|overwrite|roundtrip|usage|verify)\\.sh$")
endif()
foreach(script IN LISTS scripts)
    cmake_path(GET script STEM name)
    add_test(NAME cli.${name} COMMAND "${BASH_PROGRAM}" "${script}")
    set_tests_properties(cli.${name} PROPERTIES LABELS cli TIMEOUT 600 SKIP_RETURN_CODE 77
        ENVIRONMENT "BIGSMALL=$<TARGET_FILE:bigsmall_tool>;SOURCE_DIR=${PROJECT_SOURCE_DIR};${test_environment}")
endforeach()
