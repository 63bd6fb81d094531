//! Who is in a cell with a specialty, and nothing else: what a search has to compute whatever it is
//! built of.

use std::collections::HashMap;

use praxis_host::capabilities::index::geo::{Cell, cells_around, distance_m, gauss};

use super::people::{DECAY, HITS, People, RADIUS_M, RATING_MISSING, Wanted};

/// More cells than a search's circle has.
const CELLS_MAX: usize = 100_000;

pub struct Grid(HashMap<(usize, Cell), Vec<usize>>);

impl Grid {
    pub fn new(people: &People) -> Self {
        let mut cells: HashMap<_, Vec<_>> = HashMap::new();
        for (who, person) in people.all.iter().enumerate() {
            let cell = (person.specialty, Cell::of(person.place));
            cells.entry(cell).or_default().push(who);
        }
        Self(cells)
    }

    /// The best, as the index ranks them.
    pub fn search(&self, people: &People, wanted: &Wanted) -> Vec<usize> {
        let cells = cells_around(wanted.center, RADIUS_M, CELLS_MAX).unwrap_or_default();
        let near = cells
            .into_iter()
            .filter_map(|cell| self.0.get(&(wanted.specialty, cell)))
            .flatten();
        let mut ranked: Vec<(f64, usize)> = near
            .filter_map(|who| {
                let person = &people.all[*who];
                let far = distance_m(wanted.center, person.place);
                let rating = person.rating.unwrap_or(RATING_MISSING);
                (far <= RADIUS_M && person.is_free())
                    .then(|| (rating * gauss(far, RADIUS_M / 2.0, DECAY), *who))
            })
            .collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(HITS);
        ranked.into_iter().map(|(_, who)| who).collect()
    }
}
