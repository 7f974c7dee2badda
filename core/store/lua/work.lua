-- SPDX-License-Identifier: MIT
-- In front of every script of the work family, behind common.lua: reading jobs, and who may do what. Kept small: every
-- call runs it. What changes the queue is in queue.lua, what changes tokens in token.lua.
local EPOCH, SPAN = 1577836800000, 2 ^ 41 -- of index scores
local QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED = 0, 1, 2, 3, 4

-- The record of a job: a head of fixed width, the spec, the detail (what is behind detail_len is residue).
local HEAD = 194
local function job_key(ulid) return P .. 'job:' .. ulid end
local function n(s, a, b) return tonumber(string.sub(s, a, b)) end
local function head_parse(s)
  if #s < HEAD or string.sub(s, 1, 1) ~= '3' then return nil end
  return {
    state = n(s, 2, 2), prio = n(s, 3, 3), kind = n(s, 4, 6), attempt = n(s, 7, 9), max = n(s, 10, 12),
    losses = n(s, 13, 15), confirmed = n(s, 16, 16), cancel = n(s, 17, 17), progress = n(s, 18, 22),
    rev = n(s, 23, 32), fence = n(s, 33, 47), nonce = string.sub(s, 48, 63), created = n(s, 64, 78),
    started = n(s, 79, 93), ended = n(s, 94, 108), owner = string.match(string.sub(s, 109, 129), '^%S+'),
    spec = n(s, 130, 137), detail = n(s, 138, 145), cost = n(s, 146, 154), token = n(s, 155, 164),
    files = n(s, 165, 179), expires = n(s, 180, 194),
  }
end
local function head_format(j)
  return string.format('3%d%d%03d%03d%03d%03d%d%d%05d%010.0f%015.0f%s%015.0f%015.0f%015.0f%-21s%08d%08d%09.0f%010.0f%015.0f%015.0f',
    j.state, j.prio, j.kind, j.attempt, j.max, j.losses, j.confirmed, j.cancel, j.progress, j.rev, j.fence, j.nonce,
    j.created, j.started, j.ended, j.owner, j.spec, j.detail, j.cost, j.token, j.files, j.expires)
end
local function job_load(ulid) return head_parse(call('GETRANGE', job_key(ulid), 0, HEAD - 1)) end
local function job_answer(ulid, j) -- record without residue
  return call('GETRANGE', job_key(ulid), 0, HEAD + j.spec + j.detail - 1)
end

-- History indexes: one ZADD per scope and transition; every count is a ZCOUNT of a score range, so none can drift.
local function score_of(state, kind, created)
  return (state * 512 + kind) * SPAN + math.max(0, math.min(created - EPOCH, SPAN - 1))
end
local function count(key, state, kind) -- kind nil: of all kinds
  local lo, hi = (state * 512 + (kind or 0)) * SPAN, (state * 512 + (kind or 511) + 1) * SPAN - 1
  return call('ZCOUNT', key, num(lo), num(hi))
end

-- Kinds ("feature/model") have a small number for the index scores, given once, never reused.
local names = {} -- asked for in this call
local function kind_name(k)
  names[k] = names[k] or call('HGET', P .. 'kinds', '#' .. k)
  return names[k]
end

-- Who watches is told that something has changed, not what: state-based, a lost word costs nothing but time.
local function tell(owner, text)
  call('PUBLISH', P .. 'ev:' .. owner, text)
  call('PUBLISH', P .. 'ev', text)
end

-- Where a queued job stands (0 = nowhere: not yet due), and when it may begin, ms from now (-1 = nobody knows).
local paces = {} -- in this call, of a kind and an owner: ms that jobs take, how many run; false = nobody knows
local function place_of(ulid, j)
  local kind = kind_name(j.kind)
  local rank = call('ZRANK', P .. 'q:' .. kind .. ':' .. j.owner, ulid)
  if not rank then return 0, -1 end
  local pace = paces[kind .. ':' .. j.owner]
  if pace == nil then
    local took = tonumber(call('HGET', P .. 'vt:' .. kind, 'M') or nil)
    pace = took and call('SISMEMBER', P .. 'parked:' .. j.owner, kind) == 0 and {took, math.max(1, count(P .. 'i', PROCESSING, j.kind))}
    paces[kind .. ':' .. j.owner] = pace or false
  end
  if not pace then return rank + 1, -1 end
  return rank + 1, pace[1] * math.ceil((rank + 1) / pace[2])
end

-- What a client sees: the record, the place in the queue (0 = none), and when it may begin. A queued job of a deleted account
-- reads as cancelled until the reaper has come by. nil: there is none. One read, and the head of a job that is not queued is
-- not taken apart: a page has up to 500.
local owners = {} -- of queued jobs, in this call
local function job_seen(ulid)
  local record = call('GET', job_key(ulid))
  if not record or #record < HEAD or string.sub(record, 1, 1) ~= '3' then return nil end
  record = string.sub(record, 1, HEAD + n(record, 130, 137) + n(record, 138, 145))
  if n(record, 2, 2) ~= QUEUED then return record, 0, -1 end
  local j = head_parse(record)
  local u = owners[j.owner] or (j.owner ~= '-' and call('HMGET', P .. 'u:' .. j.owner, 'status', 'deleted')) or {}
  owners[j.owner] = u
  if u[1] == 'deleted' then
    j.state, j.ended = CANCELLED, tonumber(u[2] or NOW)
    return head_format(j) .. string.sub(record, HEAD + 1), 0, -1
  end
  return record, place_of(ulid, j)
end

-- Who asks: ARGV[1] o = open, t = token, s = system, u = signed URL; ARGV[2] token hash, or of a URL "<user id or -> <end,
-- Unix s>"; ARGV[3] scope bit; ARGV[4] 1 = admins only.
-- Returns owner ('' = none), sees-everything, {bits: what it may, gen, max_queued, number: of the token, limited: it has scopes of its own, only: it may read
-- what it submitted itself, and nothing else}; or nil and the symbol of the refusal.
-- A token may do what an administrator may only with the scope for it.
local READ, WRITE, ADMIN, ALL = 1, 2, 32, 63
local function token_access()
  local key = P .. 'token:' .. ARGV[2]
  local tk = call('HMGET', key, 'owner', 'expires', 'scopes', 'used', 'gen', 'number')
  if not tk[1] then return nil, 'TOKEN_INVALID' end
  local expires = tonumber(tk[2] or 0)
  if expires > 0 and expires <= NOW then return nil, 'TOKEN_EXPIRED' end
  return tk[1], tonumber(tk[3] or ALL), tonumber(tk[5] or 0), tonumber(tk[6] or 0), tk[3], function()
    if NOW - tonumber(tk[4] or 0) > 60000 then redis.pcall('HSET', key, 'used', num(NOW)) end
  end
end
local function access(about_job)
  local url = ARGV[1] == 'u'
  if ARGV[1] ~= 't' and not url then return '', true, {bits = ALL} end
  local owner, bits, gen, number, limited, used
  if url then
    local id, ends = string.match(ARGV[2], '^(%S+) (%d+)$')
    if not id or tonumber(ends) * 1000 <= NOW then return nil, 'SIGNATURE_INVALID' end
    if id == '-' then return '', true, {bits = READ} end
    owner, bits = id, READ + ADMIN
  else
    owner, bits, gen, number, limited, used = token_access()
    if not owner then return nil, bits end
  end
  local u = call('HMGET', P .. 'u:' .. owner, 'status', 'role', 'gen', 'max_queued_jobs')
  if url and u[1] ~= 'active' then return nil, 'SIGNATURE_INVALID' end
  if not u[1] or u[1] == 'deleted' or (gen and gen < tonumber(u[3] or 0)) then return nil, 'TOKEN_INVALID' end
  if u[1] ~= 'active' then return nil, 'USER_DISABLED' end
  local role = u[2] == 'admin'
  if not role then bits = bit.band(bits, ALL - ADMIN) end
  local admin = bit.band(bits, ADMIN) ~= 0
  if ARGV[4] == '1' and not role then return nil, 'ADMIN_REQUIRED' end
  local need = tonumber(ARGV[3])
  local only = about_job and need == READ and bit.band(bits, READ + WRITE) == WRITE
  if need > 0 and bit.band(bits, need) == 0 and not only then return nil, 'SCOPE_MISSING' end
  if ARGV[4] == '1' and not admin then return nil, 'ADMIN_REQUIRED' end
  if used then used() end
  return owner, admin,
    {bits = bits, gen = tonumber(u[3] or 0), max_queued = tonumber(u[4] or ''), number = number, only = only, limited = limited}
end
local function admin_flag(admin) return admin and '1' or '0' end

-- Access to one job: the credential, whether it exists, whose it is. Returns it, owner, sees-everything; or nil and the
-- answer. A token without jobs:read reads nothing that it did not submit, not even whether it is there.
local function job_access(ulid)
  local owner, admin, may = access(true)
  if not owner then return nil, {admin} end
  local j = job_load(ulid)
  local refused
  if may.only and not (j and j.owner == owner and j.token == may.number) then
    refused = 'SCOPE_MISSING'
  elseif not j then
    refused = 'JOB_NOT_FOUND'
  elseif not admin and j.owner ~= owner then
    refused = 'JOB_FORBIDDEN'
  end
  if refused then return nil, {refused, owner, admin_flag(admin)} end
  return j, owner, admin
end
