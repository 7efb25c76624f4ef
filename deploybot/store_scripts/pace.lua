-- One message more for a channel, unless it must wait: the generic cell rate algorithm.
-- KEYS: the channel's key. ARGV: microseconds a message costs; microseconds of burst.
-- Answers 0, or the microseconds to wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = due + cost - burst - now
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%d', due + cost), 'PX', math.ceil((burst + cost) / 1000) + 1000)
return 0
