//! Exit codes: the one place where they are given out and combined.

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing to do, or done.
    Done,
    /// Something is wrong.
    Error,
    /// There is a difference.
    Different,
    /// Refused: stale or wrong digest, read-only, rights, guard. Nothing was written.
    Refused,
    /// Applied, not healthy in time.
    Unhealthy,
    /// The command line makes no sense, or asks for what this version does not have.
    Usage,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// Returns the process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Different => 2,
            Self::Refused => 3,
            Self::Unhealthy => 4,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }

    /// Combines what several applications gave: an interruption, else the first of 1, 3, 4, 2, 0.
    pub fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        const ORDER: [Exit; 6] =
            [Exit::Interrupted, Exit::Error, Exit::Refused, Exit::Unhealthy, Exit::Different, Exit::Done];
        let rank = |exit: &Self| ORDER.iter().position(|known| known == exit);
        exits.into_iter().min_by_key(rank).unwrap_or(Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_applications_give_the_first_of_1_3_4_2_0() {
        use Exit::{Different, Done, Error, Refused, Unhealthy};
        for (exits, expected) in [
            (vec![], Done),
            (vec![Done, Different], Different),
            (vec![Different, Unhealthy, Done], Unhealthy),
            (vec![Unhealthy, Refused], Refused),
            (vec![Refused, Error, Different], Error),
        ] {
            assert_eq!(Exit::worst(exits), expected);
        }
    }
}
