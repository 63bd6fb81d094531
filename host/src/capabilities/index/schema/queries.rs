//! What may be asked of an index.

use super::super::{Clause, Error, Facet, Factor, Order, Query};
use super::{
    FACET_BOUNDS_MAX, FACET_VALUES_MAX, FACETS_MAX, FACTORS_MAX, FILTER_CLAUSES_MAX, HITS_MAX,
    KEYWORD_BYTES_MAX, RADIUS_M_MAX, Schema, TERMS_MAX, WORDS_BYTES_MAX, check_bytes, check_date,
    check_number, check_point,
};
use crate::manifest::FieldType;

impl Schema {
    pub(in super::super) fn check_query(&self, query: &Query) -> Result<(), Error> {
        if query.filter.len() > FILTER_CLAUSES_MAX {
            return Err(Error::Invalid(format!(
                "more than {FILTER_CLAUSES_MAX} filter clauses"
            )));
        }
        if query.score.len() > FACTORS_MAX {
            return Err(Error::Invalid(format!(
                "more than {FACTORS_MAX} score factors"
            )));
        }
        if !(1..=HITS_MAX).contains(&query.limit) {
            return Err(Error::Invalid(format!(
                "a limit that is not 1 to {HITS_MAX}"
            )));
        }
        if let Some((field, point)) = &query.distance_from {
            self.expect(field, FieldType::GeoPoint)?;
            check_point("the origin of distances", *point)?;
        }
        if query.facets.len() > FACETS_MAX {
            return Err(Error::Invalid(format!("more than {FACETS_MAX} facets")));
        }
        self.check_order(&query.order)?;
        query
            .facets
            .iter()
            .try_for_each(|facet| self.check_facet(facet))?;
        query
            .filter
            .iter()
            .try_for_each(|clause| self.check_clause(clause))?;
        query
            .score
            .iter()
            .try_for_each(|factor| self.check_factor(factor))
    }

    fn check_clause(&self, clause: &Clause) -> Result<(), Error> {
        match clause {
            Clause::Terms(terms) => {
                self.expect(&terms.field, FieldType::Keyword)?;
                if !(1..=TERMS_MAX).contains(&terms.values.len()) {
                    return Err(Error::Invalid(format!(
                        "a number of values that is not 1 to {TERMS_MAX}"
                    )));
                }
                let mut values = terms.values.iter();
                values.try_for_each(|value| check_bytes(&terms.field, value, KEYWORD_BYTES_MAX))
            }
            Clause::Flag(flag) => self.expect(&flag.field, FieldType::Boolean),
            Clause::GeoDistance(circle) => {
                self.expect(&circle.field, FieldType::GeoPoint)?;
                check_point(&circle.field, circle.center)?;
                check_positive("a radius", circle.radius_m, RADIUS_M_MAX)
            }
            Clause::DateRange(range) => {
                self.expect(&range.field, FieldType::Date)?;
                let bounds = range.from.iter().chain(&range.to);
                bounds
                    .into_iter()
                    .try_for_each(|ms| check_date(&range.field, *ms))
            }
            Clause::Words(words) => self.check_words(&words.field, &words.text),
        }
    }

    fn check_words(&self, field: &str, text: &str) -> Result<(), Error> {
        self.expect(field, FieldType::Text)?;
        check_bytes(field, text, WORDS_BYTES_MAX)
    }

    fn check_order(&self, order: &Order) -> Result<(), Error> {
        match order {
            Order::Score => Ok(()),
            Order::Nearest((field, point)) => {
                self.expect(field, FieldType::GeoPoint)?;
                check_point("the origin of the order", *point)
            }
            Order::Earliest(field) => self.expect(field, FieldType::Date),
        }
    }

    fn check_facet(&self, facet: &Facet) -> Result<(), Error> {
        match facet {
            Facet::Values(values) => {
                self.expect(&values.field, FieldType::Keyword)?;
                if (1..=FACET_VALUES_MAX).contains(&values.limit) {
                    Ok(())
                } else {
                    Err(Error::Invalid(format!(
                        "a number of values to count that is not 1 to {FACET_VALUES_MAX}"
                    )))
                }
            }
            Facet::Dates(dates) => {
                self.expect(&dates.field, FieldType::Date)?;
                if !(2..=FACET_BOUNDS_MAX).contains(&dates.bounds.len()) {
                    return Err(Error::Invalid(format!(
                        "a number of bounds that is not 2 to {FACET_BOUNDS_MAX}"
                    )));
                }
                if !dates.bounds.is_sorted_by(|a, b| a < b) {
                    return Err(Error::Invalid("bounds that do not ascend".into()));
                }
                let mut bounds = dates.bounds.iter();
                bounds.try_for_each(|ms| check_date(&dates.field, *ms))
            }
        }
    }

    fn check_factor(&self, factor: &Factor) -> Result<(), Error> {
        match factor {
            Factor::Gauss(gauss) => {
                self.expect(&gauss.field, FieldType::GeoPoint)?;
                check_point(&gauss.field, gauss.origin)?;
                check_positive("a scale", gauss.scale_m, RADIUS_M_MAX)?;
                if gauss.decay > 0.0 && gauss.decay < 1.0 {
                    Ok(())
                } else {
                    Err(Error::Invalid("a decay that is not between 0 and 1".into()))
                }
            }
            Factor::NumberValue(number) => {
                self.expect(&number.field, FieldType::Number)?;
                check_number(&number.field, number.missing)
            }
            Factor::WordsMatch(asked) => {
                self.check_words(&asked.field, &asked.text)?;
                if 0.0 < asked.otherwise
                    && asked.otherwise <= asked.beginning
                    && asked.beginning <= 1.0
                {
                    Ok(())
                } else {
                    Err(Error::Invalid(
                        "factors of words that are not 0 < otherwise <= beginning <= 1".into(),
                    ))
                }
            }
        }
    }

    fn expect(&self, field: &str, expected: FieldType) -> Result<(), Error> {
        let kind = self.kind(field)?;
        if kind == expected {
            Ok(())
        } else {
            Err(Error::BadField(format!(
                "{field} is {kind:?}, not {expected:?}"
            )))
        }
    }
}

fn check_positive(what: &str, number: f64, max: f64) -> Result<(), Error> {
    if number > 0.0 && number <= max {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{what} that is not above 0 and up to {max} m"
        )))
    }
}
