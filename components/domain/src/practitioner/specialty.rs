//! The fields of practice that the directory knows.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Specialty(usize);

impl Specialty {
    pub fn parse(key: &str) -> Option<Self> {
        SPECIALTIES
            .iter()
            .position(|(known, _)| *known == key)
            .map(Self)
    }

    /// All of them, by their label.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SPECIALTIES.len()).map(Self)
    }

    /// How programs write it: `general-practice`.
    pub fn key(self) -> &'static str {
        SPECIALTIES[self.0].0
    }

    /// How people read it: `General practice`.
    pub fn label(self) -> &'static str {
        SPECIALTIES[self.0].1
    }
}

const SPECIALTIES: [(&str, &str); 36] = [
    ("allergology", "Allergology"),
    ("anaesthesiology", "Anaesthesiology"),
    ("cardiology", "Cardiology"),
    ("chiropractic", "Chiropractic"),
    ("dentistry", "Dentistry"),
    ("dermatology", "Dermatology"),
    ("dietetics", "Dietetics"),
    ("ent", "Ear, nose and throat"),
    ("endocrinology", "Endocrinology"),
    ("gastroenterology", "Gastroenterology"),
    ("general-practice", "General practice"),
    ("geriatrics", "Geriatrics"),
    ("gynaecology", "Gynaecology"),
    ("haematology", "Haematology"),
    ("internal-medicine", "Internal medicine"),
    ("midwifery", "Midwifery"),
    ("nephrology", "Nephrology"),
    ("neurology", "Neurology"),
    ("occupational-therapy", "Occupational therapy"),
    ("oncology", "Oncology"),
    ("ophthalmology", "Ophthalmology"),
    ("orthodontics", "Orthodontics"),
    ("orthopaedics", "Orthopaedics"),
    ("osteopathy", "Osteopathy"),
    ("paediatrics", "Paediatrics"),
    ("physiotherapy", "Physiotherapy"),
    ("podiatry", "Podiatry"),
    ("psychiatry", "Psychiatry"),
    ("psychotherapy", "Psychotherapy"),
    ("pulmonology", "Pulmonology"),
    ("radiology", "Radiology"),
    ("rheumatology", "Rheumatology"),
    ("speech-therapy", "Speech therapy"),
    ("sports-medicine", "Sports medicine"),
    ("surgery", "Surgery"),
    ("urology", "Urology"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_order_and_keys_are_found() {
        assert!(Specialty::all().map(Specialty::label).is_sorted());
        for specialty in Specialty::all() {
            assert_eq!(Specialty::parse(specialty.key()), Some(specialty));
        }
        assert_eq!(Specialty::parse("astrology"), None);
    }
}
