# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMPILER=... -DSOURCE=... -DINCLUDE=... -P check.cmake
# Passes when SOURCE does not compile and the output holds, literally, the text after `// expect: ` in it.
file(STRINGS "${SOURCE}" expectation REGEX "^// expect: " LIMIT_COUNT 1)
if(NOT expectation)
    message(FATAL_ERROR "${SOURCE} has no line `// expect: TEXT`")
endif()
string(REGEX REPLACE "^// expect: " "" text "${expectation}")

# The C locale keeps the compiler's quotes plain.
execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C
            "${COMPILER}" -std=c++20 -fsyntax-only -I "${INCLUDE}" "${SOURCE}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "${SOURCE} must not compile, but it compiles")
endif()
# The compiler quotes source lines, and with them the expectation itself: only its messages count.
string(REPLACE "// expect: ${text}" "" output "${output}")
string(FIND "${output}" "${text}" position)
if(position EQUAL -1)
    message(FATAL_ERROR "the compiler does not say\n  ${text}\nfor ${SOURCE}; it says\n${output}")
endif()
