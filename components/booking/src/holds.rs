//! What time takes away: holds that have run out, announced, so that their slots are free for
//! everybody to see; old receipts; and waiting whose time is over.

use praxis_platform::database::{Database, ParameterValue};
use praxis_platform::events::Failure;

use crate::{sql, waitlist};

const HOLDS_PER_STATEMENT_MAX: i32 = 100;
const RECEIPTS_PER_STATEMENT_MAX: i32 = 1000;
const STATEMENTS_PER_TICK_MAX: u32 = 50;

pub async fn expire() -> Result<(), Failure> {
    let database = Database::open().await?;
    for _ in 0..STATEMENTS_PER_TICK_MAX {
        let limit = ParameterValue::Int32(HOLDS_PER_STATEMENT_MAX);
        let row = database.row(sql::EXPIRE_HOLDS, vec![limit]).await?;
        let expired: i64 = row.map_or(Ok(0), |row| row.get("expired"))?;
        if expired < HOLDS_PER_STATEMENT_MAX.into() {
            break;
        }
    }
    // One statement a tick is enough, for nobody waits for it.
    let limit = ParameterValue::Int32(RECEIPTS_PER_STATEMENT_MAX);
    database.row(sql::PRUNE_RECEIPTS, vec![limit]).await?;
    waitlist::prune(&database).await?;
    Ok(())
}
