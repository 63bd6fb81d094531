//! `numeric`: decimal text of any length to PostgreSQL's digits to the base of 10,000, and back.

const DIGITS_OF_GROUP: usize = 4;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const SPECIALS: [(u16, &str); 3] = [(0xC000, "NaN"), (0xD000, "Infinity"), (0xF000, "-Infinity")];
/// PostgreSQL's own limit on each side of the point is higher; nobody binds such numbers.
const TEXT_BYTES_MAX: usize = 16_384;

/// Text such as `-12.50` or `1e3` in the binary format; `None` if it is no number.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    for (sign, name) in SPECIALS {
        if text.eq_ignore_ascii_case(name) {
            return Some(assemble(&[], 0, sign, 0));
        }
    }
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (NEGATIVE, &text[1..]),
        b'+' => (POSITIVE, &text[1..]),
        _ => (POSITIVE, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Where the point stands, counted from the first digit.
    let mut point = whole.len() as i64 + i64::from(exponent);
    let scale = u16::try_from((digits.len() as i64 - point).max(0)).ok()?;
    while point < 0 {
        digits.insert(0, '0');
        point += 1;
    }
    // Whole groups on both sides of the point.
    let group = DIGITS_OF_GROUP as i64;
    let lead = (group - point.rem_euclid(group)) % group;
    digits.insert_str(0, &"0".repeat(lead as usize));
    point += lead;
    let length = (digits.len() as i64).max(point) as usize;
    let length = length.next_multiple_of(DIGITS_OF_GROUP);
    digits.push_str(&"0".repeat(length - digits.len()));

    let groups: Vec<u16> = digits
        .as_bytes()
        .chunks(DIGITS_OF_GROUP)
        .map(|group| {
            group
                .iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        })
        .collect();
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    let end = groups.len() - groups.iter().rev().take_while(|group| **group == 0).count();
    if zeros >= end {
        return Some(assemble(&[], 0, POSITIVE, scale));
    }
    let weight = i16::try_from(point / group - 1 - zeros as i64).ok()?;
    Some(assemble(&groups[zeros..end], weight, sign, scale))
}

fn assemble(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + 2 * groups.len());
    bytes.extend((groups.len() as u16).to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(scale.to_be_bytes());
    for group in groups {
        bytes.extend(group.to_be_bytes());
    }
    bytes
}

/// The binary format as text, with as many places as the value has; `None` if it is cut short.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut words = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let count = usize::from(words.next()?);
    let weight = words.next()? as i16;
    let sign = words.next()?;
    let scale = usize::from(words.next()?);
    let groups: Vec<u16> = words.collect();
    if groups.len() != count {
        return None;
    }
    if let Some((_, name)) = SPECIALS.iter().find(|(special, _)| *special == sign) {
        return Some((*name).to_owned());
    }
    let group_at = |weight_of: i32| {
        usize::try_from(i32::from(weight) - weight_of)
            .ok()
            .and_then(|index| groups.get(index))
            .copied()
            .unwrap_or(0)
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    let whole: String = (0..=i32::from(weight))
        .rev()
        .map(|weight_of| format!("{:04}", group_at(weight_of)))
        .collect();
    match whole.trim_start_matches('0') {
        "" => text.push('0'),
        digits => text.push_str(digits),
    }
    if scale > 0 {
        let fraction: String = (1..=scale.div_ceil(DIGITS_OF_GROUP) as i32)
            .map(|place| format!("{:04}", group_at(-place)))
            .collect();
        text.push('.');
        text.push_str(&fraction[..scale]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_was_written() {
        for text in [
            "0",
            "1",
            "-1",
            "12.50",
            "0.0001",
            "0.00001",
            "9999",
            "10000",
            "100000000",
            "-0.5",
            "123456789012345678901234567890.123456789012345678901234567890",
            "NaN",
            "Infinity",
            "-Infinity",
            "0.00",
            "1.000",
        ] {
            let bytes = encode(text).unwrap();
            assert_eq!(decode(&bytes).as_deref(), Some(text));
        }
    }

    #[test]
    fn other_spellings_are_understood() {
        for (text, canonical) in [
            ("+7", "7"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            (".5", "0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("-0", "0"),
            (" 1 ", "1"),
            ("nan", "NaN"),
        ] {
            let bytes = encode(text).unwrap();
            assert_eq!(decode(&bytes).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1,5", "1.2.3", "0x10", "1e", "1e99999", "abc"] {
            assert_eq!(encode(text), None, "{text}");
        }
    }
}
