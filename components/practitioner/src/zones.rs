//! The rules of the zones in use, written down anew: years pass, and a new build may know other rules.

use praxis_domain::zone::Zone;
use praxis_platform::clock;
use praxis_platform::database::Database;
use praxis_platform::events::Failure;
use praxis_platform::zones;

/// Each zone that a practitioner is in: from one to the next in the index, since practitioners are many
/// and zones few.
const IN_USE: &str = "
    with recursive used as (
        select min(time_zone) as time_zone
        from practitioners
        union all
        select (
            select min(p.time_zone)
            from practitioners p
            where p.time_zone > used.time_zone
        )
        from used
        where used.time_zone is not null
    )
    select time_zone
    from used
    where time_zone is not null";

pub async fn refresh() -> Result<(), Failure> {
    let database = Database::open().await?;
    let mut used = Vec::new();
    for row in database.rows(IN_USE, Vec::new()).await? {
        let name: String = row.get("time_zone")?;
        match Zone::parse(&name) {
            Ok(zone) => used.push(zone),
            // Its practitioners can't be booked, as long as this build runs.
            Err(unknown) => eprintln!("the rules of a zone in use are not known: {unknown}"),
        }
    }
    zones::keep(&database, &used, clock::now()).await?;
    Ok(())
}
