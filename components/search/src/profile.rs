//! A practitioner's profile as it stands in a document.

use praxis_platform::database::{Error, Row};
use praxis_platform::index::{Field, GeoPoint, Value};

use crate::documents::field;

/// The fields that may be without a value.
pub const OPTIONAL: [&str; 3] = ["rating", "languages", "telehealth"];

/// From a row with the columns of `practitioners` that a document has; a field without a value is left
/// out.
pub fn fields(row: &Row) -> Result<Vec<Field>, Error> {
    let text = |column| row.get::<String>(column);
    let number = |column| row.get::<f64>(column);
    let location = GeoPoint {
        lat: number("lat")?,
        lon: number("lon")?,
    };
    let fields = [
        ("name", Value::Text(text("name")?)),
        ("specialty", Value::Keyword(text("specialty")?)),
        ("practice", Value::Keyword(text("practice")?)),
        ("city", Value::Keyword(text("city")?)),
        ("country", Value::Keyword(text("country")?)),
        ("time_zone", Value::Keyword(text("time_zone")?)),
        ("location", Value::Geo(location)),
        ("active", Value::Boolean(row.get("active")?)),
    ];
    let mut fields: Vec<_> = fields.map(|(name, value)| field(name, value)).into();
    // 0: nobody has rated yet.
    fields.extend(
        Some(number("rating")?)
            .filter(|rating| *rating > 0.0)
            .map(|rating| field("rating", Value::Number(rating))),
    );
    // Left out where it is not so: a document of before there was such a field is right.
    let telehealth = Some(row.get("telehealth")?).filter(|telehealth| *telehealth);
    fields.extend(telehealth.map(|flag| field("telehealth", Value::Boolean(flag))));
    let languages: Vec<String> = row.json("languages")?;
    fields.extend(
        Some(languages)
            .filter(|languages| !languages.is_empty())
            .map(|languages| field("languages", Value::Keywords(languages))),
    );
    Ok(fields)
}

/// A version as the index counts them.
pub fn version(version: i64) -> Result<u64, Error> {
    u64::try_from(version).map_err(|_| Error::Broken(format!("a version is {version}")))
}
