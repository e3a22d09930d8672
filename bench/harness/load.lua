-- What wrk asks for and says: wrk ... -s load.lua URL -- TOKEN METHOD PATH [BODY]
-- In BODY, %d becomes a number that no other request has; runs begin in different seconds.

local begun, number, asked, body

function init(args)
  wrk.headers["authorization"] = "Bearer " .. args[1]
  wrk.method = args[2]
  wrk.path = args[3]
  body = args[4]
  begun = os.time()
  number = 0
  if body == nil then
    asked = wrk.format()
  else
    wrk.headers["content-type"] = "application/json"
  end
end

function request()
  if body == nil then
    return asked
  end
  number = number + 1
  return wrk.format(nil, nil, nil, (body:gsub("%%d", begun .. "." .. number)))
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format(
    '\n{"requests":%d,"failed":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f}',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
