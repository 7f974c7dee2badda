-- SPDX-License-Identifier: MIT
-- Whose data this is. Writes nothing, unlike check.lua.
-- KEYS[1] -> directory prefix
-- Output: ok, version of the schema, id of the artifact store ('' = there is none yet)
return {'ok', call('GET', P .. 'schema') or '', call('GET', P .. 'store') or ''}
