-- Everything one append means, or nothing at all.
-- ARGV: a JSON header; event and MAC of each event; the fields of each wake-up job.
local ask = cjson.decode(ARGV[1])
local stream = ask.stream

-- Look first, write later: nothing below may refuse once something has been written.
for index, key in ipairs(ask.dedupe) do
  local holder = redis.call('GET', key)
  if holder then
    return {'duplicate', index, holder}
  end
end
local length = redis.call('XLEN', stream)
if length ~= ask.expected then
  return {'conflict', length}
end
if ask.claim then
  local holder = redis.call('HGET', ask.operations, ask.claim.place)
  if holder then
    return {'busy', holder}
  end
  local fence = tonumber(redis.call('HGET', ask.fences, ask.claim.place) or '0')
  if ask.claim.fence ~= fence + 1 then
    return {'fence', fence + 1}
  end
end

for index = 1, ask.events do
  local at = 2 * index
  redis.call('XADD', stream, (length + index) .. '-0', 'e', ARGV[at], 'm', ARGV[at + 1])
end
for _, key in ipairs(ask.dedupe) do
  redis.call('SET', key, ask.thread, 'EX', ask.dedupe_seconds)
end
for _, key in ipairs(ask.aliases) do
  redis.call('SET', key, ask.thread, 'EX', ask.alias_seconds)
end

local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
redis.call('ZADD', ask.threads, now, ask.thread)
if ask.was ~= ask.status then
  redis.call('ZREM', ask.was, ask.thread)
end
redis.call('ZADD', ask.status, now, ask.thread)
for _, due in ipairs(ask.due) do
  if due.at then
    redis.call('ZADD', due.key, due.at, ask.thread)
  else
    redis.call('ZREM', due.key, ask.thread)
  end
end

if ask.claim then
  redis.call('HSET', ask.operations, ask.claim.place, ask.claim.record)
  redis.call('HSET', ask.fences, ask.claim.place, ask.claim.fence)
  redis.call('SET', ask.claim.lease, ask.thread, 'PX', ask.claim.lease_ms)
  redis.call('SET', ask.claim.owner, ask.thread, 'EX', ask.claim.owner_seconds)
end
if ask.release then
  local holder = redis.call('HGET', ask.operations, ask.release.place)
  if holder and cjson.decode(holder).id == ask.release.id then
    redis.call('HDEL', ask.operations, ask.release.place)
    redis.call('DEL', ask.release.lease)
  end
end
if ask.hold then
  redis.call('HSET', ask.holds, ask.hold.place, ask.hold.record)
end

local first = 2 * ask.events + 2
for _, job in ipairs(ask.jobs) do
  enqueue(job, first)
  first = first + job.fields
end
return {'stored', length + ask.events}
