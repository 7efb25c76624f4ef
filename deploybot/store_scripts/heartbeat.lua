-- Renew a lease that has not run out, for the operation that still holds the place.
-- KEYS: operations, lease. ARGV: place, operation id, milliseconds.
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if not holder or cjson.decode(holder).id ~= ARGV[2] then
  return 0
end
return redis.call('PEXPIRE', KEYS[2], ARGV[3])
