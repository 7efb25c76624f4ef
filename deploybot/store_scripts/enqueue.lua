-- Put in front of every script that wakes somebody, and behind what it names in capitals:
-- FLAG, FLAG_SECONDS; JOBS, in JSON what the job library stores of each kind of job.
-- One waiting wake-up per job and thread is enough: the flag says that one waits, and the job
-- clears it before it looks at the thread, so whatever is written later wakes again.
-- `id` is the new job's, `at` the time as the library writes it.
local function enqueue(name, thread, id, at)
  local flag = FLAG .. name .. ':' .. thread
  if redis.call('SET', flag, id, 'NX', 'EX', FLAG_SECONDS) == false then
    return 0
  end
  local job = cjson.decode(JOBS)[name]
  redis.call('HSET', job.key .. id,
    'created_at', at, 'enqueued_at', at,
    'data', cjson.encode({job.call, cjson.null, {thread}, {}}),
    'description', job.call .. '(' .. thread .. ')',
    unpack(job.fields))
  redis.call('SADD', job.queues, job.queue)
  redis.call('RPUSH', job.queue, id)
  return 1
end
