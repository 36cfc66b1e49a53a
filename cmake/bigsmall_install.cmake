# SPDX-License-Identifier: BSL-1.0
# Install rules. Two install components: bigsmall_dev (headers and package files), bigsmall_tool (the tool).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Nothing here depends on the machine, so the package files belong under share.
set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/bigsmall")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/bigsmall"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT bigsmall_dev FILES_MATCHING PATTERN "*.hpp")

# One export set per component, so that a user's find_package looks only for what he asked for.
install(TARGETS bigsmall EXPORT bigsmall_bigsmall)
install(EXPORT bigsmall_bigsmall NAMESPACE bigsmall:: FILE bigsmall_bigsmall.cmake
    DESTINATION "${package_dir}" COMPONENT bigsmall_dev)
foreach(component IN LISTS bigsmall_built_components)
    install(TARGETS bigsmall_${component} EXPORT bigsmall_${component})
    install(EXPORT bigsmall_${component} NAMESPACE bigsmall:: FILE bigsmall_${component}.cmake
        DESTINATION "${package_dir}" COMPONENT bigsmall_dev)
endforeach()

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/bigsmallConfig.cmake.in" "${PROJECT_BINARY_DIR}/bigsmallConfig.cmake"
    INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/bigsmallConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
    "${PROJECT_BINARY_DIR}/bigsmallConfig.cmake" "${PROJECT_BINARY_DIR}/bigsmallConfigVersion.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/FindZstd.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindXxhash.cmake"
    DESTINATION "${package_dir}" COMPONENT bigsmall_dev)

set(pkgconfig_files bigsmall.pc)
if(TARGET bigsmall::archive)
    list(APPEND pkgconfig_files bigsmall-archive.pc)
endif()
# The prefix is told relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH pc_prefix "/prefix/${pkgconfig_dir}" "/prefix")
foreach(pc IN LISTS pkgconfig_files)
    configure_file("${CMAKE_CURRENT_LIST_DIR}/${pc}.in" "${PROJECT_BINARY_DIR}/${pc}" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${pc}" DESTINATION "${pkgconfig_dir}" COMPONENT bigsmall_dev)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT bigsmall_dev)

if(TARGET bigsmall_tool)
    install(TARGETS bigsmall_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT bigsmall_tool)
    # The tool writes these files itself (`bigsmall generate`) and they are committed; OPTIONAL until they are.
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
        COMPONENT bigsmall_tool OPTIONAL FILES_MATCHING PATTERN "*.1")
    set(completions "${PROJECT_SOURCE_DIR}/apps/bigsmall/completions")
    install(FILES "${completions}/bigsmall.bash" RENAME bigsmall OPTIONAL
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT bigsmall_tool)
    install(FILES "${completions}/_bigsmall" OPTIONAL
        DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions" COMPONENT bigsmall_tool)
    install(FILES "${completions}/bigsmall.fish" OPTIONAL
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" COMPONENT bigsmall_tool)
endif()
