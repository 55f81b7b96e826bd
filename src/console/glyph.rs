//! The signs of the screen, in a Unicode and an ASCII table. Every sign stands beside a word, so both say the same.

use ratatui::symbols::border;

/// One table of signs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glyphs {
    /// Good.
    pub ok: &'static str,
    /// Failed.
    pub failed: &'static str,
    /// Under way.
    pub running: &'static str,
    /// Stopped on purpose.
    pub suspended: &'static str,
    /// Applied here; a closed node.
    pub here: &'static str,
    /// An open node.
    pub open: &'static str,
    /// A revert.
    pub revert: &'static str,
    /// Left-out lines.
    pub fold: &'static str,
    /// Cut text.
    pub ellipsis: &'static str,
    /// Separator; waiting.
    pub dot: &'static str,
    /// From, to.
    pub arrow: &'static str,
    /// Steps into something.
    pub crumb: &'static str,
    /// A note beside a line.
    pub note: &'static str,
    /// Full and empty part of a bar.
    pub bar: (&'static str, &'static str),
    /// A line between parts.
    pub rule: &'static str,
    /// Frames.
    pub border: border::Set<'static>,
}

/// Signs of width-neutral code points, and box drawing.
pub const UNICODE: Glyphs = Glyphs {
    ok: "\u{2714}",
    failed: "\u{2716}",
    running: "\u{25cc}",
    suspended: "\u{2298}",
    here: "\u{25b8}",
    open: "\u{25be}",
    revert: "\u{21b6}",
    fold: "\u{22ee}",
    ellipsis: "\u{2026}",
    dot: "\u{b7}",
    arrow: "\u{2192}",
    crumb: "\u{203a}",
    note: "\u{ab}",
    bar: ("\u{2588}", "\u{2591}"),
    rule: "\u{2500}",
    border: border::ROUNDED,
};

/// The same for terminals and locales without them.
pub const ASCII: Glyphs = Glyphs {
    ok: "=",
    failed: "x",
    running: "*",
    suspended: "#",
    here: ">",
    open: "v",
    revert: "<",
    fold: ":",
    ellipsis: "..",
    dot: "-",
    arrow: "->",
    crumb: ">",
    note: "<<",
    bar: ("#", "-"),
    rule: "-",
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

/// Says whether the surroundings call for ASCII: `TERM` is `linux` or `dumb`, or the locale is not UTF-8.
pub fn needs_ascii(variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("TERM").is_none_or(|term| term == "linux" || term == "dumb" || term.is_empty()) {
        return true;
    }
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    !(locale.contains("utf-8") || locale.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_chosen_where_the_terminal_or_the_locale_has_no_more() {
        let with = |term: &'static str, lang: &'static str| {
            needs_ascii(move |name| match name {
                "TERM" => Some(term.into()),
                "LANG" => Some(lang.into()),
                _ => None,
            })
        };
        assert!(!with("xterm-256color", "en_US.UTF-8"));
        assert!(!with("tmux", "C.utf8"));
        assert!(with("linux", "en_US.UTF-8"));
        assert!(with("xterm", "POSIX"));
        assert!(needs_ascii(|_| None));
    }
}
