//! A list's cursor. It is an object's identity, not a row: a sort, a filter or an update never moves it to another
//! object, and when the object is gone no key acts until the cursor has moved.

/// Rows of a list with its cursor, filter and scroll position.
#[derive(Clone, Debug)]
pub struct Selection<K> {
    rows: Vec<K>,
    selected: Option<K>,
    row: usize,
    present: bool,
    /// First row on the screen.
    pub offset: usize,
    /// How many rows there are without the filter.
    pub total: usize,
    /// Filter in force.
    pub filter: String,
}

impl<K> Default for Selection<K> {
    fn default() -> Self {
        Self { rows: Vec::new(), selected: None, row: 0, present: false, offset: 0, total: 0, filter: String::new() }
    }
}

impl<K: Clone + PartialEq> Selection<K> {
    /// Takes new rows; the cursor stays on its object. `follow_top`: nothing was touched yet, so stay on the first row.
    pub fn settle(&mut self, rows: Vec<K>, total: usize, follow_top: bool) {
        self.rows = rows;
        self.total = total;
        if self.selected.is_none() || follow_top {
            self.selected = self.rows.first().cloned();
        }
        self.locate();
    }

    fn locate(&mut self) {
        let found = self.selected.as_ref().and_then(|key| self.rows.iter().position(|row| row == key));
        self.present = found.is_some();
        self.row = found.unwrap_or(self.row).min(self.rows.len().saturating_sub(1));
    }

    /// Keeps the cursor inside `height` rows of screen.
    pub fn scroll_to_cursor(&mut self, height: usize) {
        let height = height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height));
        if self.row < self.offset {
            self.offset = self.row;
        } else if self.row >= self.offset + height {
            self.offset = self.row + 1 - height;
        }
    }

    /// Returns the object under the cursor; none when there is none, it is gone, or the filter hides it.
    pub fn current(&self) -> Option<&K> {
        self.selected.as_ref().filter(|_| self.present)
    }

    /// Returns what the cursor is on even if it is not among the rows.
    pub fn wanted(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    /// Returns the cursor's row; none when its object is not among the rows.
    pub fn row(&self) -> Option<usize> {
        self.present.then_some(self.row)
    }

    /// Returns the rows.
    pub fn rows(&self) -> &[K] {
        &self.rows
    }

    /// Moves by so many rows. From an object that is gone the first move goes to the row where it was.
    pub fn step(&mut self, by: isize) {
        let target = if self.present { self.row.saturating_add_signed(by) } else { self.row };
        self.go(target);
    }

    /// Moves to a row, the last one where there are not so many.
    pub fn go(&mut self, row: usize) {
        if let Some(key) = self.rows.get(row.min(self.rows.len().saturating_sub(1))) {
            self.selected = Some(key.clone());
            self.locate();
        }
    }

    /// Moves to an object, if it is among the rows.
    pub fn select(&mut self, key: &K) {
        if self.rows.contains(key) {
            self.selected = Some(key.clone());
            self.locate();
        }
    }

    /// Forgets cursor and filter: the list is about something else now.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &[&'static str]) -> Selection<&'static str> {
        let mut list = Selection::default();
        list.settle(rows.to_vec(), rows.len(), false);
        list
    }

    #[test]
    fn the_cursor_stays_on_its_object_when_rows_are_sorted_anew() {
        let mut list = list(&["a", "b", "c"]);
        list.step(1);
        list.settle(vec!["c", "x", "b", "a"], 4, false);
        assert_eq!((list.current(), list.row()), (Some(&"b"), Some(2)));
    }

    #[test]
    fn an_object_that_is_gone_leaves_no_current_one_until_the_cursor_moves() {
        let mut list = list(&["a", "b", "c"]);
        list.step(1);
        list.settle(vec!["a", "c"], 2, false);
        assert_eq!((list.current(), list.wanted()), (None, Some(&"b")));
        list.step(1);
        assert_eq!(list.current(), Some(&"c"), "the first move goes to the row where the object was");
    }

    #[test]
    fn a_filter_that_hides_the_object_and_its_end_bring_the_cursor_back_to_it() {
        let mut list = list(&["a", "b", "c"]);
        list.step(2);
        list.settle(vec!["a"], 3, false);
        assert_eq!(list.current(), None);
        list.settle(vec!["a", "b", "c"], 3, false);
        assert_eq!(list.current(), Some(&"c"));
    }

    #[test]
    fn the_screen_follows_the_cursor() {
        let mut list = Selection::default();
        list.settle((0..100).collect(), 100, false);
        list.go(50);
        list.scroll_to_cursor(10);
        assert_eq!(list.offset, 41);
        list.go(0);
        list.scroll_to_cursor(10);
        assert_eq!(list.offset, 0);
    }
}
