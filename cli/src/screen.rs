//! What output looks like: on a terminal with colours and fitted to its width, elsewhere plain.

use crate::failure::Failure;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use std::io::{self, IsTerminal as _, Write as _};

/// What the output goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether to use colours.
    pub colour: bool,
    /// How many columns there are; `None` leaves lines as long as they are.
    pub width: Option<u16>,
}

/// What a piece of text means, as far as its colour goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Odd,
    Bad,
}

impl Style {
    /// No colours, any width: for files, pipes and tests.
    pub const PLAIN: Self = Self { colour: false, width: None };

    /// As standard output and `NO_COLOR` and its relatives ask for.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let width = if stdout.is_terminal() { Table::new().width() } else { None };
        Self { colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never, width }
    }

    /// Text in a tone.
    #[must_use]
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            _ if !self.colour || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Odd => "33",
            Tone::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn cell(self, text: String, tone: Tone) -> Cell {
        let cell = Cell::new_owned(text);
        match tone {
            _ if !self.colour => cell,
            Tone::Plain => cell,
            Tone::Strong => cell.add_attribute(Attribute::Bold),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
            Tone::Good => cell.fg(Color::DarkGreen),
            Tone::Odd => cell.fg(Color::DarkYellow),
            Tone::Bad => cell.fg(Color::DarkRed),
        }
    }
}

/// A table of harmless texts. Where the screen is too narrow for its columns, it puts neighbours on top of each other.
#[derive(Clone, Debug)]
pub struct Sheet<const COLUMNS: usize> {
    columns: [&'static str; COLUMNS],
    groups: &'static [usize],
    rows: Vec<[(String, Tone); COLUMNS]>,
}

impl<const COLUMNS: usize> Sheet<COLUMNS> {
    /// A sheet without rows yet. `groups` says how many neighbours go on top of each other where there is little room.
    #[must_use]
    pub fn new(columns: [&'static str; COLUMNS], groups: &'static [usize]) -> Self {
        Self { columns, groups, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: [(String, Tone); COLUMNS]) {
        self.rows.push(row);
    }

    /// The sheet as text, without a line break at the end.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let wide = style.width.is_none_or(|width| self.width() <= usize::from(width));
        let groups = if wide { &[1; COLUMNS][..] } else { self.groups };
        let mut table = Table::new();
        table.load_style(if wide { presets::UTF8_FULL_CONDENSED } else { presets::UTF8_FULL });
        match style.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if style.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let header = self.columns.map(|column| (column.to_owned(), Tone::Strong));
        table.set_header(grouped(&header, groups).map(|(text, tone)| style.cell(text, tone)));
        for row in &self.rows {
            table.add_row(grouped(row, groups).map(|(text, tone)| style.cell(text, tone)));
        }
        table.trim_fmt()
    }

    /// The columns it needs side by side. Further lines of a cell do not count: they may be wrapped.
    fn width(&self) -> usize {
        let first_line = |text: &str| text.lines().next().unwrap_or_default().chars().count();
        let mut widths = self.columns.map(first_line);
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(first_line(text));
            }
        }
        // Every cell has a blank at each side and a line after it.
        widths.iter().map(|width| width + 3).sum::<usize>() + 1
    }
}

/// The cells of each group as one, in the last tone that says something.
fn grouped<'a>(cells: &'a [(String, Tone)], groups: &'a [usize]) -> impl Iterator<Item = (String, Tone)> + 'a {
    let mut cells = cells.iter();
    groups.iter().map(move |size| {
        let group: Vec<&(String, Tone)> = cells.by_ref().take(*size).collect();
        let texts: Vec<&str> = group.iter().map(|(text, _)| text.as_str()).filter(|text| !text.is_empty()).collect();
        let tone = group.iter().rev().map(|(_, tone)| *tone).find(|tone| *tone != Tone::Plain);
        (texts.join("\n"), tone.unwrap_or(Tone::Plain))
    })
}

/// Writes to standard output, with a line break at the end.
///
/// # Errors
/// When nobody takes it.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Writes a remark to standard error, so that standard output holds nothing but the answer.
pub fn remark(text: &str) {
    // When nobody takes it there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether the person who typed the command means it. `otherwise` says which flags do without the question.
///
/// # Errors
/// When nobody is there to be asked.
pub fn confirmed(question: &str, otherwise: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("nobody is there to be asked: {question}")).help(otherwise));
    }
    let mut stderr = io::stderr().lock();
    // When nobody sees the question, nobody answers yes.
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::new(format!("reading the answer: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, style: Style, expected: &str) {
        let mut sheet = Sheet::new(["name", "kind", "state"], &[2, 1]);
        sheet.push([
            ("alpha".to_owned(), Tone::Plain),
            ("first\nof many".to_owned(), Tone::Odd),
            ("done".to_owned(), Tone::Good),
        ]);
        assert_eq!(sheet.render(style), expected, "{name}");
    }

    #[test]
    fn a_sheet_fits_the_screen() {
        let wide = "\
┌───────┬─────────┬───────┐
│ name  ┆ kind    ┆ state │
╞═══════╪═════════╪═══════╡
│ alpha ┆ first   ┆ done  │
│       ┆ of many ┆       │
└───────┴─────────┴───────┘";
        check("no limit", Style::PLAIN, wide);
        check("wide enough", Style { width: Some(27), ..Style::PLAIN }, wide);
        let narrow = "\
┌─────────┬───────┐
│ name    ┆ state │
│ kind    ┆       │
╞═════════╪═══════╡
│ alpha   ┆ done  │
│ first   ┆       │
│ of many ┆       │
└─────────┴───────┘";
        check("too narrow", Style { width: Some(20), ..Style::PLAIN }, narrow);
    }

    #[test]
    fn colours_are_there_where_they_are_wanted() {
        let colourful = Style { colour: true, width: None };
        assert_eq!(colourful.paint("x", Tone::Bad), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(colourful.paint("x", Tone::Plain), "x");
        assert_eq!(Style::PLAIN.paint("x", Tone::Bad), "x");
        let mut sheet = Sheet::new(["a"], &[1]);
        sheet.push([("b".to_owned(), Tone::Bad)]);
        assert!(sheet.render(colourful).contains('\u{1b}'));
        assert!(!sheet.render(Style::PLAIN).contains('\u{1b}'));
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (bytes, told) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (20_049_999, "20.0 MB"), (1_550_000_000, "1.5 GB")]
        {
            assert_eq!(size(bytes), told);
        }
    }
}
