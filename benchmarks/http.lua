-- The requests of a round: two in five are parametrised, one is nested, one matches nothing. One at a time on each
-- connection, as browsers and proxies send them.
local paths = { "/", "/users/17", "/users/42/orders/9", "/users/4711", "/nowhere" }
local requests = {}
local sent = 0
init = function()
  for index, path in ipairs(paths) do
    requests[index] = wrk.format("GET", path)
  end
end
request = function()
  sent = sent + 1
  return requests[sent % #requests + 1]
end
