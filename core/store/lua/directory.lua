-- SPDX-License-Identifier: MIT
-- In front of every script of the directory family, behind common.lua: accounts by name, attempts at passwords, the audit.
local function user_key(id) return P .. 'user:' .. id end
local function find_login(login)
  local lower = string.lower(login)
  return call('GET', P .. (string.find(lower, '@', 1, true) and 'email:' or 'username:') .. lower)
end
-- A change that has to reach the work family: a new version, and a note until it has arrived.
local function changed(id, fields)
  call('HSET', user_key(id), 'ver', tonumber(call('HGET', user_key(id), 'ver') or 0) + 1, unpack(fields))
  call('ZADD', P .. 'outbox', num(NOW), id)
end

-- What was done, by whom, to whom, from where. Three streams, so that nobody can push out what matters: what users do to
-- themselves, and failures that strangers cause, have bounds of their own.
local AUDIT = {['audit'] = 100000, ['audit:self'] = 50000, ['audit:failed'] = 20000}
local function audit(actor, action, target, address, detail)
  local stream = 'audit'
  if action == 'login_failed' then
    stream = 'audit:failed'
  elseif actor == target and call('HGET', user_key(actor), 'role') ~= 'admin' then
    stream = 'audit:self'
  end
  local id = call('INCR', P .. 'seq:audit') .. '-0' -- one order for all, and none that a clock can turn round
  call('XADD', P .. stream, 'MAXLEN', '~', AUDIT[stream], id, 'at', num(NOW), 'actor', actor, 'action', action, 'target',
    target, 'address', address, 'detail', detail or '')
end

-- Attempts at passwords. Failures are counted by pair, "try:p:<name>:<address>" {n, last}, by address, "try:a:<address>"
-- {n, last; open, at: attempts under way}, and by name, "try:n:<name>" {n}. Whoever waits waits for what that address has
-- done itself; a name that others are guessing leaves an address one free failure instead of `free`.
-- name is a digest: a name that was typed may be a password; '' = none (registration). free -1 = no waiting.
local WAIT_MAX, FORGET, UNDER_WAY, STUCK = 900000, 3600000, 8, 30000
local function try_name(login) return redis.sha1hex(string.lower(login)) end
local function try_pair(name, address) return P .. 'try:p:' .. name .. ':' .. address end
local function wait_of(failures, free, last)
  if failures < free or not last then return 0 end
  local delay = math.min(2 ^ math.min(failures - free, 20) * 1000, WAIT_MAX)
  return math.min(delay, tonumber(last) + delay - NOW) -- not longer, should the clock have been set back
end
local function name_wait(name, address, free)
  if name == '' then return 0 end
  local p = call('HMGET', try_pair(name, address), 'n', 'last')
  local own = tonumber(p[1] or 0)
  local others = tonumber(call('HGET', P .. 'try:n:' .. name, 'n') or 0) - own
  return wait_of(own, others >= free and math.min(free, 1) or free, p[2])
end
-- nil, or how many ms to wait.
local function attempt_begin(name, address, free)
  if free < 0 then return nil end
  local key = P .. 'try:a:' .. address
  local a = call('HMGET', key, 'n', 'last', 'open', 'at')
  local wait = math.max(name_wait(name, address, free), wait_of(tonumber(a[1] or 0), free, a[2]))
  if wait > 0 then return wait end
  local open = math.abs(NOW - tonumber(a[4] or 0)) < STUCK and tonumber(a[3] or 0) or 0 -- a process may have died
  if open >= UNDER_WAY then return 1000 end
  call('HSET', key, 'open', open + 1, 'at', num(NOW))
  call('PEXPIRE', key, FORGET)
  return nil
end
-- how: failed, right, dropped
local function attempt_end(name, address, free, how)
  if free < 0 then return end
  local key, pair = P .. 'try:a:' .. address, try_pair(name, address)
  local a = call('HMGET', key, 'n', 'open')
  local failures = tonumber(a[1] or 0)
  call('HSET', key, 'open', math.max(0, tonumber(a[2] or 0) - 1))
  if how == 'failed' then
    call('HSET', key, 'n', failures + 1, 'last', num(NOW))
    call('HINCRBY', P .. 'try:n:' .. name, 'n', 1)
    call('PEXPIRE', P .. 'try:n:' .. name, FORGET)
    call('HINCRBY', pair, 'n', 1)
    call('HSET', pair, 'last', num(NOW))
    call('PEXPIRE', pair, FORGET)
  elseif how == 'right' then -- what this address has failed on this name is forgiven, and nothing else
    call('HSET', key, 'n', math.max(0, failures - tonumber(call('HGET', pair, 'n') or 0)))
    call('DEL', P .. 'try:n:' .. name, pair)
  end
  call('PEXPIRE', key, FORGET)
end
