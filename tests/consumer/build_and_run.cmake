# SPDX-License-Identifier: BSL-1.0
# cmake -DSOURCE=... -DBUILD=... -DOPTIONS=... -P build_and_run.cmake
# Configures the project from nothing, builds it, runs its program `consumer`. OPTIONS are |-separated.
file(REMOVE_RECURSE "${BUILD}")
string(REPLACE "|" ";" OPTIONS "${OPTIONS}")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" ${OPTIONS} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BUILD}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${BUILD}/consumer" WORKING_DIRECTORY "${BUILD}" COMMAND_ERROR_IS_FATAL ANY)
