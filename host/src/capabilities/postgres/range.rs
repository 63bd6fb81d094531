//! The first byte of a range in the binary format.

pub const EMPTY: u8 = 0x01;
pub const LOWER_INCLUSIVE: u8 = 0x02;
pub const UPPER_INCLUSIVE: u8 = 0x04;
pub const LOWER_INFINITE: u8 = 0x08;
pub const UPPER_INFINITE: u8 = 0x10;
