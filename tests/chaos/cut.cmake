# SPDX-License-Identifier: MIT
#
# Lua scripts in which one guard is cut, for binaries that the chaos suite must find to be broken. Run by the rules of
# CMakeLists.txt (cmake -P, with GUARD, LUA and OUT): copies the folder LUA to OUT and cuts. A text that is no longer
# there stops the build: a guard that was rewritten needs its cut rewritten.

# `text` in `file` becomes `instead`, wherever it stands.
function(cut file text instead)
  file(READ "${OUT}/${file}" whole)
  string(FIND "${whole}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${file} does not have what ${GUARD} cuts: ${text}")
  endif()
  string(REPLACE "${text}" "${instead}" whole "${whole}")
  file(WRITE "${OUT}/${file}" "${whole}")
endfunction()

file(REMOVE_RECURSE "${OUT}")
file(COPY "${LUA}/" DESTINATION "${OUT}")
if(GUARD STREQUAL "no-fence") # any attempt may speak for the job that runs
  cut(queue.lua " or num(j.fence) ~= fence or j.nonce ~= nonce" "")
  cut(complete.lua " or num(j.fence) ~= ARGV[2] or j.nonce ~= ARGV[3]" "")
  cut(fail.lua " or num(j.fence) ~= ARGV[2] or j.nonce ~= ARGV[3]" "")
elseif(GUARD STREQUAL "no-idempotency") # every submit is a new one
  cut(submit.lua "if ARGV[6] ~= '' then" "if false then")
else()
  message(FATAL_ERROR "no guard of the name ${GUARD}")
endif()
