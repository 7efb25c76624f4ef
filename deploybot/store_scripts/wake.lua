-- Wake one thread, now or because its time came.
-- KEYS: due times. ARGV: a JSON header; the fields of the wake-up job.
local ask = cjson.decode(ARGV[1])
if ask.sweep_ms then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local due = redis.call('ZSCORE', KEYS[1], ask.thread)
  if not due or tonumber(due) > now then
    return 0 -- another clock was quicker, or nothing is due any more
  end
  redis.call('ZADD', KEYS[1], now + ask.sweep_ms, ask.thread)
  if ask.lost then
    redis.call('DEL', ask.job.flag) -- nothing waited, so the one that the flag speaks of is gone
  end
end
return enqueue(ask.job, 2)
