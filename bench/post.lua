-- A POST with an id of its own each time. wrk starts this file once a thread.
local count = 0
local thread = 0

function setup(t)
  thread = thread + 1
  t:set("number", thread)
end

function init(args)
  salt = args[1]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  count = count + 1
  local id = string.format("%s-%04x-7000-8000-%012x", salt, number, count)
  return wrk.format(nil, nil, nil, '{"id":"' .. id .. '","action":"delay","seconds":0,"note":"for the benchmark"}')
end

function response(status)
  if status ~= 201 then failed = (failed or 0) + 1 end
end
