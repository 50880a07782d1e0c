-- wrk: ask one path, or each path of a file once from an offset on; end with one line of JSON.
local paths, fixed = {}, nil
at = 0 -- global: done reads it from the thread
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  for line in io.lines(args[1]) do
    table.insert(paths, line)
  end
  at = tonumber(args[2])
  for i = 3, #args - 1, 2 do
    wrk.headers[args[i]] = args[i + 1]
  end
  if #paths == 1 then
    fixed = wrk.format("GET", paths[1])
  end
end

function request()
  if fixed then
    return fixed
  end
  at = at + 1
  return wrk.format("GET", paths[(at - 1) % #paths + 1])
end

local function number(value)
  return value == value and value or 0 -- no request, no percentile
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.4f, "p99": %.4f, "errors": %d, "at": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, number(latency:percentile(50)) / 1e3, number(latency:percentile(99)) / 1e3,
    e.status + e.connect + e.read + e.write + e.timeout, threads[1]:get("at") or 0))
end
