-- Looks at the free slots of one practitioner after the other. Arguments: how many there are, the first
-- date, the last.
local n, practitioners, range = 0, 0, ""

init = function(args)
    practitioners = tonumber(args[1])
    range = "/availability?from=" .. args[2] .. "&to=" .. args[3]
end

request = function()
    local practitioner = string.format("00000000-0000-0000-0000-%012x", n % practitioners)
    n = n + 1
    return wrk.format("GET", "/v1/practitioners/" .. practitioner .. range)
end

-- It reports as all others do.
dofile((debug.getinfo(1, "S").source:sub(2):gsub("[^/]*$", "")) .. "report.lua")
