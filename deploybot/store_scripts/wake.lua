-- Wake one thread, now or because its time came.
-- KEYS: due times, the flag of a waiting wake-up.
-- ARGV: job, thread, id and time of the wake-up; for a sweep: milliseconds until the next one, and
--   1 when no wake-up waits at all.
if ARGV[5] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local due = redis.call('ZSCORE', KEYS[1], ARGV[2])
  if not due or tonumber(due) > now then
    return 0 -- another clock was quicker, or nothing is due any more
  end
  redis.call('ZADD', KEYS[1], now + ARGV[5], ARGV[2])
  if ARGV[6] == '1' then
    redis.call('DEL', KEYS[2]) -- nothing waited, so the one that the flag speaks of is gone
  end
end
return enqueue(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
