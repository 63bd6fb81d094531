//! Who works where: specialties in the proportions of a European directory.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Parts in a thousand.
const SHARES: [(&str, u32); 22] = [
    ("general-practice", 240),
    ("dentistry", 150),
    ("internal-medicine", 80),
    ("physiotherapy", 75),
    ("psychotherapy", 70),
    ("gynaecology", 55),
    ("paediatrics", 50),
    ("orthopaedics", 45),
    ("ophthalmology", 40),
    ("dermatology", 30),
    ("cardiology", 25),
    ("ent", 25),
    ("psychiatry", 22),
    ("urology", 18),
    ("neurology", 18),
    ("radiology", 15),
    ("surgery", 12),
    ("gastroenterology", 8),
    ("pulmonology", 7),
    ("endocrinology", 6),
    ("rheumatology", 5),
    ("oncology", 4),
];

/// What a facility's name gives away, in nine countries' words.
const HINTS: [(&str, &[&str]); 10] = [
    (
        "dentistry",
        &["zahn", "dent", "stomat", "tandarts", "odontoiat"],
    ),
    (
        "ophthalmology",
        &["augen", "ophtal", "okulist", "oculist", "eye ", "oog"],
    ),
    (
        "physiotherapy",
        &["physio", "fisio", "kiné", "rehab", "fizjo"],
    ),
    ("psychotherapy", &["psycho", "psico", "psych"]),
    ("dermatology", &["haut", "derma"]),
    (
        "paediatrics",
        &["kinder", "pédiat", "paediat", "pediat", "dziec", "children"],
    ),
    (
        "gynaecology",
        &["frauen", "gyn", "ginek", "ginec", "matern"],
    ),
    ("orthopaedics", &["orthop", "ortop"]),
    ("cardiology", &["kardio", "cardio", "herz", "cœur"]),
    ("radiology", &["radiol", "röntgen", "imag", "diagnos"]),
];

/// A specialty. Where the facility's name gives one away, it is that in four cases of five.
pub fn pick(facility: &str, chance: &mut ChaCha8Rng) -> &'static str {
    let facility = facility.to_lowercase();
    let hinted = HINTS
        .iter()
        .find(|(_, words)| words.iter().any(|word| facility.contains(word)));
    match hinted {
        Some((specialty, _)) if chance.random_ratio(4, 5) => specialty,
        Some(_) | None => drawn(chance),
    }
}

fn drawn(chance: &mut ChaCha8Rng) -> &'static str {
    let mut left = chance.random_range(0..SHARES.iter().map(|(_, share)| share).sum());
    for (specialty, share) in SHARES {
        if left < share {
            return specialty;
        }
        left -= share;
    }
    unreachable!("the draw is below the sum of the shares")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn the_shares_are_a_thousand() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<u32>(), 1_000);
    }

    #[test]
    fn a_quarter_are_general_practitioners() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        let picks = (0..10_000).map(|_| pick("Ärztehaus", &mut chance));
        let count = picks
            .filter(|specialty| *specialty == "general-practice")
            .count();
        assert!((2_200..2_600).contains(&count), "{count}");
    }

    #[test]
    fn a_name_that_says_so_is_believed() {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        let picks = (0..1_000).map(|_| pick("Zahnärztehaus am Markt", &mut chance));
        assert!(picks.filter(|specialty| *specialty == "dentistry").count() > 750);
    }
}
