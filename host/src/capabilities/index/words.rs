//! How texts are split into words: case and accents do not matter.

use tantivy::tokenizer::{AsciiFoldingFilter, LowerCaser, SimpleTokenizer, TextAnalyzer};

/// Splits where neither letter nor digit stands, lowers, and writes without accents.
pub fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<String> {
    let mut analyzer = analyzer();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    stream.process(&mut |token| words.push(token.text.clone()));
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_lose_case_and_accents_and_what_stands_between() {
        assert_eq!(
            words("  Café-Restaurant d'ÉTÉ, Straße 12"),
            ["cafe", "restaurant", "d", "ete", "strasse", "12"]
        );
        assert!(words(" -- ").is_empty());
    }
}
