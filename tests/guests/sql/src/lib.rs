//! A component that reads PostgreSQL and answers in JSON: `/one` gives one row by its key, `/rows`
//! a thousand.

use serde::Serialize;
use spin_sdk::http::{Request, Response, StatusCode};
use spin_sdk::pg::{Connection, DbValue, Decode, ParameterValue};
use spin_sdk::wit_bindgen::StreamResult;
use spin_sdk::{http_service, variables};

const ONE: &str = "select id, name, city, rating from things where id = $1";
const ROWS: &str = "select id, name, city, rating from things order by id limit 1000";
/// The row that `/one` reads.
const ID: i64 = 4711;
/// Rows taken over at once.
const ROWS_PER_READ: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Serialize)]
struct Thing {
    id: i64,
    name: String,
    city: String,
    rating: f64,
}

#[http_service]
async fn serve(request: Request) -> Response<String> {
    let things = match request.uri().path() {
        "/one" => read(ONE, vec![ParameterValue::Int64(ID)]).await,
        "/rows" => read(ROWS, vec![]).await,
        path => Err(format!("no case {path}").into()),
    };
    let json = things.and_then(|things| Ok(serde_json::to_string(&things)?));
    let (status, text) = match json {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

async fn read(statement: &str, parameters: Vec<ParameterValue>) -> Result<Vec<Thing>> {
    let address = variables::get("database_url").await?;
    let database = Connection::open(address).await?;
    let result = database.query(statement, parameters).await?;
    let (_, mut rows, end) = result.into_inner();
    let mut things = Vec::new();
    loop {
        let (status, batch) = rows.read(Vec::with_capacity(ROWS_PER_READ)).await;
        for row in batch {
            things.push(Thing::try_from(row)?);
        }
        if !matches!(status, StreamResult::Complete(_)) {
            break;
        }
    }
    end.await?;
    Ok(things)
}

impl TryFrom<Vec<DbValue>> for Thing {
    type Error = Box<dyn std::error::Error>;

    fn try_from(row: Vec<DbValue>) -> Result<Self> {
        let [id, name, city, rating] = row.as_slice() else {
            return Err("a thing has four columns".into());
        };
        Ok(Self {
            id: Decode::decode(id)?,
            name: Decode::decode(name)?,
            city: Decode::decode(city)?,
            rating: Decode::decode(rating)?,
        })
    }
}
