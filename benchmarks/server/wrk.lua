-- What wrk sends: one request for each cookie of a file, one after another, and the figures as one line of JSON.
--     wrk -s wrk.lua http://127.0.0.1:8000 -- COOKIES PATH
local requests, at = {}, 0

function init(arguments)
    for line in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("GET", arguments[2], {
            Host = "127.0.0.1", Cookie = line, Accept = "application/json", ["User-Agent"] = "benchmark"})
    end
    math.randomseed(os.time())
    at = math.random(#requests)  -- each time it begins elsewhere
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format('\n{"requests": %d, "us": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
