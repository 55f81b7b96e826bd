//! Text that fits cells: cleaned of everything a terminal could obey or hide, measured and cut by display width.

use crate::object::clean;
use jiff::Timestamp;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Returns a text on one line, safe to show: line breaks and tabs become visible too.
pub fn one_line(text: &str) -> String {
    clean(text.trim_end()).replace('\n', "\u{240a}").replace('\t', " ")
}

/// Returns a part of a line, safe to show, without its line break; blanks at its ends stay.
pub fn one_line_keeping_indent(part: &str) -> String {
    clean(part.trim_end_matches('\n')).replace('\n', "\u{240a}").replace('\t', "    ")
}

/// Returns how many cells a text takes.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Cuts a text to `max` cells; what is cut is marked by `ellipsis`.
pub fn cut(text: &str, max: usize, ellipsis: &str) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let mark = width(ellipsis);
    if max < mark {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = UnicodeWidthStr::width(grapheme);
        if used + next + mark > max {
            break;
        }
        out.push_str(grapheme);
        used += next;
    }
    out.push_str(ellipsis);
    out
}

/// Cuts a text to `max` cells from its start: the end says most.
pub fn cut_start(text: &str, max: usize, ellipsis: &str) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let mut kept = Vec::new();
    let mut used = width(ellipsis);
    for grapheme in text.graphemes(true).rev() {
        used += UnicodeWidthStr::width(grapheme);
        if used > max {
            break;
        }
        kept.push(grapheme);
    }
    kept.push(if width(ellipsis) <= max { ellipsis } else { "" });
    kept.into_iter().rev().collect()
}

/// Cuts or pads a text to exactly `cells` cells.
pub fn fit(text: &str, cells: usize, ellipsis: &str) -> String {
    let mut out = cut(text, cells, ellipsis);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    out
}

/// Cuts or pads a text to exactly `cells` cells, its end at the right.
pub fn fit_right(text: &str, cells: usize, ellipsis: &str) -> String {
    let out = cut(text, cells, ellipsis);
    format!("{}{out}", " ".repeat(cells.saturating_sub(width(&out))))
}

/// Breaks a cleaned text into lines of at most `max` cells, between words where it can.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut lines = Vec::new();
    for paragraph in clean(text).replace('\t', "    ").trim_end().split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(' ') {
            let cells = width(word.trim_end());
            if used + cells > max && used > 0 {
                lines.push(line.trim_end().to_owned());
                line = String::new();
                used = 0;
                if word.trim().is_empty() {
                    continue;
                }
            }
            if cells > max {
                for grapheme in word.graphemes(true) {
                    let next = UnicodeWidthStr::width(grapheme);
                    if used + next > max {
                        lines.push(std::mem::take(&mut line));
                        used = 0;
                    }
                    line.push_str(grapheme);
                    used += next;
                }
                continue;
            }
            line.push_str(word);
            used += width(word);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Returns a number of seconds as screens show an age: `12s`, `6m`, `3h`, `4d`.
pub fn seconds(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..172_800 => format!("{}h", s / 3_600),
        s @ 172_800..8_640_000 => format!("{}d", s / 86_400),
        s @ 8_640_000..60_480_000 => format!("{}w", s / 604_800),
        s => format!("{}y", s / 31_557_600),
    }
}

/// Returns how long ago `then` was.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    seconds(now.as_second() - then.as_second())
}

/// Returns a span as a countdown: `4m12s`.
pub fn countdown(seconds: i64) -> String {
    let seconds = seconds.max(0);
    if seconds >= 60 { format!("{}m{:02}s", seconds / 60, seconds % 60) } else { format!("{seconds}s") }
}

/// Returns a span in full: `90s` is `1m30s`, `5m` and `2h` have no smaller part.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let told: String =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    if told.is_empty() { "0s".into() } else { told }
}

/// Returns `1 object`, `2 objects`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_character_is_never_cut_in_half() {
        assert_eq!(cut("字字字", 5, "…"), "字字…");
        assert_eq!(fit("字字字", 4, "…"), "字… ");
        assert_eq!(cut_start("字字字", 5, "…"), "…字字");
        assert_eq!(cut_start("abc", 0, "…"), "");
        assert_eq!(width(&fit("e\u{301}te\u{301}", 6, "..")), 6);
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_shows_itself() {
        assert_eq!(one_line("a\r\nb\u{1b}[2J\u{202e}"), "a\u{240d}\u{240a}b\u{241b}[2J<U+202E>");
    }

    #[test]
    fn wrapping_breaks_between_words_and_splits_what_is_too_long() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert!(wrap("ab\u{7}\n\nx", 10).iter().all(|line| !line.contains('\u{7}')));
    }

    #[test]
    fn ages_are_short() {
        assert_eq!([5, 65, 7_200, 200_000, 8_640_000, 90_000_000].map(seconds), ["5s", "1m", "2h", "2d", "14w", "2y"]);
        assert_eq!(countdown(252), "4m12s");
        assert_eq!([0, 90, 300, 7_200, 3_661].map(span), ["0s", "1m30s", "5m", "2h", "1h1m1s"]);
    }
}
