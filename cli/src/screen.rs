//! What output looks like: on a terminal with colours and fitted to its width, elsewhere plain.

use crate::{escape, failure::Failure};
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
    sync::OnceLock,
};

/// What the output goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether to use colours.
    pub colour: bool,
    /// How many columns the terminal has; `None` where it is none.
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
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let width = if stdout.is_terminal() { Table::new().width() } else { None };
        Self { colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never, width }
    }

    /// Text in a tone.
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

/// A table of harmless texts: on a terminal with borders and fitted to its width, elsewhere one line of tab-separated texts for
/// each row, without a header.
#[derive(Clone, Debug)]
pub struct Sheet<const COLUMNS: usize> {
    columns: [&'static str; COLUMNS],
    groups: &'static [usize],
    optional: &'static [usize],
    rows: Vec<[(String, Tone); COLUMNS]>,
}

impl<const COLUMNS: usize> Sheet<COLUMNS> {
    /// A sheet without rows yet. Where the screen is too narrow, neighbours of a group go on top of each other (`groups` has the
    /// size of each), and then columns are left out in the order of `optional`. No text is ever split that is needed whole.
    pub fn new(columns: [&'static str; COLUMNS], groups: &'static [usize], optional: &'static [usize]) -> Self {
        Self { columns, groups, optional, rows: Vec::new() }
    }

    pub fn push(&mut self, row: [(String, Tone); COLUMNS]) {
        self.rows.push(row);
    }

    /// The sheet as text, without a line break at the end.
    pub fn render(&self, style: Style) -> String {
        let Some(width) = style.width else { return self.tab_separated() };
        let layout = self.layout(usize::from(width));
        let is_grouped = layout.iter().any(|columns| columns.len() > 1);
        let mut table = Table::new();
        table.load_style(if is_grouped { presets::UTF8_FULL } else { presets::UTF8_FULL_CONDENSED });
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if style.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let header = self.columns.map(|column| (column.to_owned(), Tone::Strong));
        let cells = |row: &[(String, Tone); COLUMNS]| -> Vec<Cell> {
            layout.iter().map(|columns| joined(row, columns)).map(|(text, tone)| style.cell(text, tone)).collect()
        };
        table.set_header(cells(&header));
        for row in &self.rows {
            table.add_row(cells(row));
        }
        for (at, columns) in layout.iter().enumerate() {
            let whole = u16::try_from(self.width(columns) + 2).unwrap_or(u16::MAX);
            if let Some(column) = table.column_mut(at) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(whole)));
            }
        }
        table.trim_fmt()
    }

    fn tab_separated(&self) -> String {
        let line = |row: &[(String, Tone); COLUMNS]| {
            row.iter().map(|(text, _)| text.replace('\n', " ")).collect::<Vec<_>>().join("\t")
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Which columns are shown, those on top of each other together. A column without a text in any row is not shown.
    fn layout(&self, width: usize) -> Vec<Vec<usize>> {
        let has_text =
            |column: &usize| self.rows.iter().any(|row| row.get(*column).is_some_and(|(text, _)| !text.is_empty()));
        let mut shown: Vec<usize> = (0..COLUMNS).filter(has_text).collect();
        let side_by_side: Vec<Vec<usize>> = shown.iter().map(|column| vec![*column]).collect();
        let fits = |layout: &[Vec<usize>]| {
            // Every cell has a blank at each side and a line after it.
            layout.iter().map(|columns| self.width(columns) + 3).sum::<usize>() < width
        };
        if fits(&side_by_side) {
            return side_by_side;
        }
        let mut optional = self.optional.iter();
        loop {
            let layout = self.grouped(&shown);
            match optional.next() {
                Some(column) if !fits(&layout) => shown.retain(|other| other != column),
                _ => return layout,
            }
        }
    }

    fn grouped(&self, shown: &[usize]) -> Vec<Vec<usize>> {
        let mut first = 0;
        let groups = self.groups.iter().map(|size| {
            let group = first..first + size;
            first += size;
            shown.iter().copied().filter(|column| group.contains(column)).collect::<Vec<_>>()
        });
        groups.filter(|group| !group.is_empty()).collect()
    }

    /// The width that these columns need on top of each other. Further lines of a cell do not count: they may be wrapped.
    fn width(&self, columns: &[usize]) -> usize {
        let first_line = |text: &str| text.lines().next().unwrap_or_default().chars().count();
        let titles = columns.iter().filter_map(|column| self.columns.get(*column)).map(|title| first_line(title));
        let cells = self.rows.iter().flat_map(|row| columns.iter().filter_map(|column| row.get(*column)));
        titles.chain(cells.map(|(text, _)| first_line(text))).max().unwrap_or(0)
    }
}

/// Cells on top of each other as one, in the last tone that says something.
fn joined(row: &[(String, Tone)], columns: &[usize]) -> (String, Tone) {
    let cells: Vec<&(String, Tone)> = columns.iter().filter_map(|column| row.get(*column)).collect();
    let texts: Vec<&str> = cells.iter().map(|(text, _)| text.as_str()).filter(|text| !text.is_empty()).collect();
    let tone = cells.iter().rev().map(|(_, tone)| *tone).find(|tone| *tone != Tone::Plain);
    (texts.join("\n"), tone.unwrap_or(Tone::Plain))
}

/// Writes to standard output, with a line break at the end.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Writes a value as JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&escape::json(value).map_err(|error| Failure::new(error.to_string()))?)
}

/// Writes a remark to standard error, so that standard output holds nothing but the answer.
pub fn remark(text: &str) {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| std::env::args().next().unwrap_or_default());
    // If standard error is closed, there is no place to report that.
    let _ = writeln!(io::stderr().lock(), "{}", as_typed(text, program));
}

/// The text with each command in it as this one was typed: `make up` leaves the command in a folder that no shell looks into.
fn as_typed<'a>(text: &'a str, program: &str) -> Cow<'a, str> {
    if program.contains('/') && escape::is_harmless(program) {
        Cow::Owned(text.replace("`rollcall ", &format!("`{} ", escape::shell(program))))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether the person who typed the command means it. `otherwise` says which flags do without the question.
pub fn confirmed(question: &str, otherwise: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "standard input is no terminal, so the question cannot be asked: {question}"
        ))
        .help(otherwise));
    }
    let mut stderr = io::stderr().lock();
    // If standard error is closed, the answer cannot be yes.
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::new(format!("reading the answer: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, width: Option<u16>, expected: &str) {
        let mut sheet = Sheet::new(["id", "kind", "size", "state"], &[2, 1, 1], &[3, 1]);
        let cell = |text: &str, tone| (text.to_owned(), tone);
        sheet.push([
            cell("7c1e4a92-5d0b", Tone::Strong),
            cell("first\nof many", Tone::Odd),
            cell("", Tone::Plain),
            cell("done", Tone::Good),
        ]);
        assert_eq!(sheet.render(Style { colour: false, width }), expected, "{name}");
    }

    #[test]
    fn a_sheet_fits_the_screen_and_keeps_ids_whole() {
        check("not a terminal", None, "7c1e4a92-5d0b\tfirst of many\t\tdone");
        let wide = "\
┌───────────────┬─────────┬───────┐
│ id            ┆ kind    ┆ state │
╞═══════════════╪═════════╪═══════╡
│ 7c1e4a92-5d0b ┆ first   ┆ done  │
│               ┆ of many ┆       │
└───────────────┴─────────┴───────┘";
        check("wide enough", Some(36), wide);
        let narrow = "\
┌───────────────┬───────┐
│ id            ┆ state │
│ kind          ┆       │
╞═══════════════╪═══════╡
│ 7c1e4a92-5d0b ┆ done  │
│ first         ┆       │
│ of many       ┆       │
└───────────────┴───────┘";
        check("too narrow", Some(26), narrow);
        let tiny = "\
┌───────────────┐
│ id            │
│ kind          │
╞═══════════════╡
│ 7c1e4a92-5d0b │
│ first         │
│ of many       │
└───────────────┘";
        check("one column left", Some(18), tiny);
        let least = "\
┌───────────────┐
│ id            │
╞═══════════════╡
│ 7c1e4a92-5d0b │
└───────────────┘";
        check("too narrow for anything", Some(9), least);
    }

    #[test]
    fn hints_name_the_command_as_it_was_typed() {
        let hint = "see it with: `rollcall timeline b`";
        assert_eq!(as_typed(hint, "rollcall"), hint);
        assert_eq!(as_typed(hint, "target/debug/rollcall"), "see it with: `target/debug/rollcall timeline b`");
        assert_eq!(as_typed(hint, "/my tools/rollcall"), "see it with: `'/my tools/rollcall' timeline b`");
    }

    #[test]
    fn colours_are_there_where_they_are_wanted() {
        let colourful = Style { colour: true, width: Some(80) };
        assert_eq!(colourful.paint("x", Tone::Bad), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(colourful.paint("x", Tone::Plain), "x");
        assert_eq!(Style::PLAIN.paint("x", Tone::Bad), "x");
        let mut sheet = Sheet::new(["a"], &[1], &[]);
        sheet.push([("b".to_owned(), Tone::Bad)]);
        assert!(sheet.render(colourful).contains('\u{1b}'));
        assert!(!sheet.render(Style::PLAIN).contains('\u{1b}'));
    }
}
