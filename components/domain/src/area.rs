//! Where, for what and when somebody wants an appointment, as the body of a request says it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::calendar::YEARS;
use crate::practitioner::Specialty;
use crate::search::{Around, RADIUS_KM_MAX, RADIUS_KM_MIN};
use crate::terms;
use crate::zone::Zone;

/// A specialty around a place, not checked yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    pub lat: f64,
    pub lon: f64,
    pub radius_km: f64,
    pub specialty: String,
}

impl Area {
    /// Everything that is wrong, by its place under the pointer `at`.
    pub fn around(&self, at: &str) -> Result<Around, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut error = |field: &str, detail: String| {
            errors.push(FieldError::new(format!("{at}/{field}"), detail))
        };
        for (field, value, most) in [("lat", self.lat, 90.0), ("lon", self.lon, 180.0)] {
            if !(-most..=most).contains(&value) {
                error(field, format!("must be a number from -{most} to {most}"));
            }
        }
        if !(RADIUS_KM_MIN..=RADIUS_KM_MAX).contains(&self.radius_km) {
            let detail = format!("must be a number from {RADIUS_KM_MIN} to {RADIUS_KM_MAX}");
            error("radius_km", detail);
        }
        let specialty = Specialty::parse(&self.specialty);
        if specialty.is_none() {
            error(
                "specialty",
                "is not one of those at /v1/specialties".to_owned(),
            );
        }
        match specialty {
            Some(specialty) if errors.is_empty() => Ok(Around {
                lat: self.lat,
                lon: self.lon,
                radius_km: self.radius_km,
                specialties: vec![specialty],
            }),
            Some(_) | None => Err(errors),
        }
    }
}

/// When a slot may begin: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Window {
    /// From now on, and as far as can be booked, where nothing is said. Each mistake is named under
    /// the pointer `at`.
    pub fn parse(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
        at: &str,
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        for (field, instant) in [("from", from), ("to", to)] {
            if instant.is_some_and(|instant| !YEARS.contains(&Zone::utc().date(instant).year())) {
                let detail = format!("must lie in the years {} to {}", YEARS.start(), YEARS.end());
                errors.push(FieldError::new(format!("{at}/{field}"), detail));
            }
        }
        let window = Self {
            from: from.map_or(now, |from| from.max(now)),
            to: to.unwrap_or_else(|| terms::end_of_anybody(now)),
        };
        if window.to <= now {
            errors.push(FieldError::new(format!("{at}/to"), "must be in the future"));
        } else if window.to <= window.from {
            errors.push(FieldError::new(format!("{at}/to"), "must be after from"));
        }
        match errors.is_empty() {
            true => Ok(window),
            false => Err(errors),
        }
    }

    pub fn contains(&self, instant: Timestamp) -> bool {
        self.from <= instant && instant < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Area {
        Area {
            lat: 52.52,
            lon: 13.405,
            radius_km: 10.0,
            specialty: "cardiology".to_owned(),
        }
    }

    fn pointers(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn an_area_is_a_search_around_a_place() {
        let around = berlin().around("/search").unwrap();
        assert_eq!(around.radius_m(), 10_000.0);
        assert_eq!(around.specialties[0].key(), "cardiology");
    }

    #[test]
    fn everything_that_is_wrong_is_named_where_it_is() {
        let area = Area {
            lat: 90.5,
            lon: f64::NAN,
            radius_km: 0.0,
            specialty: "astrology".to_owned(),
        };
        assert_eq!(
            pointers(area.around("/search").unwrap_err()),
            [
                "/search/lat",
                "/search/lon",
                "/search/radius_km",
                "/search/specialty"
            ]
        );
        for radius_km in [RADIUS_KM_MAX + 0.1, 1e-300, f64::INFINITY, f64::NAN] {
            let area = Area {
                radius_km,
                ..berlin()
            };
            let errors = area.around("").unwrap_err();
            assert_eq!(pointers(errors), ["/radius_km"], "{radius_km}");
        }
    }

    fn window(from: Option<&str>, to: Option<&str>) -> Result<Window, Vec<FieldError>> {
        let at = |text: &str| text.parse().unwrap();
        Window::parse(from.map(at), to.map(at), at("2026-11-22T12:00:00Z"), "")
    }

    #[test]
    fn a_window_begins_now_at_the_earliest_and_has_an_exclusive_end() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let window = window(Some("2026-11-20T00:00:00Z"), Some("2026-11-23T08:00:00Z")).unwrap();
        assert_eq!(window.from, at("2026-11-22T12:00:00Z"));
        assert!(window.contains(at("2026-11-23T07:00:00Z")));
        assert!(!window.contains(at("2026-11-23T08:00:00Z")));
    }

    #[test]
    fn a_window_that_nothing_fits_in_is_refused() {
        for (from, to) in [
            (None, Some("2026-11-22T12:00:00Z")),
            (Some("2026-11-24T00:00:00Z"), Some("2026-11-24T00:00:00Z")),
            (None, Some("2300-01-01T00:00:00Z")),
        ] {
            assert_eq!(pointers(window(from, to).unwrap_err()), ["/to"], "{to:?}");
        }
        assert!(window(None, None).is_ok());
    }
}
