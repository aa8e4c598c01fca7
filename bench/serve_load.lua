-- wrk: the bodies of a file, one a line, in turn; each thread begins elsewhere. Prints one JSON line: counts, statuses, latencies.
--   wrk … -s serve_load.lua URL -- BODIES
local bodies, at, threads = {}, 0, {}

function setup(thread)
  thread:set("offset", #threads * 37)
  table.insert(threads, thread)
end

function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  at = offset
  good, busy, other = 0, 0, 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end

function response(status)
  if status == 200 then good = good + 1 elseif status == 429 then busy = busy + 1 else other = other + 1 end
end

function done(summary, latency)
  local good, busy, other = 0, 0, 0
  for _, thread in ipairs(threads) do
    good, busy, other = good + thread:get("good"), busy + thread:get("busy"), other + thread:get("other")
  end
  local errors = summary.errors
  io.write(string.format('{"good": %d, "busy": %d, "other": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f, "errors": %d}\n',
    good, busy, other, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout))
end
