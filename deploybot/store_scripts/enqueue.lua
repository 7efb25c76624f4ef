-- Put in front of every script that wakes somebody.
-- One waiting wake-up per job and thread is enough: the flag says that one waits, and the job
-- clears it before it looks at the thread, so whatever is written later wakes again.
local function enqueue(job, first)
  if redis.call('SET', job.flag, job.id, 'NX', 'EX', job.flag_seconds) == false then
    return 0
  end
  redis.call('HSET', job.key, unpack(ARGV, first, first + job.fields - 1))
  redis.call('SADD', job.queues, job.queue)
  redis.call('RPUSH', job.queue, job.id)
  return 1
end
