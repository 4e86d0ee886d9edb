//! Tables: aligned, and cut to the width there is.

use super::terminal::{columns_of, cut};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Text, at the left edge.
    Text,
    /// Text that may be cut when the line is too long.
    Long,
    /// A number, at the right edge.
    Number,
}

/// Narrowest a column is cut to.
const NARROWEST: usize = 8;

/// A table whose columns may be left out, one after the other, where a line has no room for all of them.
pub(super) struct Table<'a> {
    /// Columns, from the left.
    pub kinds: &'a [Column],
    /// Those that may go, the first one first.
    pub spare: &'a [usize],
}

impl Table<'_> {
    /// Lines of the table, and the heads of the columns that are left out.
    pub(super) fn lines(&self, rows: &[Vec<String>], columns: Option<usize>) -> (Vec<String>, Vec<String>) {
        let mut gone: Vec<usize> = Vec::new();
        let mut spare = self.spare.iter();
        while columns.is_some_and(|columns| self.narrowest(rows, &gone) > columns) {
            let Some(next) = spare.next() else { break };
            gone.push(*next);
        }
        let kept = |row: &Vec<String>| -> Vec<String> {
            row.iter().enumerate().filter(|(n, _)| !gone.contains(n)).map(|(_, cell)| cell.clone()).collect()
        };
        let kinds: Vec<Column> =
            self.kinds.iter().enumerate().filter(|(n, _)| !gone.contains(n)).map(|(_, kind)| *kind).collect();
        let heads =
            rows.first().map_or_else(Vec::new, |head| gone.iter().filter_map(|n| head.get(*n).cloned()).collect());
        (lines(&kinds, &rows.iter().map(kept).collect::<Vec<_>>(), columns), heads)
    }

    /// Columns that a line needs when every long cell is cut as far as it may be.
    fn narrowest(&self, rows: &[Vec<String>], gone: &[usize]) -> usize {
        let widest =
            |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|cell| columns_of(cell)).max().unwrap_or(0);
        let kept = self.kinds.iter().enumerate().filter(|(n, _)| !gone.contains(n));
        let widths = kept.map(|(n, kind)| if *kind == Column::Long { widest(n).min(NARROWEST) } else { widest(n) });
        widths.fold(0usize, |sum, width| if sum == 0 { width } else { sum.saturating_add(width).saturating_add(2) })
    }
}

/// Lines of a table; the first row is its head. Cells are escaped already.
pub(super) fn lines(kinds: &[Column], rows: &[Vec<String>], columns: Option<usize>) -> Vec<String> {
    let mut widths: Vec<usize> = kinds.iter().map(|_| 0).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns_of(cell));
        }
    }
    if let Some(columns) = columns {
        shrink(kinds, &mut widths, columns);
    }
    rows.iter().map(|row| line(kinds, &widths, row, columns)).collect()
}

/// Takes from the long columns, widest first, what the line has too much.
fn shrink(kinds: &[Column], widths: &mut [usize], columns: usize) {
    let gaps = widths.len().saturating_sub(1).saturating_mul(2);
    let mut over = widths.iter().sum::<usize>().saturating_add(gaps).saturating_sub(columns);
    while over > 0 {
        let long = widths.iter_mut().zip(kinds).filter(|(w, k)| **k == Column::Long && **w > NARROWEST);
        let Some((widest, _)) = long.max_by_key(|(w, _)| **w) else { return };
        *widest = widest.saturating_sub(1);
        over = over.saturating_sub(1);
    }
}

fn line(kinds: &[Column], widths: &[usize], row: &[String], columns: Option<usize>) -> String {
    let mut out = String::new();
    for (n, ((kind, width), cell)) in kinds.iter().zip(widths).zip(row).enumerate() {
        if n > 0 {
            out.push_str("  ");
        }
        let cell = if *kind == Column::Long { cut(cell, *width) } else { cell.clone() };
        let pad = " ".repeat(width.saturating_sub(columns_of(&cell)));
        match kind {
            Column::Number => out.push_str(&format!("{pad}{cell}")),
            Column::Text | Column::Long => out.push_str(&format!("{cell}{pad}")),
        }
    }
    let trimmed = out.trim_end();
    columns.map_or_else(|| trimmed.to_owned(), |c| cut(trimmed, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_and_cut() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["ID", "NAME", "N"]), row(["ab", "a long name indeed", "10"]), row(["cd", "日本", "7"])];
        let kinds = [Column::Text, Column::Long, Column::Number];
        assert_eq!(
            lines(&kinds, &rows, None),
            ["ID  NAME                 N", "ab  a long name indeed  10", "cd  日本                 7"]
        );
        assert_eq!(
            lines(&kinds, &rows, Some(20)),
            ["ID  NAME           N", "ab  a long name…  10", "cd  日本           7"]
        );
    }

    #[test]
    fn columns_go_where_there_is_no_room_for_them() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [row(["ID", "WHEN", "NAME", "CLASS"]), row(["abcdef12", "2026-11-20 10:17", "filesystem", "draft"])];
        let table = Table { kinds: &[Column::Text, Column::Text, Column::Long, Column::Text], spare: &[3, 1] };
        assert_eq!(table.lines(&rows, None).1, [""; 0]);
        let (shown, gone) = table.lines(&rows, Some(40));
        assert_eq!(shown, ["ID        WHEN              NAME", "abcdef12  2026-11-20 10:17  filesystem"]);
        assert_eq!(gone, ["CLASS"]);
        let (shown, gone) = table.lines(&rows, Some(20));
        assert_eq!(shown, ["ID        NAME", "abcdef12  filesystem"]);
        assert_eq!(gone, ["CLASS", "WHEN"]);
        // What may not go is cut.
        assert_eq!(table.lines(&rows, Some(10)).0, ["ID       …", "abcdef12 …"]);
    }
}
