-- Books slot after slot, none twice: number n is the hour n / practitioners of the practitioner
-- n % practitioners. Arguments: the first number, how many practitioners, the first hour (seconds
-- since 1970), and the patients' tokens, who take turns.
local n, practitioners, first
local tokens = {}

init = function(args)
    n, practitioners, first = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
    for at = 4, #args do
        tokens[at - 3] = args[at]
    end
end

request = function()
    local practitioner = string.format("00000000-0000-0000-0000-%012x", n % practitioners)
    local slot = os.date("!%Y-%m-%dT%H:%M:%SZ", first + 3600 * math.floor(n / practitioners))
    local headers = {
        ["Authorization"] = "Bearer " .. tokens[n % #tokens + 1],
        ["Content-Type"] = "application/json",
        ["Idempotency-Key"] = "bench-" .. n,
    }
    n = n + 1
    local body = '{"practitioner_id":"' .. practitioner .. '","slot_start":"' .. slot .. '"}'
    return wrk.format("POST", "/v1/bookings", headers, body)
end

-- It reports as all others do.
dofile((debug.getinfo(1, "S").source:sub(2):gsub("[^/]*$", "")) .. "report.lua")
