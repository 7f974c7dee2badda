-- SPDX-License-Identifier: MIT
-- A token: for whoever asks, or (after a login) for the account that is named.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> user id, '' = the caller's   ARGV[6] -> generation when it was asked for,
-- '' = the caller's   ARGV[7..13] -> as put_token (token.lua)
-- Output: ok, caller, admin, scopes in effect, created ms | refusal | USER_NOT_FOUND | LOGIN_FAILED another generation, or
--   not active any more
--   | SCOPE_MISSING, caller, admin, the lowest scope that the caller's own token lacks
local caller, admin, may = access()
if not caller then return {admin} end
local owner = ARGV[5] ~= '' and ARGV[5] or caller
local u = call('HMGET', P .. 'u:' .. owner, 'status', 'gen', 'role')
if u[1] ~= 'active' then return {ARGV[5] ~= '' and 'LOGIN_FAILED' or 'USER_NOT_FOUND', caller, admin_flag(admin)} end
local gen = u[2] or '0'
if ARGV[6] ~= '' and ARGV[6] ~= gen then return {'LOGIN_FAILED', caller, admin_flag(admin)} end
local all = u[3] == 'admin' and ALL or ALL - ADMIN
local wanted = tonumber(ARGV[12]) == 0 and all or tonumber(ARGV[12])
local missing = bit.band(wanted, ALL - may.bits)
if missing ~= 0 then return {'SCOPE_MISSING', caller, admin_flag(admin), bit.band(missing, -missing)} end
-- All of what a limited token may is what it may today: not what its user may one day.
if may.limited and tonumber(ARGV[12]) == 0 then ARGV[12] = num(wanted) end
put_token(owner, gen, ARGV, 7)
return {'ok', caller, admin_flag(admin), bit.band(wanted, all), num(NOW)}
