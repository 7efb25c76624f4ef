-- One line of progress, and the delivery that shows it to the thread it belongs to, if any.
-- ARGV: a JSON header; the line; the fields of the wake-up job.
local ask = cjson.decode(ARGV[1])
redis.call('XADD', ask.progress, 'MAXLEN', '~', ask.most, '*', 'e', ARGV[2])
redis.call('EXPIRE', ask.progress, ask.seconds)
if not ask.thread then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', ask.due, time[1] * 1000 + ask.grace_ms, ask.thread)
return enqueue(ask.job, 3)
