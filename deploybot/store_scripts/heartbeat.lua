-- Renew a lease that has not run out, for the operation that still holds the place.
-- Returns 0 when it is not, else 1, or the wish of a person that it stop.
-- KEYS: operations, lease, stop. ARGV: place, operation id, milliseconds.
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if not holder or cjson.decode(holder).id ~= ARGV[2] then
  return 0
end
if redis.call('PEXPIRE', KEYS[2], ARGV[3]) == 0 then
  return 0
end
return redis.call('GET', KEYS[3]) or 1
