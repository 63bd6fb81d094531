//! How much a template may be, do and say.

/// Of what an author wrote.
pub const SOURCE_BYTES_MAX: usize = 256 << 10;
/// An e-mail's subject: a line of a header (RFC 5322).
pub const SUBJECT_BYTES_MAX: usize = 998;
/// A text and an HTML part, each.
pub const PART_BYTES_MAX: usize = 256 << 10;
/// Ten messages of 160 characters.
pub const SMS_CHARS_MAX: usize = 1_600;
pub const PUSH_TITLE_CHARS_MAX: usize = 256;
pub const PUSH_TEXT_CHARS_MAX: usize = 2_000;
/// Instructions of one part: a message takes some hundred. The host counts beside it.
pub const INSTRUCTIONS_MAX: u64 = 500_000;
/// Macros and loops in each other; what recurs without an end meets it.
pub const RECURSION_MAX: usize = 100;
/// Words and signs between two brackets of Jinja; each may be one level deeper for whoever reads it.
pub const TOKENS_MAX: usize = 500;
/// Elements of MJML in each other.
pub const ELEMENTS_DEEP_MAX: usize = 100;
/// What is said at one time of what is wrong.
pub const MISTAKES_MAX: usize = 20;
