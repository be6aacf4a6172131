-- For wrk: sends the requests of a file in their order, and prints what came back as one line of JSON.

local requests, last = {}, 0

function init(arguments)
  for text in io.open(arguments[1], "rb"):read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = text
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"seconds": %f, "answers": %d, "refused": %d, "broken": %d, "mean": %f, "p95": %f}',
    summary.duration / 1e6, summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency.mean / 1e6, latency:percentile(95) / 1e6))
end
