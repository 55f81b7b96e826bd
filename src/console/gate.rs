//! When a dangerous answer counts: only on purpose, and only for what has stood on the screen.

use super::{
    screen::{QUIET, SETTLE},
    text,
};
use std::time::Duration;

/// How a key came.
#[derive(Clone, Copy, Debug)]
pub struct Press {
    /// When.
    pub at: Duration,
    /// When the key before it came.
    pub before: Option<Duration>,
    /// The terminal says that it is a repeat.
    pub repeat: bool,
}

/// Says why a key is not an answer yet: the screen must have stood for 300 ms, and no key may have come for 150 ms.
pub fn too_early(press: Press, shown: Option<Duration>) -> Option<String> {
    let stood = shown.map(|shown| press.at.saturating_sub(shown));
    if stood.is_none_or(|stood| stood < SETTLE) {
        return Some("not counted: the screen had just changed; read it, then press the key again".into());
    }
    let quiet = press.before.map(|before| press.at.saturating_sub(before));
    if press.repeat || quiet.is_some_and(|quiet| quiet < QUIET) {
        return Some("not counted: keys came too fast; press the key once more, alone".into());
    }
    None
}

/// Says why a typed name does not arm yet.
pub fn name_missing(typed: &str, name: &str) -> Option<String> {
    (typed != name).then(|| format!("type the name {} to arm", text::one_line(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_after_the_screen_has_stood_and_the_keyboard_was_quiet() {
        let ms = Duration::from_millis;
        let press = |at, before: Option<u64>| Press { at: ms(at), before: before.map(ms), repeat: false };
        assert!(too_early(press(1_000, None), None).is_some(), "never drawn");
        assert!(too_early(press(1_299, None), Some(ms(1_000))).is_some(), "299 ms");
        assert!(too_early(press(1_300, None), Some(ms(1_000))).is_none(), "300 ms");
        assert!(too_early(press(2_000, Some(1_851)), Some(ms(0))).is_some(), "149 ms after a key");
        assert!(too_early(press(2_000, Some(1_850)), Some(ms(0))).is_none(), "150 ms after a key");
        assert!(too_early(Press { repeat: true, ..press(2_000, None) }, Some(ms(0))).is_some());
    }
}
