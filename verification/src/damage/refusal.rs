//! A refusal: it must say where the damage is, and leave every byte as it was.

use super::change::Damaged;
use super::store::Store;
use crate::disk::Content;

/// What was said against a damaged store.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// Who said it.
    pub by: &'a str,
    /// What.
    pub text: &'a str,
}

impl Refusal<'_> {
    /// Checks that it names a damaged file and an offset that is not behind the damage. What is missing can only be
    /// named by its place, or by who misses it.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, store: &Store, damaged: &Damaged) -> Result<(), String> {
        let Self { by, text } = self;
        let mut problem = format!("{by} says \"{text}\", which names no damaged file with an offset");
        for (path, content) in &damaged.changed {
            let Some(content) = content else {
                let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                if text.contains("missing") || text.contains("begins at") || offset_in(text, dir).is_some() {
                    return Ok(());
                }
                continue;
            };
            let before = store.file(path).map(|file| &file.content);
            match offset_in(text, path) {
                Some(offset) if offset < end_of_change(before, content) => return Ok(()),
                Some(offset) => problem = format!("{by} says \"{text}\", and offset {offset} lies behind the damage"),
                None => {}
            }
        }
        Err(problem)
    }

    /// Checks that it names a damaged file.
    ///
    /// # Errors
    /// It does not.
    pub fn check_version(&self, damaged: &Damaged) -> Result<(), String> {
        let Self { by, text } = self;
        let named = damaged.changed.iter().any(|(path, _)| text.contains(path.as_str()));
        if named { Ok(()) } else { Err(format!("{by} says \"{text}\", which names no file of a later format")) }
    }
}

/// The offset that is named behind a file's path.
fn offset_in(text: &str, path: &str) -> Option<u64> {
    const KEY: &str = "offset ";
    let behind = &text[text.find(path)? + path.len()..];
    let digits = &behind[behind.find(KEY)? + KEY.len()..];
    let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Behind the last byte that is another one.
fn end_of_change(before: Option<&Content>, after: &Content) -> u64 {
    let Some(before) = before else { return after.len() };
    if before.len() != after.len() {
        return before.len().max(after.len());
    }
    let (before, after) = (before.trimmed(), after.trimmed());
    if before.len() != after.len() {
        return before.len().max(after.len()) as u64;
    }
    before.iter().zip(after).rposition(|(before, after)| before != after).map_or(0, |last| last as u64 + 1)
}
