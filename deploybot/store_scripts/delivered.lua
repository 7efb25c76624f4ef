-- Take the mark for delivery away, unless the thread has grown meanwhile.
-- KEYS: stream, marks. ARGV: thread, length told.
if redis.call('XLEN', KEYS[1]) > tonumber(ARGV[2]) then
  return 0
end
return redis.call('ZREM', KEYS[2], ARGV[1])
