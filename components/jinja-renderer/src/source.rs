//! What an author wrote, taken apart: its blocks, and what stands beside them.
//!
//! The tokens are minijinja's own, so that a `{% endblock %}` in a comment or in `{% raw %}` is none.

use std::ops::Range;

use minijinja::machinery::{Token, tokenize};

use crate::bindings::praxis::template::types::Mistake;
use crate::environment::what;
use crate::limits::TOKENS_MAX;
use crate::place::mistake;

/// A part of a template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    pub kind: Kind<'a>,
    /// In bytes of the whole text.
    pub at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'a> {
    /// What is said as it stands.
    Text,
    /// `{{ … }}`
    Expression,
    /// `{% … %}`
    Statement(Statement<'a>),
    /// A comment, the tags of `{% raw %}`, white space that a `-` takes away.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    pub keyword: &'a str,
    /// What follows it, if it is a name.
    pub name: Option<&'a str>,
    pub has_assignment: bool,
}

/// A name that is looked up among filters or tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Filter,
    Test,
    Name,
}

/// All that the tokens say.
#[derive(Debug, Default)]
pub struct Tokens<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// With the offset of each.
    pub uses: Vec<(Use, &'a str, usize)>,
}

/// Takes a text apart.
pub fn tokens(text: &str) -> Result<Tokens<'_>, Mistake> {
    let mut found = Tokens::default();
    let mut end = 0;
    let mut open: Option<(usize, Kind<'_>)> = None;
    let mut before = Before::Other;
    let mut length = 0;
    for token in tokenize(text, false, minijinja::syntax::SyntaxConfig::default()) {
        let (token, span) = token.map_err(|error| {
            let offset = error.range().map_or(end, |range| range.start);
            mistake(text, offset, what(&error))
        })?;
        let (from, to) = (span.start_offset as usize, span.end_offset as usize);
        if open.is_none() && from > end {
            found.push(Kind::Silent, end..from);
        }
        length = if open.is_some() { length + 1 } else { 0 };
        if length > TOKENS_MAX {
            let what = format!("syntax error: it has more than {TOKENS_MAX} words and signs");
            return Err(mistake(text, from, what));
        }
        match &token {
            Token::TemplateData(_) => found.push(Kind::Text, from..to),
            Token::VariableStart => open = Some((from, Kind::Expression)),
            Token::BlockStart => {
                let statement = Statement {
                    keyword: "",
                    name: None,
                    has_assignment: false,
                };
                open = Some((from, Kind::Statement(statement)));
            }
            Token::VariableEnd | Token::BlockEnd => {
                if let Some((start, kind)) = open.take() {
                    found.push(kind, start..to);
                }
            }
            Token::Ident(name) => {
                let keyword = match &mut open {
                    Some((_, Kind::Statement(statement))) => statement.read(name),
                    Some(_) | None => false,
                };
                match before {
                    Before::Pipe => found.uses.push((Use::Filter, name, from)),
                    Before::Is if *name != "not" => found.uses.push((Use::Test, name, from)),
                    Before::Other if !keyword => found.uses.push((Use::Name, name, from)),
                    Before::Is | Before::Dot | Before::Other => {}
                }
            }
            Token::Assign => {
                if let Some((_, Kind::Statement(statement))) = &mut open {
                    statement.has_assignment = true;
                }
            }
            _ => {}
        }
        before = match &token {
            Token::Dot => Before::Dot,
            Token::Pipe => Before::Pipe,
            Token::Ident("is") => Before::Is,
            Token::Ident("not") if before == Before::Is => Before::Is,
            _ => Before::Other,
        };
        end = to;
    }
    if let Some((start, _)) = open {
        return Err(mistake(text, start, "syntax error: it is not closed"));
    }
    if end < text.len() {
        found.push(Kind::Silent, end..text.len());
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Dot,
    Pipe,
    Is,
    Other,
}

impl<'a> Tokens<'a> {
    fn push(&mut self, kind: Kind<'a>, at: Range<usize>) {
        self.pieces.push(Piece { kind, at });
    }
}

impl<'a> Statement<'a> {
    /// Answers whether the name is the statement's own word, not something that is looked up.
    fn read(&mut self, name: &'a str) -> bool {
        if self.keyword.is_empty() {
            self.keyword = name;
            return true;
        }
        if self.name.is_none() {
            self.name = Some(name);
        }
        false
    }

    /// How much deeper in other statements the next one is.
    fn depth(&self) -> isize {
        match self.keyword {
            "if" | "for" | "with" | "filter" | "call" | "autoescape" | "macro" => 1,
            "set" if !self.has_assignment => 1,
            keyword if keyword.starts_with("end") => -1,
            _ => 0,
        }
    }
}

/// One of the template's blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'a> {
    pub name: &'a str,
    /// With both of its tags.
    pub whole: Range<usize>,
    pub body: Range<usize>,
}

/// The blocks, in their order, or all that stands in the way.
pub fn blocks<'a>(text: &str, pieces: &[Piece<'a>]) -> Result<Vec<Block<'a>>, Vec<Mistake>> {
    let mut reader = Reader {
        text,
        blocks: Vec::new(),
        mistakes: Vec::new(),
        open: None,
        depth: 0,
    };
    for piece in pieces {
        reader.read(piece);
    }
    reader.finish()
}

struct Reader<'t, 'a> {
    text: &'t str,
    blocks: Vec<Block<'a>>,
    mistakes: Vec<Mistake>,
    /// The name and the tag of a block that has not ended.
    open: Option<(&'a str, Range<usize>)>,
    /// Of statements in each other.
    depth: isize,
}

impl<'a> Reader<'_, 'a> {
    fn read(&mut self, piece: &Piece<'a>) {
        match &piece.kind {
            Kind::Silent => {}
            Kind::Text => self.text(&piece.at),
            Kind::Expression => {
                if self.is_beside() {
                    self.wrong(
                        piece.at.start,
                        "this stands in no block, so it is never said",
                    );
                }
            }
            Kind::Statement(statement) => self.statement(statement, &piece.at),
        }
    }

    fn is_beside(&self) -> bool {
        self.open.is_none() && self.depth == 0
    }

    fn text(&mut self, at: &Range<usize>) {
        let text = &self.text[at.clone()];
        let blank = text.len() - text.trim_start().len();
        if self.is_beside() && blank < text.len() {
            self.wrong(
                at.start + blank,
                "this stands in no block, so it is never said",
            );
        }
    }

    fn statement(&mut self, statement: &Statement<'a>, at: &Range<usize>) {
        match statement.keyword {
            "extends" | "include" | "import" | "from" => {
                let what = format!(
                    "{}: a template is one text, there are no others to take from; \
                     what several blocks use goes into a macro beside them",
                    statement.keyword
                );
                self.wrong(at.start, &what);
            }
            "block" => self.begin(statement, at),
            "endblock" => self.end(at),
            keyword => {
                let may_stand_beside = matches!(keyword, "set" | "macro");
                if self.is_beside() && !may_stand_beside {
                    let what = format!("{keyword}: beside the blocks only set and macro may stand");
                    self.wrong(at.start, &what);
                }
                self.depth = (self.depth + statement.depth()).max(0);
            }
        }
    }

    fn begin(&mut self, statement: &Statement<'a>, at: &Range<usize>) {
        if self.open.is_some() || self.depth > 0 {
            let what = "block: it is one part of the message, and stands in nothing else";
            self.wrong(at.start, what);
            return;
        }
        self.open = Some((statement.name.unwrap_or_default(), at.clone()));
    }

    fn end(&mut self, at: &Range<usize>) {
        let Some((name, tag)) = self.open.take() else {
            self.wrong(at.start, "endblock: no block is open here");
            return;
        };
        self.depth = 0;
        if self.blocks.iter().any(|block| block.name == name) {
            let what = format!("block {name}: it is there already");
            self.wrong(tag.start, &what);
            return;
        }
        self.blocks.push(Block {
            name,
            whole: tag.start..at.end,
            body: tag.end..at.start,
        });
    }

    fn wrong(&mut self, offset: usize, what: &str) {
        self.mistakes.push(mistake(self.text, offset, what));
    }

    fn finish(mut self) -> Result<Vec<Block<'a>>, Vec<Mistake>> {
        if let Some((name, tag)) = self.open.take() {
            let what = format!("block {name}: it has no endblock");
            self.wrong(tag.start, &what);
        }
        if self.mistakes.is_empty() {
            Ok(self.blocks)
        } else {
            Err(self.mistakes)
        }
    }
}

/// The text with one block's body, what stands beside the blocks, and white space for the rest: what
/// remains is on the line and in the column where its author wrote it.
pub fn only(text: &str, blocks: &[Block<'_>], own: &Block<'_>) -> (String, Range<usize>) {
    let mut part = String::with_capacity(text.len());
    let mut body = 0..0;
    let mut at = 0;
    for block in blocks {
        part.push_str(&text[at..block.whole.start]);
        if block == own {
            blank(&mut part, &text[block.whole.start..block.body.start]);
            let start = part.len();
            part.push_str(&text[block.body.clone()]);
            body = start..part.len();
            blank(&mut part, &text[block.body.end..block.whole.end]);
        } else {
            blank(&mut part, &text[block.whole.clone()]);
        }
        at = block.whole.end;
    }
    part.push_str(&text[at..]);
    let end = part.trim_end().len().max(body.end);
    part.truncate(end);
    (part, body)
}

/// As many lines, and as many columns in the last one.
fn blank(part: &mut String, text: &str) {
    let mut lines = text.split('\n');
    let mut last = lines.next().unwrap_or_default();
    for line in lines {
        part.push('\n');
        last = line;
    }
    part.extend(last.chars().map(|_| ' '));
}
