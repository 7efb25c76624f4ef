-- Wake one thread, now or because its time came.
-- KEYS: due times, the flag of a waiting wake-up.
-- ARGV: job, thread, id and time of the wake-up; for a sweep: milliseconds until the next one.
if ARGV[5] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local due = redis.call('ZSCORE', KEYS[1], ARGV[2])
  if not due or tonumber(due) > now then
    return 0 -- another clock was quicker, or nothing is due any more
  end
  redis.call('ZADD', KEYS[1], now + ARGV[5], ARGV[2])
  -- The flag must not outlive the wake-up that it speaks of, nor end before it: while a queue is
  -- long, a second one for the same thread would only make it longer.
  local flagged = redis.call('GET', KEYS[2])
  if flagged and not redis.call('LPOS', cjson.decode(JOBS)[ARGV[1]].queue, flagged) then
    redis.call('DEL', KEYS[2])
  end
end
return enqueue(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
