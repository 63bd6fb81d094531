//! The documents of these tests: shops.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use praxis_host::capabilities::index::embedded::Embedded;
use praxis_host::capabilities::index::opensearch::Opensearch;
use praxis_host::capabilities::index::{
    Change, Clause, DateRange, DatesFacet, Facet, Factor, Field, Flag, Gauss, GeoDistance,
    GeoPoint, Indexes, NumberValue, Order, Page, Query, Schema, Terms, Value, ValuesFacet, Words,
    WordsMatch, schemas,
};
use praxis_host::manifest::FieldType;
use praxis_servers::Server;

use crate::tools::tool;

pub const SHOPS: &str = "shops";
pub const MUNICH: GeoPoint = GeoPoint {
    lat: 48.137,
    lon: 11.575,
};

pub fn schema() -> BTreeMap<String, Schema> {
    let fields = [
        ("active", FieldType::Boolean),
        ("motto", FieldType::Stored),
        ("name", FieldType::Text),
        ("opens", FieldType::Date),
        ("place", FieldType::GeoPoint),
        ("stars", FieldType::Number),
        ("tongues", FieldType::Keyword),
        ("trade", FieldType::Keyword),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
    schemas(&BTreeMap::from([(SHOPS.into(), BTreeMap::from(fields))])).unwrap()
}

pub fn embedded(folder: &Path) -> Indexes {
    let product = Embedded::open(folder, "test-", &schema()).unwrap();
    Indexes::new(schema(), Arc::new(product))
}

pub fn opensearch(url: &str) -> Indexes {
    let product = Opensearch::new(url, "test-", &schema()).unwrap();
    Indexes::new(schema(), Arc::new(product))
}

pub async fn opensearch_server(folder: &Path) -> Server {
    let program = tool("osmem-server");
    praxis_servers::opensearch::start(&program, folder)
        .await
        .unwrap()
}

/// A change from the source `profile`.
pub fn shop(id: &str, version: u64, fields: Vec<Field>) -> Change {
    Change {
        id: id.into(),
        source: "profile".into(),
        version,
        fields,
    }
}

/// A change from the source `hours`.
pub fn hours(id: &str, version: u64, opens: i64) -> Change {
    Change {
        id: id.into(),
        source: "hours".into(),
        version,
        fields: vec![field("opens", Value::Date(opens))],
    }
}

pub fn field(name: &str, value: Value) -> Field {
    Field {
        name: name.into(),
        value,
    }
}

pub fn name(text: &str) -> Field {
    field("name", Value::Text(text.into()))
}

pub fn trade(trade: &str) -> Field {
    field("trade", Value::Keyword(trade.into()))
}

/// Which languages are spoken there.
pub fn tongues(all: &[&str]) -> Field {
    let all = all.iter().map(|one| (*one).to_owned());
    field("tongues", Value::Keywords(all.collect()))
}

pub fn stars(stars: f64) -> Field {
    field("stars", Value::Number(stars))
}

pub fn active(active: bool) -> Field {
    field("active", Value::Boolean(active))
}

/// So many metres north of Munich.
pub fn north(metres: f64) -> Field {
    let lat = MUNICH.lat + (metres / 6_371_008.771_4).to_degrees();
    field("place", Value::Geo(GeoPoint { lat, ..MUNICH }))
}

pub fn all() -> Query {
    Query {
        filter: Vec::new(),
        score: Vec::new(),
        order: Order::Score,
        facets: Vec::new(),
        limit: 100,
        cursor: None,
        distance_from: None,
    }
}

pub fn only(clause: Clause) -> Query {
    Query {
        filter: vec![clause],
        ..all()
    }
}

pub fn of_trade(trade: &str) -> Clause {
    of_trades(&[trade])
}

pub fn of_trades(trades: &[&str]) -> Clause {
    Clause::Terms(Terms {
        field: "trade".into(),
        values: trades.iter().map(|trade| (*trade).into()).collect(),
    })
}

pub fn speaks(tongues: &[&str]) -> Clause {
    Clause::Terms(Terms {
        field: "tongues".into(),
        values: tongues.iter().map(|one| (*one).into()).collect(),
    })
}

pub fn nearest(from: GeoPoint) -> Order {
    Order::Nearest(("place".into(), from))
}

pub fn earliest() -> Order {
    Order::Earliest("opens".into())
}

pub fn trades_counted(limit: u32) -> Facet {
    Facet::Values(ValuesFacet {
        field: "trade".into(),
        limit,
    })
}

pub fn tongues_counted(limit: u32) -> Facet {
    Facet::Values(ValuesFacet {
        field: "tongues".into(),
        limit,
    })
}

pub fn openings_counted(bounds: &[i64]) -> Facet {
    Facet::Dates(DatesFacet {
        field: "opens".into(),
        bounds: bounds.into(),
    })
}

pub fn is_active(value: bool) -> Clause {
    Clause::Flag(Flag {
        field: "active".into(),
        value,
    })
}

pub fn near(center: GeoPoint, radius_m: f64) -> Clause {
    Clause::GeoDistance(GeoDistance {
        field: "place".into(),
        center,
        radius_m,
    })
}

pub fn opens(from: Option<i64>, to: Option<i64>) -> Clause {
    Clause::DateRange(DateRange {
        field: "opens".into(),
        from,
        to,
    })
}

pub fn named(text: &str) -> Clause {
    Clause::Words(Words {
        field: "name".into(),
        text: text.into(),
        typos: false,
    })
}

pub fn named_nearly(text: &str) -> Clause {
    Clause::Words(Words {
        field: "name".into(),
        text: text.into(),
        typos: true,
    })
}

pub fn nearness(origin: GeoPoint, scale_m: f64) -> Factor {
    Factor::Gauss(Gauss {
        field: "place".into(),
        origin,
        scale_m,
        decay: 0.5,
    })
}

pub fn by_stars(missing: f64) -> Factor {
    Factor::NumberValue(NumberValue {
        field: "stars".into(),
        missing,
    })
}

/// As exact with 32 bits, which weights have there, as with 64: what is the same here is the same there.
pub const BEGINNING: f64 = 0.75;
pub const OTHERWISE: f64 = 0.5;

pub fn called(text: &str) -> Factor {
    Factor::WordsMatch(WordsMatch {
        field: "name".into(),
        text: text.into(),
        beginning: BEGINNING,
        otherwise: OTHERWISE,
    })
}

pub fn ids(page: &Page) -> Vec<&str> {
    page.hits.iter().map(|hit| hit.id.as_str()).collect()
}

pub async fn apply(indexes: &Indexes, changes: &[Change]) {
    for batch in changes.chunks(500) {
        indexes.apply(SHOPS, batch).await.unwrap();
    }
}

pub async fn search(indexes: &Indexes, query: &Query) -> Page {
    indexes.search(SHOPS, query).await.unwrap()
}

/// The ids that a query finds, in order.
pub async fn found(indexes: &Indexes, query: &Query) -> Vec<String> {
    let page = search(indexes, query).await;
    page.hits.into_iter().map(|hit| hit.id).collect()
}
