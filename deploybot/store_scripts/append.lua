-- Everything one append means, or nothing at all.
-- KEYS: stream; threads; status before and after; due advances, operations and deliveries.
-- ARGV: thread; length it must have; number of events; when an advance, operation and delivery are
--   due, '' for never; which wake-up besides the delivery, or ''; the ids of both; the time as the
--   job library writes it; whatever else is asked for, in JSON, or ''; each event and its MAC.
local thread, events = ARGV[1], tonumber(ARGV[3])
local also = ARGV[11] ~= '' and cjson.decode(ARGV[11]) or {}

-- Look first, write later: nothing below may refuse once something has been written.
for index, key in ipairs(also.dedupe or {}) do
  local holder = redis.call('GET', key)
  if holder then
    return {'duplicate', index, holder}
  end
end
local length = redis.call('XLEN', KEYS[1])
if length ~= tonumber(ARGV[2]) then
  return {'conflict', length}
end
if also.claim then
  local holder = redis.call('HGET', also.operations, also.claim.place)
  if holder then
    return {'busy', holder}
  end
  local fence = tonumber(redis.call('HGET', also.fences, also.claim.place) or '0')
  if also.claim.fence ~= fence + 1 then
    return {'fence', fence + 1}
  end
end
if also.held and also.held.must_find then
  if (redis.call('HGET', also.holds, also.held.field) or '') ~= also.held.must_find then
    return {'held'}
  end
end

for index = 1, events do
  local at = 10 + 2 * index
  redis.call('XADD', KEYS[1], (length + index) .. '-0', 'e', ARGV[at], 'm', ARGV[at + 1])
end
for _, key in ipairs(also.dedupe or {}) do
  redis.call('SET', key, thread, 'EX', also.dedupe_seconds)
end
for _, key in ipairs(also.aliases or {}) do
  redis.call('SET', key, thread, 'EX', also.alias_seconds)
end

local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
redis.call('ZADD', KEYS[2], now, thread)
if KEYS[3] ~= KEYS[4] then
  redis.call('ZREM', KEYS[3], thread)
end
redis.call('ZADD', KEYS[4], now, thread)
for index = 5, 7 do
  local due = ARGV[index - 1]
  if due == '' then
    redis.call('ZREM', KEYS[index], thread)
  else
    redis.call('ZADD', KEYS[index], due, thread)
  end
end

if also.claim then
  redis.call('HSET', also.operations, also.claim.place, also.claim.record)
  redis.call('HSET', also.fences, also.claim.place, also.claim.fence)
  redis.call('SET', also.claim.lease, thread, 'PX', also.claim.lease_ms)
  redis.call('SET', also.claim.owner, thread, 'EX', also.claim.owner_seconds)
end
if also.release then
  local holder = redis.call('HGET', also.operations, also.release.place)
  if holder and cjson.decode(holder).id == also.release.id then
    redis.call('HDEL', also.operations, also.release.place)
    redis.call('DEL', also.release.lease, also.release.stop)
  end
end
if also.held and also.held.record then
  redis.call('HSET', also.holds, also.held.field, also.held.record)
elseif also.held then
  redis.call('HDEL', also.holds, also.held.field)
end
if also.stop then
  redis.call('SET', also.stop.key, also.stop.why, 'EX', also.stop.seconds)
end

-- Lines: leave one, join one; whoever is next looks now when a place became free, and again later
-- in case nobody frees it by an append.
local looking = 0
local function look_soon(line, now_ms)
  local head = redis.call('ZRANGE', line, 0, 0)[1]
  if head and head ~= thread then
    redis.call('ZADD', KEYS[5], now_ms, head)
    looking = looking + 1
    enqueue('advance', head, ARGV[9] .. 'h' .. looking, ARGV[10])
  end
end
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if also.leaves and redis.call('ZREM', also.leaves, thread) == 1 and not also.claim then
  look_soon(also.leaves, now_ms)
end
if also.joins then
  if not redis.call('ZSCORE', also.joins.line, thread) then
    local number = redis.call('INCR', also.joins.counter)
    redis.call('ZADD', also.joins.line, also.joins.first and -number or number, thread)
    redis.call('SADD', also.joins.lines, also.joins.place)
  end
  if redis.call('ZRANK', also.joins.line, thread) == 0 and also.joins.waits then
    redis.call('ZADD', KEYS[5], now_ms + also.joins.again_ms, thread)
  end
end
if also.release then
  look_soon(also.line_prefix .. also.release.place, now_ms)
end
if also.held and also.held.everything then
  local ending = also.held.everything
  for _, waited_for in ipairs(redis.call('SMEMBERS', also.lines)) do
    if string.sub(waited_for, -#ending) == ending then
      look_soon(also.line_prefix .. waited_for, now_ms)
    end
  end
elseif also.held then
  look_soon(also.line_prefix .. also.held.place, now_ms)
end

enqueue('deliver', thread, ARGV[8], ARGV[10])
if ARGV[7] ~= '' then
  enqueue(ARGV[7], thread, ARGV[9], ARGV[10])
end
return {'stored', length + events}
