-- SPDX-License-Identifier: MIT
-- First call of a process: schema version, and the artifact store that belongs to this Redis.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> schema version of this program   ARGV[2] -> id of its artifact store
-- Output: ok | CONFIG, reason
-- Invariant: `schema` and `store` are written once, by the first process.
call('SET', P .. 'schema', ARGV[1], 'NX')
local schema = tonumber(call('GET', P .. 'schema'))
if schema ~= tonumber(ARGV[1]) then
  return {'CONFIG', 'the data in Redis has schema ' .. schema .. ', this program works with ' .. ARGV[1]}
end
call('SET', P .. 'store', ARGV[2], 'NX')
if call('GET', P .. 'store') ~= ARGV[2] then
  return {'CONFIG', 'artifact.root is not the store that this Redis knows: mount that one, or use another Redis'}
end
return {'ok'}
