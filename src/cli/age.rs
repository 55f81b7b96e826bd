//! Ages as people write them: `12s`, `6m`, `2h`, `3d`.

use crate::config;
use jiff::{SignedDuration, Timestamp};

/// Returns a duration in its largest unit.
pub fn short(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns how long ago something was.
pub fn since(time: Timestamp) -> String {
    short(config::now().duration_since(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_one_number_and_one_letter() {
        for (seconds, expected) in
            [(-5, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (7_200, "2h"), (90_000, "1d"), (864_000, "10d")]
        {
            assert_eq!(short(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
