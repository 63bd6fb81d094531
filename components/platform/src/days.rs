//! The hashes of days in the cache: of the generation that answers, in one round trip.

use praxis_domain::bitmap;
use uuid::Uuid;

use crate::cache::{Cache, Error, Script};

/// KEYS: the hash of the first generation, and where it stands which ones there are. Since each script
/// looks there itself, all of them act on what is so at that moment, on every host; no other cache would
/// do. So it takes one Redis, not a cluster: the two keys may lie on two nodes.
pub const GENERATIONS: &str = "
    local state = redis.call('HMGET', KEYS[2], 'current', 'beside', 'role')
    local function of(generation)
        return generation == '1' and KEYS[1] or KEYS[1] .. ':' .. generation
    end
    local current = of(state[1] or '1')
    local beside = state[2] and of(state[2])
    ";

/// ARGV: the fields.
const READ: Script = Script(&[
    GENERATIONS,
    "
    return redis.call('HMGET', current, unpack(ARGV))
    ",
]);

/// The two keys of every script that begins with `GENERATIONS`.
pub fn keys(cache: &Cache, practitioner: Uuid) -> [String; 2] {
    [
        bitmap::key(cache.prefix(), practitioner),
        bitmap::generations_key(cache.prefix()),
    ]
}

/// The fields of a practitioner's hash, in order; none for each that is not there.
pub async fn fields(
    cache: &Cache,
    practitioner: Uuid,
    fields: &[String],
) -> Result<Vec<Option<String>>, Error> {
    let values = cache.run(&READ, &keys(cache, practitioner), fields).await?;
    if values.len() != fields.len() {
        let detail = format!("HMGET gave {} of {} values", values.len(), fields.len());
        return Err(Error::Broken(detail));
    }
    Ok(values)
}
