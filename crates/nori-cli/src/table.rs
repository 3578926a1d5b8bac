//! Aligned tables of text.

/// Rows of cells; the first row names the columns. Columns whose cells start with a digit below
/// the names are set to the right, the others to the left.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with named columns.
    pub(crate) fn new(names: &[&str]) -> Table {
        Table { rows: vec![names.iter().map(|name| (*name).to_string()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, two blanks between columns.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &'_ Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|r| cell(r, at).chars().count()).max().unwrap_or(0))
            .collect();
        let right: Vec<bool> = (0..columns)
            .map(|at| self.rows.iter().skip(1).all(|r| is_number(&cell(r, at))))
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for at in 0..columns {
                let (text, width) = (cell(row, at), widths[at]);
                if right[at] {
                    line.push_str(&format!("{text:>width$}  "));
                } else {
                    line.push_str(&format!("{text:<width$}  "));
                }
            }
            line.trim_end().to_string()
        };
        self.rows.iter().map(line).collect()
    }
}

fn is_number(text: &str) -> bool {
    text.is_empty() || text == "-" || text.starts_with(|c: char| c.is_ascii_digit())
}

/// Lines of "name  value" with the values under each other, indented.
pub(crate) fn facts(facts: &[(&str, String)]) -> Vec<String> {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    facts.iter().map(|(name, value)| format!("  {name:<width$}  {value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_names_left() {
        let mut table = Table::new(&["name", "files"]);
        table.row(vec!["a".into(), "1,000".into()]);
        table.row(vec!["longer".into(), "-".into()]);
        assert_eq!(table.lines(), ["name    files", "a       1,000", "longer      -"]);
        assert_eq!(facts(&[("a", "1".into()), ("bcd", "2".into())]), ["  a    1", "  bcd  2"]);
    }
}
