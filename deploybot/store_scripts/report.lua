-- One line of progress, and the delivery that shows it to the thread it belongs to, if any.
-- KEYS: progress, due deliveries.
-- ARGV: the line; most lines kept; seconds they are kept; thread or ''; milliseconds within which it
--   is shown; id and time of the wake-up.
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'e', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if ARGV[4] == '' then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] * 1000 + ARGV[5], ARGV[4])
return enqueue('deliver', ARGV[4], ARGV[6], ARGV[7])
