//! What Redis does in one step.

use praxis_platform::cache::Script;
use praxis_platform::days::GENERATIONS;

/// Does `each` with the hash that answers, and with the one beside it. Says what came of the first, and
/// if there is another, its role, its generation, and what came of it.
const EACH: &str = "
    local answer = each(current)
    if not beside then
        return answer
    end
    return table.concat({answer, state[3], state[2], each(beside)}, ' ')
    ";

/// ARGV: a token, its time to live. Says who has the claim.
pub const CLAIM: Script = Script(&["
    local held = redis.call('GET', KEYS[1])
    if held then
        return held
    end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]
    "]);

/// ARGV: the token, what to leave in its place (empty: nothing), for how long. Of a claim that has
/// run out nothing is touched: it may be another's.
pub const RELEASE: Script = Script(&["
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
        return 'lost'
    end
    if ARGV[2] == '' then
        redis.call('DEL', KEYS[1])
    else
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    end
    return 'released'
    "]);

/// ARGV: the snapshot's version, the zone, the terms, the time to live, then pairs of date and
/// `version,open,booked`. Fills the dates that are missing or older.
pub const FILL: Script = Script(&[
    GENERATIONS,
    "
    local function each(key)
        local held = redis.call('HGET', key, 'v')
        if held and tonumber(ARGV[1]) < tonumber(held) then
            return 'stale'
        end
        if not held then
            redis.call('HSET', key, 'v', ARGV[1], 'zone', ARGV[2])
            redis.call('EXPIRE', key, ARGV[4])
        elseif redis.call('HGET', key, 'zone') ~= ARGV[2] then
            -- An event on its way has moved the practitioner: it starts the hash anew.
            return 'stale'
        end
        redis.call('HSET', key, 'terms', ARGV[3])
        for i = 5, #ARGV, 2 do
            local day = redis.call('HGET', key, ARGV[i])
            if not day or tonumber(string.match(day, '^%d+')) < tonumber(ARGV[1]) then
                redis.call('HSET', key, ARGV[i], ARGV[i + 1])
            end
        end
        return 'filled'
    end
    ",
    EACH,
]);

/// ARGV: the event's version, then triples of date, hour bit and `1` booked or `0` free.
pub const APPLY: Script = Script(&[
    GENERATIONS,
    "
    local version = tonumber(ARGV[1])
    local function each(key)
        local held = redis.call('HGET', key, 'v')
        if not held or version > tonumber(held) + 1 then
            return 'gap'
        end
        if version <= tonumber(held) then
            return 'stale'
        end
        for i = 2, #ARGV, 3 do
            local day = redis.call('HGET', key, ARGV[i])
            if day then
                local loaded, open, booked = string.match(day, '^(%d+),(%d+),(%d+)$')
                -- Equal: one event may change two hours of a date, and twice is once.
                if tonumber(loaded) <= version then
                    local hour = tonumber(ARGV[i + 1])
                    if ARGV[i + 2] == '1' then
                        booked = bit.bor(tonumber(booked), hour)
                    else
                        booked = bit.band(tonumber(booked), bit.bnot(hour))
                    end
                    redis.call('HSET', key, ARGV[i], ARGV[1] .. ',' .. open .. ',' .. booked)
                end
            end
        end
        redis.call('HSET', key, 'v', ARGV[1])
        return 'applied'
    end
    ",
    EACH,
]);

/// ARGV: the snapshot's version, the zone, the terms, the time to live, and `older` or nothing. Forgets
/// every date that is older (with `older`: nothing of a hash that has the snapshot's version): they are
/// loaded when somebody asks.
pub const RESET: Script = Script(&[
    GENERATIONS,
    "
    local version = tonumber(ARGV[1])
    local function each(key)
        local held = tonumber(redis.call('HGET', key, 'v') or -1)
        if version < held or version == held and ARGV[5] == 'older' then
            return 'stale'
        end
        redis.call('DEL', key)
        redis.call('HSET', key, 'v', ARGV[1], 'zone', ARGV[2], 'terms', ARGV[3])
        redis.call('EXPIRE', key, ARGV[4])
        return 'reset'
    end
    ",
    EACH,
]);

/// ARGV: the version that was seen (empty: none), the time to live, and a JSON list as in `LOAD`. Every date
/// is there at once: nothing is emptied, least of all what is being built and is to have its days before
/// anybody asks. Whoever loaded an older snapshot meanwhile finds something newer.
pub const HEAL: Script = Script(&[
    GENERATIONS,
    "
    local new = cjson.decode(ARGV[3])
    local function each(key)
        if (redis.call('HGET', key, 'v') or '') ~= ARGV[1] then
            return 'changed'
        end
        redis.call('DEL', key)
        redis.call('HSET', key, 'v', new[1], 'zone', new[2], 'terms', new[3], unpack(new, 4))
        redis.call('EXPIRE', key, ARGV[2])
        return 'healed'
    end
    ",
    EACH,
]);

/// KEYS: the generations; ARGV: the generation that is being built, the time to live, then for each
/// practitioner the key of the hash and a JSON list: version, zone, terms, and pairs as in `FILL`. The
/// list has every date that can be booked, so a hash that is older gives way to it as a whole.
pub const LOAD: Script = Script(&["
    local state = redis.call('HMGET', KEYS[1], 'beside', 'role')
    if state[1] ~= ARGV[1] or state[2] ~= 'building' then
        return 'gone'
    end
    for i = 3, #ARGV, 2 do
        local key = ARGV[i]
        local new = cjson.decode(ARGV[i + 1])
        local held = tonumber(redis.call('HGET', key, 'v') or -1)
        local version = tonumber(new[1])
        if held <= version then
            if held < version then
                redis.call('DEL', key)
            end
            redis.call('HSET', key, 'v', new[1], 'zone', new[2], 'terms', new[3], unpack(new, 4))
            redis.call('EXPIRE', key, ARGV[2])
        end
    end
    return 'loaded'
    "]);

/// ARGV: keys of hashes. Each as a JSON list of its fields and values.
pub const WHOLE: Script = Script(&["
    local all = {}
    for i = 1, #ARGV do
        all[i] = cjson.encode(redis.call('HGETALL', ARGV[i]))
    end
    return all
    "]);

/// KEYS: the generations.
pub const STATE: Script = Script(&["
    return redis.call('HMGET', KEYS[1], 'current', 'beside', 'role')
    "]);

/// KEYS: the generations; ARGV: the one to begin.
pub const BEGIN: Script = Script(&["
    if redis.call('HEXISTS', KEYS[1], 'beside') == 1 then
        return 'conflict'
    end
    redis.call('HSET', KEYS[1], 'beside', ARGV[1], 'role', 'building')
    return 'done'
    "]);

/// KEYS: the generations; ARGV: the one beside, which answers from now on.
pub const SWITCH: Script = Script(&["
    local state = redis.call('HMGET', KEYS[1], 'current', 'beside')
    if state[2] ~= ARGV[1] then
        return 'conflict'
    end
    redis.call('HSET', KEYS[1], 'current', ARGV[1], 'beside', state[1] or '1', 'role', 'previous')
    return 'done'
    "]);

/// KEYS: the generations; ARGV: the one beside.
pub const REMOVE: Script = Script(&["
    if redis.call('HGET', KEYS[1], 'beside') ~= ARGV[1] then
        return 'conflict'
    end
    redis.call('HDEL', KEYS[1], 'beside', 'role')
    return 'done'
    "]);
