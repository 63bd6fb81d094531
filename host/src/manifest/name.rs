//! How things may be called. The rules are Spin's.

/// Why a component cannot be called that: words of one case, divided by single hyphens.
pub fn check_component(name: &str) -> Result<(), String> {
    words(name, '-', '_', false)
}

/// Why a variable cannot be called that: lower-case words, divided by single underscores.
pub fn check_variable(name: &str) -> Result<(), String> {
    words(name, '_', '-', true)
}

/// Why a store cannot be called that: as a component, or with underscores.
pub fn check_store(name: &str) -> Result<(), String> {
    if name.contains('_') {
        words(name, '_', '-', false)
    } else {
        words(name, '-', '_', false)
    }
}

fn words(name: &str, divider: char, wrong: char, lower: bool) -> Result<(), String> {
    if name.is_empty() {
        return Err("it is empty".into());
    }
    if name.contains(wrong) {
        let right = name.replace(wrong, &divider.to_string());
        return Err(format!("its words are divided by {divider:?}: {right:?}"));
    }
    for (place, word) in name.split(divider).enumerate() {
        let Some(first) = word.chars().next() else {
            return Err(format!("{divider:?} divides words, one at a time"));
        };
        // The first word begins with a letter; a variable's name with underscores may go on with
        // a digit.
        let begins = first.is_ascii_alphabetic() || (place > 0 && first.is_ascii_digit());
        let stays = word.chars().all(|c| c.is_ascii_alphanumeric());
        if !begins || !stays {
            return Err("it begins with a letter and has letters and digits".into());
        }
        let upper = word.chars().any(|c| c.is_ascii_uppercase());
        let mixed = upper && word.chars().any(|c| c.is_ascii_lowercase());
        if mixed || (upper && lower) {
            return Err(format!("it is in lower case: {:?}", name.to_lowercase()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_spin_has_them() {
        for name in ["a", "web", "front-end", "a1", "HTTP-front"] {
            assert_eq!(check_component(name), Ok(()), "{name}");
        }
        for name in ["", "a_b", "-a", "a-", "a--b", "1a", "Web", "ü", "a.b"] {
            assert!(check_component(name).is_err(), "{name}");
        }
        for name in ["a", "database_url", "a_1"] {
            assert_eq!(check_variable(name), Ok(()), "{name}");
        }
        for name in ["", "A", "a-b", "a__b", "_a", "a_", "1a"] {
            assert!(check_variable(name).is_err(), "{name}");
        }
        assert_eq!(check_store("my_store"), Ok(()));
        assert_eq!(check_store("my-store"), Ok(()));
        assert!(check_store("my store").is_err());
    }
}
