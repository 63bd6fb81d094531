//! How texts are split into words: case, accents and the ways to write an umlaut do not matter.

use tantivy::tokenizer::{AsciiFoldingFilter, LowerCaser, SimpleTokenizer, TextAnalyzer};
use unicode_normalization::UnicodeNormalization as _;

/// In a shorter word, one letter makes another word too often.
const TYPO_LETTERS_MIN: usize = 5;

/// The words of a text, in order: split where neither letter nor digit stands, lowered, without
/// accents, however these are coded (NFC comes first). Both adapters index them as they are here, so that both know the same words.
pub fn words(text: &str) -> Vec<String> {
    let mut analyzer = TextAnalyzer::builder(SimpleTokenizer::default())
        // In this order: a lowered İ is an i and a dot, and no fold takes that away.
        .filter(AsciiFoldingFilter)
        .filter(LowerCaser)
        .build();
    let text: String = text.nfc().collect();
    let mut stream = analyzer.token_stream(&text);
    let mut words = Vec::new();
    stream.process(&mut |token| words.push(without_umlauts(&token.text)));
    words
}

/// Whether a word that is asked for may also be another, but for a typo.
pub fn may_have_a_typo(word: &str) -> bool {
    word.chars().count() >= TYPO_LETTERS_MIN
}

/// Drops the e of ae, oe and ue, but of a ue behind a vowel or a q: Bauer, Quelle. Like Lucene's
/// German normalization. What a word begins with still begins it afterwards.
fn without_umlauts(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    // The letter that an e may belong to.
    let mut umlaut = false;
    let mut before = ' ';
    for letter in word.chars() {
        if letter == 'e' && umlaut {
            umlaut = false;
        } else {
            umlaut = match letter {
                'a' | 'o' => true,
                'u' => !matches!(before, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'q'),
                _ => false,
            };
            folded.push(letter);
        }
        before = letter;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::{may_have_a_typo, words};

    #[test]
    fn words_lose_case_and_accents_and_what_stands_between() {
        assert_eq!(
            words("  Café-Restaurant d'ÉTÉ, Straße 12"),
            ["cafe", "restaurant", "d", "ete", "strasse", "12"]
        );
        assert!(words(" -- ").is_empty());
        assert_eq!(words("İpek IŞIK ΛΌΓΟΣ"), ["ipek", "isik", "λόγοσ"]);
        assert_eq!(
            words("Mu\u{308}ller Re\u{301}ne\u{301}"),
            ["muller", "rene"]
        );
    }

    #[test]
    fn an_umlaut_may_be_written_with_an_e_or_without() {
        for (alike, word) in [
            ("Müller MUELLER Muller", "muller"),
            ("Jäger Jaeger JAGER", "jager"),
            ("Özdemir Oezdemir Ozdemir", "ozdemir"),
            ("Bauer", "bauer"),
            ("Quelle", "quelle"),
            ("Neue", "neue"),
        ] {
            let words = words(alike);
            assert!(words.iter().all(|folded| folded == word), "{words:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_word_begins_it_when_folded() {
        for name in [
            "Müllauer",
            "aeueoeue",
            "Oeaeee",
            "Queue",
            "Mueuee",
            "Straße",
        ] {
            let whole = words(name).remove(0);
            for (end, _) in name.char_indices().skip(1) {
                let begin = words(&name[..end]).remove(0);
                assert!(whole.starts_with(&begin), "{begin} of {whole}");
            }
        }
    }

    #[test]
    fn short_words_have_no_typos() {
        assert!(may_have_a_typo("maier") && may_have_a_typo("öçéàü"));
        assert!(!may_have_a_typo("mair"));
    }
}
