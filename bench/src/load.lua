-- Sends the requests of a file over and over, and ends with one line of JSON. Requests are made before the clock starts, so
-- that the generator, which shares the machine with the shop, has next to nothing left to do for each.
-- Arguments: the file, with a line "METHOD <tab> path <tab> token <tab> body" for each; "keys" for an Idempotency-Key of its own in
-- each, begun with the third argument, which no other run may have used.

local requests, keyed, run = {}, false, ''
local at, sent = 0, 0
local mark = '@key@'

function init(args)
  keyed, run = args[2] == 'keys', args[3] or ''
  for line in io.lines(args[1]) do
    local method, path, token, body = line:match('^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$')
    local headers = {}
    if token ~= '' then headers['Authorization'] = 'Bearer ' .. token end
    if body ~= '' then headers['Content-Type'] = 'application/json' end
    if keyed then headers['Idempotency-Key'] = mark end
    local request = wrk.format(method, path, headers, body ~= '' and body or nil)
    if keyed then
      local first, last = request:find(mark, 1, true)
      requests[#requests + 1] = { request:sub(1, first - 1), request:sub(last + 1) }
    else
      requests[#requests + 1] = request
    end
  end
end

function request()
  at = at % #requests + 1
  if not keyed then return requests[at] end
  sent = sent + 1
  return requests[at][1] .. run .. '-' .. sent .. requests[at][2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
