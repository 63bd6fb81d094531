//! The one moment in which a crash lets somebody be told twice: after a message was taken, and before the
//! ledger has it.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::ensure;
use sqlx::PgConnection;

use crate::figures::{Finding, Report};

/// Of every message that the development's catcher took: from its file to the ledger's note. Both are
/// times of one clock.
pub async fn measure(connection: &mut PgConnection, mails: &Path) -> anyhow::Result<Report> {
    const NOTED: &str = "
        select provider_id, (extract(epoch from updated_at) * 1e6)::bigint
        from deliveries
        where status = 'sent' and provider = 'catcher'";
    let noted: Vec<(String, i64)> = sqlx::query_as(NOTED).fetch_all(connection).await?;
    let mut windows_ms = Vec::with_capacity(noted.len());
    for (id, noted_us) in noted {
        let file = mails.join(id).with_extension("json");
        let taken = file.metadata()?.modified()?.duration_since(UNIX_EPOCH)?;
        let noted = Duration::from_micros(noted_us.try_into()?);
        windows_ms.push(1e3 * (noted.as_secs_f64() - taken.as_secs_f64()).max(0.0));
    }
    ensure!(!windows_ms.is_empty(), "nobody was told anything");
    windows_ms.sort_by(f64::total_cmp);
    let at = |share: usize| windows_ms[(windows_ms.len() - 1) * share / 100];
    let finding = |what: &str, value| Finding::new(what, vec![value], None);
    Ok(Report {
        title: format!(
            "From a message that was taken to the ledger's note, {}",
            windows_ms.len()
        ),
        columns: Vec::new(),
        rows: Vec::new(),
        findings: vec![
            finding("half of them within, ms", at(50)),
            finding("99 of a hundred within, ms", at(99)),
        ],
    })
}
