//! What a terminal shows at one moment, as text and as cells.

/// One cell as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub bold: bool,
    pub reversed: bool,
    pub foreground: vt100::Color,
}

/// A copy of the terminal's screen.
pub struct Screen {
    screen: vt100::Screen,
}

impl Screen {
    pub(super) fn new(screen: vt100::Screen) -> Self {
        Self { screen }
    }

    /// Its rows as text.
    pub fn text(&self) -> String {
        let (_, columns) = self.size();
        self.screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    pub fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// The first row that holds all of these texts.
    pub fn row(&self, texts: &[&str]) -> Option<String> {
        self.text().lines().find(|row| texts.iter().all(|text| row.contains(text))).map(str::to_owned)
    }

    /// Rows and columns.
    pub fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.screen.size();
        (rows.get(), columns.get())
    }

    /// The cell at a row and a column, from 0.
    pub fn cell(&self, row: u16, column: u16) -> Option<Cell> {
        self.screen.cell(row, column).map(|cell| Cell {
            text: cell.contents().to_owned(),
            bold: cell.bold(),
            reversed: cell.inverse(),
            foreground: cell.fgcolor(),
        })
    }

    /// Row and column, from 0, of the first cell of a text that stands on one row.
    pub fn find(&self, text: &str) -> Option<(u16, u16)> {
        let (rows, columns) = self.size();
        (0..rows).find_map(|row| {
            // Built cell by cell, so that a byte position leads back to a column.
            let mut line = String::new();
            let mut starts = Vec::new();
            for column in 0..columns {
                let Some(cell) = self.screen.cell(row, column) else { continue };
                starts.push((line.len(), column));
                line.push_str(if cell.has_contents() { cell.contents() } else { " " });
            }
            let at = line.find(text)?;
            let column = starts.iter().rev().find(|(start, _)| *start <= at).map(|(_, column)| *column)?;
            Some((row, column))
        })
    }

    /// The cell in which a text starts.
    pub fn cell_of(&self, text: &str) -> Option<Cell> {
        let (row, column) = self.find(text)?;
        self.cell(row, column)
    }

    /// Whether the program has the alternate screen; false after it gave the terminal back.
    pub fn is_alternate(&self) -> bool {
        self.screen.alternate_screen()
    }

    pub fn cursor_is_hidden(&self) -> bool {
        self.screen.hide_cursor()
    }
}
