# SPDX-License-Identifier: MIT
# Options of the presets, and the interface targets that every target of ours links.
option(P3D_WERROR "warnings are errors" OFF)
option(P3D_LTO "link-time optimisation" OFF)
option(P3D_TESTS "build the tests" OFF)
option(P3D_FUZZ "build the fuzz targets" OFF)
option(P3D_COVERAGE "count covered lines" OFF)
set(P3D_SANITIZE "" CACHE STRING "value of -fsanitize=")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
if(P3D_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(H2O REQUIRED IMPORTED_TARGET libh2o-evloop)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)

add_library(p3d_warnings INTERFACE)
target_compile_options(p3d_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes
  $<$<BOOL:${P3D_WERROR}>:-Werror>)

add_library(p3d_hardening INTERFACE)
target_compile_definitions(p3d_hardening INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(p3d_hardening INTERFACE -fno-omit-frame-pointer -fstack-protector-strong
  $<$<CONFIG:Release>:-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection -UNDEBUG>
  $<$<BOOL:${P3D_COVERAGE}>:--coverage>)
target_link_options(p3d_hardening INTERFACE -pie -Wl,-z,relro,-z,now $<$<BOOL:${P3D_COVERAGE}>:--coverage>)
if(P3D_SANITIZE)
  target_compile_options(p3d_hardening INTERFACE -fsanitize=${P3D_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(p3d_hardening INTERFACE -fsanitize=${P3D_SANITIZE})
endif()
