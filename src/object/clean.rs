//! Text from outside (manifests, commits, API errors, child output) made safe to show: nothing in it can reach a
//! terminal as a command, and nothing in it hides.

use std::borrow::Cow;

/// Makes every control, escape, bidirectional and zero-width character visible, leaving line breaks and tabs alone.
///
/// Controls become their picture (`ESC` -> `␛`), the others `<U+202E>`; see "Text from outside" in the console's design.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_hidden(c) => out.push(c),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('?')),
            '\u{7f}' => out.push('␡'),
            c => out.push_str(&format!("<U+{:04X}>", c as u32)),
        }
    }
    Cow::Owned(out)
}

/// Says whether a terminal would obey a character or show nothing for it. Line breaks and tabs are not hidden.
pub(super) fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        // soft hyphen, Arabic letter mark, Mongolian vowel separator, zero-width and bidirectional marks, word joiners,
        // invisible operators, bidirectional isolates, byte order mark, interlinear marks, tags
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_bidi_and_zero_width_become_visible() {
        assert_eq!(clean("\u{1b}[2J\r\u{202e}a\u{200b}b\u{9b}"), "␛[2J␍<U+202E>a<U+200B>b<U+009B>");
        assert_eq!(clean("plain\n\ttext é 字"), "plain\n\ttext é 字");
    }
}
