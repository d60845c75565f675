-- The requests of a round: two in five are parametrised, one is nested, one matches nothing. Sent twenty at a time, so
-- that the server's time is spent on requests and less of it on sockets.
local paths = { "/", "/users/17", "/users/42/orders/9", "/users/4711", "/nowhere" }
local requests
init = function()
  local formatted = {}
  for index = 1, 20 do
    formatted[index] = wrk.format("GET", paths[index % #paths + 1])
  end
  requests = table.concat(formatted)
end
request = function()
  return requests
end
