# SPDX-License-Identifier: BSL-1.0
# Runs PROGRAM with SAMPLE as its argument in RUN_DIR, emptied first so that each run meets the same folder.
file(REMOVE_RECURSE "${RUN_DIR}")
file(MAKE_DIRECTORY "${RUN_DIR}")
execute_process(COMMAND "${PROGRAM}" "${SAMPLE}" WORKING_DIRECTORY "${RUN_DIR}" COMMAND_ERROR_IS_FATAL ANY)
