//! The hours of one day as bits.

use std::ops::{BitAnd, BitOr, Not};

pub const HOURS_PER_DAY: u8 = 24;

/// 24 bits: bit h is the local hour h.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mask(u32);

impl Mask {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self((1 << HOURS_PER_DAY) - 1);

    /// None where a bit beyond the day is set.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits <= Self::ALL.0).then_some(Self(bits))
    }

    /// # Panics
    /// If there is no such hour.
    pub fn hour(hour: u8) -> Self {
        assert!(hour < HOURS_PER_DAY, "a day has 24 hours");
        Self(1 << hour)
    }

    pub fn bits(self) -> u32 {
        self.0
    }

    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub fn contains(self, hour: u8) -> bool {
        hour < HOURS_PER_DAY && self.0 & (1 << hour) != 0
    }

    pub fn with(self, hour: u8) -> Self {
        self | Self::hour(hour)
    }

    pub fn without(self, hour: u8) -> Self {
        self & !Self::hour(hour)
    }

    /// The hours in the mask, ascending.
    pub fn hours(self) -> impl Iterator<Item = u8> {
        (0..HOURS_PER_DAY).filter(move |hour| self.contains(*hour))
    }
}

impl BitAnd for Mask {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Mask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for Mask {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl FromIterator<u8> for Mask {
    fn from_iter<I: IntoIterator<Item = u8>>(hours: I) -> Self {
        hours.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_24_bits() {
        assert_eq!(Mask::from_bits(0x00ff_ffff), Some(Mask::ALL));
        assert_eq!(Mask::from_bits(0x0100_0000), None);
        assert_eq!(!Mask::NONE, Mask::ALL);
    }

    #[test]
    fn hours_round_trip() {
        let mask: Mask = [9, 0, 23].into_iter().collect();
        assert_eq!(mask.hours().collect::<Vec<_>>(), [0, 9, 23]);
        assert!(!mask.without(9).contains(9));
    }
}
