//! The commands that a guest may give on a connection that it shares.

use ::redis::Cmd;

use super::{Error, RedisParameter};

/// Commands that block the connection, change what it means to the others on it, or are not
/// answered by exactly one reply: after those, everybody would get somebody else's.
const EXCLUSIVE_COMMANDS: [&str; 40] = [
    "ASKING",
    "AUTH",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLIENT",
    "DEBUG",
    "DISCARD",
    "EXEC",
    "FAILOVER",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "REPLICAOF",
    "RESET",
    "SELECT",
    "SHUTDOWN",
    "SLAVEOF",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SWAPDB",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WAIT",
    "WAITAOF",
    "WATCH",
];

/// Commands that are exclusive with one word among their arguments.
const EXCLUSIVE_WITH: [(&str, &str); 3] = [
    ("SCRIPT", "DEBUG"),
    ("XREAD", "BLOCK"),
    ("XREADGROUP", "BLOCK"),
];

/// A command of the guest's own. One name in several words is several arguments to the server:
/// `SCRIPT LOAD` is the command `SCRIPT` with the argument `LOAD`.
pub fn free_command(name: &str, arguments: &[RedisParameter]) -> Result<Cmd, Error> {
    if is_exclusive(name, arguments) {
        return Err(Error::Refused(format!(
            "{name} is not possible: the connection is shared"
        )));
    }
    let mut command = ::redis::cmd(name);
    for argument in arguments {
        match argument {
            RedisParameter::Int64(number) => command.arg(*number),
            RedisParameter::Binary(bytes) => command.arg(bytes.as_slice()),
        };
    }
    Ok(command)
}

fn is_exclusive(name: &str, arguments: &[RedisParameter]) -> bool {
    let is = |other: &&str| name.trim().eq_ignore_ascii_case(other);
    let has = |other: &str| {
        arguments.iter().any(|argument| match argument {
            RedisParameter::Binary(word) => word.eq_ignore_ascii_case(other.as_bytes()),
            RedisParameter::Int64(_) => false,
        })
    };
    EXCLUSIVE_COMMANDS.iter().any(is)
        || EXCLUSIVE_WITH
            .iter()
            .any(|(command, word)| is(command) && has(word))
}
