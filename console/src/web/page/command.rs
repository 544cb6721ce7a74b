//! The commands that do the same on a terminal, for whoever looks at a console that only shows.

/// Words as a shell takes them.
pub fn shell(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(shell(&["orderd", "lane", "$(rm -rf /)", "it's", ""]), "orderd lane '$(rm -rf /)' 'it'\\''s' ''");
    }
}
