//! Single values of the file, each read from its text or refused with a reason and an example.

use super::expand::Surroundings;
use std::time::Duration;

/// Why a value is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: String,
    pub hint: Option<String>,
}

impl Wrong {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Reads a duration such as `30s`, `5m`, `24h` or `1h30m`; units are s, m, h and d.
///
/// # Errors
/// A text that says what is wrong and what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("`{text}` is not a duration: write a number and s, m, h or d, such as \"30s\", \"5m\" or \"24h\"");
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        let mut unit = rest[digits..].chars();
        let factor = match unit.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(bad()),
        };
        seconds = number.checked_mul(factor).and_then(|part| seconds.checked_add(part)).ok_or_else(bad)?;
        rest = unit.as_str();
    }
    if text.is_empty() { Err(bad()) } else { Ok(Duration::from_secs(seconds)) }
}

/// Reads a duration within bounds, in the words of the file.
pub(super) fn bounded(text: &str, least: &str, most: &str) -> Result<Duration, Wrong> {
    let value = duration(text).map_err(|_| {
        Wrong::new(format!("`{text}` is not a duration"), "write a number and s, m, h or d: \"30s\", \"5m\", \"24h\"")
    })?;
    let bound = |text: &str| duration(text).unwrap_or_default();
    if value < bound(least) {
        return Err(Wrong::new(format!("{text} is too short"), format!("at least \"{least}\"")));
    }
    if value > bound(most) {
        return Err(Wrong::new(format!("{text} is too long"), format!("at most \"{most}\"")));
    }
    Ok(value)
}

/// Reads a name that is only shown and referred to.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("an empty name", "write a name"));
    }
    if text.trim() != text || crate::object::clean(text) != text || text.contains(['\n', '\t']) {
        return Err(Wrong::new(
            format!("the name `{}` has blanks around it or characters that cannot be seen", crate::object::clean(text)),
            "write a name of letters, digits, `-`, `_` and `.`",
        ));
    }
    Ok(text.to_owned())
}

/// Reads a DNS label (RFC 1123): what Kubernetes takes as a label's value and a namespace's name.
pub(super) fn dns_label(text: &str) -> Result<String, Wrong> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = !text.is_empty()
        && text.len() <= 63
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fine {
        return Ok(text.to_owned());
    }
    let shown = crate::object::clean(text);
    let rule = "lower-case letters, digits and `-`, at most 63, no `-` at the ends";
    let proposal = to_dns_label(text);
    Err(Wrong::new(
        format!("`{shown}` is no DNS label"),
        if proposal.is_empty() { rule.to_owned() } else { format!("{rule}: for example \"{proposal}\"") },
    ))
}

/// Makes the nearest DNS label of a text; empty where nothing of it is left.
pub(super) fn to_dns_label(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            _ if !out.ends_with('-') && !out.is_empty() => out.push('-'),
            _ => {}
        }
    }
    out.truncate(63);
    out.trim_end_matches('-').to_owned()
}

/// Reads a branch, a tag (git-check-ref-format's rules) or a commit id.
pub(super) fn revision(text: &str) -> Result<String, Wrong> {
    let part_is_bad = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let bad = text.starts_with('-')
        || text.ends_with('.')
        || text == "@"
        || text.contains("..")
        || text.contains("@{")
        || text.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c))
        || text.split('/').any(part_is_bad);
    if bad {
        return Err(Wrong::new(
            format!("`{}` cannot be a branch, a tag or a commit", crate::object::clean(text)),
            "write a branch, a tag or a commit id, such as \"main\", \"v1.9.0\" or \"9f3c1e2…\"",
        ));
    }
    Ok(text.to_owned())
}

/// Reads a glob over paths.
pub(super) fn glob(text: &str) -> Result<String, Wrong> {
    match globset::GlobBuilder::new(text).literal_separator(true).build() {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        Ok(_) => Err(Wrong::new("an empty glob matches nothing", "write a glob such as \"*.yaml\"")),
        Err(error) => Err(Wrong::new(
            format!("`{}` is not a glob: {}", crate::object::clean(text), error.kind()),
            "write a glob such as \"*.yaml\" or \"jobs/**\"",
        )),
    }
}

/// Reads a folder or file inside a repository; the root is the empty text.
pub(super) fn repository_path(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') {
        return Err(Wrong::new(
            format!("`{text}` starts with `/`, and a path in a repository starts at its root"),
            format!("write \"{}\"", text.trim_matches('/')),
        ));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(Wrong::new(
            format!("`{text}` leaves the repository"),
            "write the path from the repository's root, without `..`",
        ));
    }
    if text.contains(['\\', '\0']) {
        return Err(Wrong::new(
            format!("`{}` cannot be a path in a repository", crate::object::clean(text)),
            "separate folders by `/`",
        ));
    }
    Ok(text.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/"))
}

/// Reads the address of a repository: a URL or scp-like address as it is, a path made absolute.
pub(super) fn url(text: &str, surroundings: &Surroundings<'_>) -> Result<String, Wrong> {
    const ACCEPTED: [&str; 5] = ["https", "http", "ssh", "git", "file"];
    const HINT: &str = "write an https, http, ssh, git or file URL, user@host:path, or a path";
    if text.is_empty() {
        return Err(Wrong::new("an empty address", HINT));
    }
    let expanded = surroundings.expand(text)?;
    if expanded.starts_with('-') || expanded.contains(char::is_control) {
        return Err(Wrong::new("this cannot be the address of a repository", HINT));
    }
    if let Some((scheme, rest)) = expanded.split_once("://") {
        if !ACCEPTED.contains(&scheme) {
            // the rest of the address may hold a password: only the scheme is repeated
            let hint =
                super::nearest(scheme, ACCEPTED).map_or(HINT.to_owned(), |near| format!("did you mean {near}://?"));
            return Err(Wrong::new(format!("`{}://` is not a transport for Git", crate::object::clean(scheme)), hint));
        }
        if rest.trim_start_matches('/').is_empty() {
            return Err(Wrong::new(format!("`{scheme}://` without a host or a path"), HINT));
        }
        return Ok(expanded);
    }
    match expanded.split_once(':') {
        // `C:\x` does not come here on purpose: driftdeck runs where Git's own rules for scp-like addresses hold
        Some((_, after)) if after.starts_with(':') => {
            Err(Wrong::new("transports that run a program (`ext::`, `fd::`) are not allowed", HINT))
        }
        Some((host, _)) if !host.contains('/') && !host.is_empty() => Ok(expanded),
        _ => Ok(surroundings.path(text)?.to_string_lossy().into_owned()),
    }
}

/// Reads an RFC 6901 pointer to a field.
pub(super) fn pointer(text: &str) -> Result<String, Wrong> {
    const HINT: &str = "write a JSON pointer such as \"/spec/replicas\"; a `/` in a key is `~1`, a `~` is `~0`";
    if !text.starts_with('/') {
        let proposal = text.replace('.', "/");
        let hint = if text.is_empty() || text.contains(' ') {
            HINT.to_owned()
        } else {
            format!("did you mean \"/{proposal}\"?")
        };
        return Err(Wrong::new(format!("`{}` is not a JSON pointer", crate::object::clean(text)), hint));
    }
    if text.len() == 1 || text.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
        return Err(Wrong::new(format!("`{}` is not a pointer to a field", crate::object::clean(text)), HINT));
    }
    Ok(text.to_owned())
}

/// Reads the name or the absolute path of a program.
pub(super) fn program(text: &str, surroundings: &Surroundings<'_>) -> Result<String, Wrong> {
    const HINT: &str = "write the program's name as the kubeconfig has it, such as \"aws\", or its absolute path";
    if text.is_empty() || text.contains(char::is_whitespace) || text.contains(char::is_control) {
        return Err(Wrong::new(
            format!("`{}` is not the name of one program; arguments are not part of it", crate::object::clean(text)),
            HINT,
        ));
    }
    if !text.contains('/') {
        return Ok(text.to_owned());
    }
    let expanded = surroundings.expand(text)?;
    if expanded.starts_with('/') {
        Ok(expanded)
    } else {
        Err(Wrong::new(format!("`{text}` is neither a name nor an absolute path"), HINT))
    }
}

/// Reads a sync window; kept as written, because windows bound only what runs by itself.
pub(super) fn window(text: &str) -> Result<String, Wrong> {
    let mut words = text.split_whitespace();
    let known = words.next().is_some_and(|word| word == "allow" || word == "deny");
    if known && words.clone().next().is_some() {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("`{}` is not a window", crate::object::clean(text)),
        "write `allow` or `deny`, days, hours and a time zone: \"allow Mon-Fri 09:00-17:00 Europe/Berlin\"",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn surroundings() -> Surroundings<'static> {
        Surroundings { folder: "/deck".into(), home: Some(Path::new("/home/jane")), env: &|_| None }
    }

    #[test]
    fn durations_are_read_and_bounded() {
        for (text, seconds) in [("30s", 30), ("1m", 60), ("24h", 86_400), ("1h30m", 5_400), ("2d", 172_800), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "m", "1.5h", "-1s", "1 m", "5min", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(bounded("25h", "1s", "24h").unwrap_err().hint.unwrap(), "at most \"24h\"");
        assert_eq!(bounded("0s", "1s", "24h").unwrap_err().hint.unwrap(), "at least \"1s\"");
    }

    #[test]
    fn addresses_stay_and_paths_become_absolute() {
        for (text, expected) in [
            ("https://git.example.com/p.git", "https://git.example.com/p.git"),
            ("ssh://git@host:22/p", "ssh://git@host:22/p"),
            ("git@host:team/p.git", "git@host:team/p.git"),
            ("file:///srv/p", "file:///srv/p"),
            ("../platform", "/platform"),
            ("./a:b", "/deck/a:b"),
            ("~/src/p", "/home/jane/src/p"),
            ("/srv/p.git", "/srv/p.git"),
        ] {
            assert_eq!(url(text, &surroundings()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_refused_never_shows_its_password() {
        let wrong = url("htps://jane:hunter2@host/p", &surroundings()).unwrap_err();
        assert_eq!(wrong.message, "`htps://` is not a transport for Git");
        assert_eq!(wrong.hint.unwrap(), "did you mean https://?");
        for text in ["ext::sh -c id", "fd::3", "-upload-pack=x", "https://", "a\nb", ""] {
            assert!(url(text, &surroundings()).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_revisions_globs_pointers_and_repository_paths_are_checked() {
        assert_eq!(dns_label("Shop_API").unwrap_err().hint.unwrap().split('"').nth(1), Some("shop-api"));
        assert!(dns_label(&"a".repeat(63)).is_ok() && dns_label(&"a".repeat(64)).is_err() && dns_label("-a").is_err());
        for text in ["main", "release/1.9", "v1.0", "9f3c1e2", "feature/a-b_c"] {
            assert!(revision(text).is_ok(), "{text}");
        }
        for text in ["", "-x", "a..b", "a b", "a:b", "HEAD~1", "a/", "/a", "x.lock", "@{u}", ".a"] {
            assert!(revision(text).is_err(), "{text}");
        }
        assert!(glob("jobs/**/*.yaml").is_ok() && glob("[a").is_err() && glob("").is_err());
        assert!(pointer("/spec/replicas").is_ok() && pointer("/a~1b").is_ok());
        for text in ["", "/", "spec.replicas", "/a~2b", "/a~"] {
            assert!(pointer(text).is_err(), "{text}");
        }
        for (text, expected) in [(".", ""), ("", ""), ("./a/b/", "a/b"), ("a//b", "a/b")] {
            assert_eq!(repository_path(text).unwrap(), expected);
        }
        assert!(repository_path("/a").is_err() && repository_path("a/../../b").is_err());
    }

    #[test]
    fn an_exec_plugin_is_a_name_or_an_absolute_path() {
        assert_eq!(program("aws", &surroundings()).unwrap(), "aws");
        assert_eq!(program("~/bin/kubelogin", &surroundings()).unwrap(), "/home/jane/bin/kubelogin");
        for text in ["", "aws eks get-token", "./kubelogin", "bin/x"] {
            assert!(program(text, &surroundings()).is_err(), "{text}");
        }
    }
}
