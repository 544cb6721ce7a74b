//! Tables and lists of values for people.

use super::terminal::one_line;

/// Columns as wide as their widest cell, two spaces apart; no line ends in spaces, the last line has no end.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| row.map(|cell| one_line(&cell))));
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[String; N]| {
        let padded: Vec<_> = widths.iter().zip(cells).map(|(width, cell)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values, one a line, the values aligned.
pub(super) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<_> = fields.into_iter().collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {}", one_line(value));
    fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A value, or a dash where there is none.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_cell_stays_on_its_line() {
        let rows = [["a", "file", "-"], ["a-long-name", "file", "no\nroom"]].map(|row| row.map(str::to_owned));
        let table = table(["SINK", "TYPE", "LAST ERROR"], rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        let columns: Vec<_> = lines.iter().map(|line| line.find("file").or(line.find("TYPE"))).collect();
        assert_eq!(columns, [Some(13); 3], "{table}");
        assert!(lines[2].ends_with(r"no\nroom"), "{table}");
    }

    #[test]
    fn values_are_aligned() {
        assert_eq!(fields([("a", "1".to_owned()), ("long", "2".to_owned())]), "a     1\nlong  2");
        assert_eq!(or_dash(None::<u64>), "-");
    }
}
