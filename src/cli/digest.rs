//! The digest of a plan on the command line: `sha256:HEX`, and with `@ISSUED` when it was shown.

use super::error::CliError;
use crate::{engine::Issued, object::sha256_hex};
use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr, time::Duration};

/// Clocks of two machines may be so far apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// `sha256:HEX[@ISSUED]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    hash: String,
    issued: Option<Timestamp>,
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (hash, issued) = match text.split_once('@') {
            Some((hash, issued)) => (hash, Some(issued)),
            None => (text, None),
        };
        let hex = hash.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err("a digest is `sha256:` and 64 hex digits, as `driftdeck plan` prints it".into());
        }
        let issued = issued
            .map(|issued| issued.parse().map_err(|_| format!("`{issued}` is not a time such as 2026-01-31T12:00:00Z")))
            .transpose()?;
        Ok(Self { hash: hash.to_owned(), issued })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hash)
    }
}

impl Digest {
    /// When it was issued, as far as it says.
    pub fn issued(&self) -> Issued {
        self.issued.map_or(Issued::Unknown, Issued::At)
    }

    /// Checks that a digest with a time of issue is not older than a cluster allows.
    ///
    /// # Errors
    /// [`CliError::Refused`].
    pub fn check_age(&self, now: Timestamp, ttl: Duration) -> Result<(), CliError> {
        let Some(issued) = self.issued else { return Ok(()) };
        let again = "run `driftdeck plan` again and approve what it shows";
        let age = now.duration_since(issued);
        if age < -SKEW {
            return Err(CliError::refused(
                format!("the approval is from the future ({issued}): the clocks disagree"),
                again,
            ));
        }
        if age > SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX) {
            let (age, ttl) =
                (super::age::short(age), super::age::short(SignedDuration::try_from(ttl).unwrap_or_default()));
            return Err(CliError::refused(
                format!("the approval has expired: it was issued {age} ago and holds for {ttl} (approval_ttl)"),
                again,
            ));
        }
        Ok(())
    }

    /// Checks that it names what was computed now (`sha256:HEX`, with or without a time of issue).
    ///
    /// # Errors
    /// [`CliError::Refused`] says what the plan is now.
    pub fn check_equal(&self, now: &str) -> Result<(), CliError> {
        let now = now.split('@').next().unwrap_or(now);
        if now == self.hash {
            return Ok(());
        }
        Err(CliError::refused(
            format!(
                "the plan has changed since it was shown: it is now {now}, and {} was approved; nothing was written",
                self.hash
            ),
            "run `driftdeck plan` again and approve what it shows",
        ))
    }
}

/// Returns the digest over several plans, in their order: the SHA-256 of theirs.
pub fn of_list<'a>(hashes: impl IntoIterator<Item = &'a str>) -> String {
    let hashes: Vec<&str> = hashes.into_iter().collect();
    format!("sha256:{}", sha256_hex(hashes.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:7c1f0b0000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn a_digest_is_read_with_and_without_its_time() {
        assert_eq!(HASH.parse::<Digest>().unwrap().to_string(), HASH);
        let with_time: Digest = format!("{HASH}@2026-01-31T12:00:00Z").parse().unwrap();
        assert_eq!(with_time.to_string(), HASH);
        for text in ["", "sha256:12", &HASH[7..], &format!("{HASH}@noon"), &HASH.to_uppercase()] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_old_digest_and_another_one_are_refused() {
        let digest: Digest = format!("{HASH}@2026-01-31T12:00:00Z").parse().unwrap();
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let ttl = Duration::from_secs(300);
        assert!(digest.check_age(at("2026-01-31T12:04:59Z"), ttl).is_ok());
        assert!(digest.check_age(at("2026-01-31T12:05:01Z"), ttl).unwrap_err().to_string().contains("expired"));
        assert!(digest.check_age(at("2026-01-31T11:58:00Z"), ttl).unwrap_err().to_string().contains("future"));
        assert!(HASH.parse::<Digest>().unwrap().check_age(at("2036-01-31T12:00:00Z"), ttl).is_ok());
        assert!(digest.check_equal(&format!("{HASH}@2026-01-31T12:01:00Z")).is_ok());
        let other = HASH.replace('7', "8");
        assert!(digest.check_equal(&other).unwrap_err().to_string().contains("has changed"));
    }
}
