# SPDX-License-Identifier: BSL-1.0
# cmake -DBUILD=... -DPREFIX=... -P install.cmake: the library, freshly installed for the other tests here.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}" --component bigsmall_dev
    COMMAND_ERROR_IS_FATAL ANY)
