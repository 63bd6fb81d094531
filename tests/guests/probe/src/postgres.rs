//! `spin:postgres@4.2.0`.

mod statements;
mod values;

use spin_sdk::pg::Connection;
use spin_sdk::variables;

use crate::Seen;

pub async fn case(case: &str) -> Seen {
    match case {
        "values" => values::values().await,
        "nulls" => values::nulls().await,
        "arrays" => values::arrays().await,
        "ranges" => values::ranges().await,
        "decoded" => values::decoded().await,
        "unsupported" => values::unsupported().await,
        "rows" => statements::rows().await,
        "columns" => statements::columns().await,
        "broken" => statements::broken().await,
        "blocking" => statements::blocking().await,
        "builder" => statements::builder().await,
        "secured" => statements::secured().await,
        "errors" => statements::errors().await,
        "transaction" => statements::transaction().await,
        "abandoned" => statements::abandoned().await,
        "count" => statements::count().await,
        "keywords" => statements::keywords().await,
        "elsewhere" => statements::elsewhere().await,
        _ => Err(format!("no case {case}").into()),
    }
}

async fn connect() -> Result<Connection, Box<dyn std::error::Error>> {
    Ok(Connection::open(variables::get("database_url").await?).await?)
}
