# SPDX-License-Identifier: MIT
#
# The Lua scripts as C. Included by CMakeLists.txt it adds the rule to p3d-core; run by that rule (cmake -P, with
# NAMES, LUA and OUT) it writes OUT: a table with name, SHA-1 and bytes of every script of scripts.def. The bytes are
# lua/common.lua, then its preludes, then lua/<name>.lua. Lines that are only a comment become empty, so the numbers of lines stay.

# Comment lines out of VAR; not those that open a long comment.
function(p3d_lua_read file var)
  file(READ "${file}" text)
  string(REGEX REPLACE "\n[ \t]*--([^[\n][^\n]*)?" "\n" text "\n${text}")
  string(SUBSTRING "${text}" 1 -1 text)
  if(NOT text MATCHES "\n$")
    string(APPEND text "\n")
  endif()
  set(${var} "${text}" PARENT_SCOPE)
endfunction()

# text as the rows of a C array in VAR, its digest in VAR_sha1.
function(p3d_lua_bytes text var)
  file(WRITE "${OUT}.tmp" "${text}")
  file(READ "${OUT}.tmp" hex HEX)
  file(SHA1 "${OUT}.tmp" sha1)
  file(REMOVE "${OUT}.tmp")
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  set(${var} "${hex}" PARENT_SCOPE)
  set(${var}_sha1 "${sha1}" PARENT_SCOPE)
endfunction()

# The names in VAR, their preludes (separated by spaces) in VAR_preludes.
function(p3d_lua_names def var)
  file(STRINGS "${def}" rows REGEX "^P3D_SCRIPT\\([a-z0-9_]+, [a-z ]+\\)")
  list(TRANSFORM rows REPLACE "^P3D_SCRIPT\\(([a-z0-9_]+), ([a-z ]+)\\).*" "\\2" OUTPUT_VARIABLE preludes)
  list(TRANSFORM rows REPLACE "^P3D_SCRIPT\\(([a-z0-9_]+), ([a-z ]+)\\).*" "\\1")
  set(${var} "${rows}" PARENT_SCOPE)
  set(${var}_preludes "${preludes}" PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  p3d_lua_names("${NAMES}" names)
  p3d_lua_read("${LUA}/common.lua" common)
  set(arrays "")
  set(rows "")
  foreach(name preludes IN ZIP_LISTS names names_preludes)
    set(prelude "${common}")
    string(REPLACE " " ";" preludes "${preludes}")
    foreach(file IN LISTS preludes)
      p3d_lua_read("${LUA}/${file}.lua" text)
      string(APPEND prelude "${text}")
    endforeach()
    list(GET preludes 0 family)
    string(REGEX REPLACE "[^\n]" "" newlines "${prelude}")
    string(LENGTH "${newlines}" lines)
    string(TOUPPER "${family}" upper)
    if(NOT EXISTS "${LUA}/${name}.lua")
      message(FATAL_ERROR "scripts.def names ${name}, but there is no ${LUA}/${name}.lua")
    endif()
    p3d_lua_read("${LUA}/${name}.lua" own)
    p3d_lua_bytes("${prelude}${own}" bytes)
    string(APPEND arrays "static const unsigned char text_${name}[] = {\n${bytes}\n};\n")
    string(APPEND rows "    {\"${name}\", \"${bytes_sha1}\", P3D_KEY_${upper}, ${lines}, "
      "{(const char *)text_${name}, sizeof text_${name}}},\n")
  endforeach()
  file(WRITE "${OUT}" "/* Made by embed.cmake from scripts.def and the scripts. */\n"
    "#include \"conn_parts_internal.h\"\n#include \"keys_internal.h\"\n\n${arrays}\n"
    "const struct p3d_script_info p3d_script_table[P3D_SCRIPT__COUNT] = {\n${rows}};\n")
  return()
endif()

set(P3D_LUA_DIR "${CMAKE_CURRENT_LIST_DIR}/lua" CACHE PATH "folder of the Lua scripts")
mark_as_advanced(P3D_LUA_DIR)
set(p3d_scripts_def "${CMAKE_CURRENT_LIST_DIR}/scripts.def")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${p3d_scripts_def}")
p3d_lua_names("${p3d_scripts_def}" p3d_lua)
list(TRANSFORM p3d_lua REPLACE "(.+)" "${P3D_LUA_DIR}/\\1.lua")
set(p3d_scripts_c "${CMAKE_CURRENT_BINARY_DIR}/scripts.c")
add_custom_command(OUTPUT "${p3d_scripts_c}"
  COMMAND "${CMAKE_COMMAND}" -D "NAMES=${p3d_scripts_def}" -D "LUA=${P3D_LUA_DIR}" -D "OUT=${p3d_scripts_c}"
    -P "${CMAKE_CURRENT_LIST_FILE}"
  DEPENDS "${p3d_scripts_def}" "${P3D_LUA_DIR}/common.lua" "${P3D_LUA_DIR}/directory.lua" "${P3D_LUA_DIR}/work.lua"
    "${P3D_LUA_DIR}/queue.lua" "${P3D_LUA_DIR}/token.lua" "${P3D_LUA_DIR}/doctor.lua" ${p3d_lua} "${CMAKE_CURRENT_LIST_FILE}"
  COMMENT "Embedding the Lua scripts" VERBATIM)
# The target lives one folder up, so the rule needs a target of its own here.
add_custom_target(p3d-scripts DEPENDS "${p3d_scripts_c}")
add_dependencies(p3d-core p3d-scripts)
set_source_files_properties("${p3d_scripts_c}" TARGET_DIRECTORY p3d-core PROPERTIES GENERATED TRUE)
target_sources(p3d-core PRIVATE "${p3d_scripts_c}")
target_include_directories(p3d-core PRIVATE "${CMAKE_CURRENT_LIST_DIR}")
