//! Where a pushed branch becomes a pull or merge request: as the server printed it, else as its kind is known to do it.

use super::RepositoryUrl;
use crate::object::clean;

/// Finds the address in what the server printed on a push (GitHub, GitLab, Gitea, Bitbucket do).
pub(super) fn printed_address(stderr: &str) -> Option<String> {
    let words = stderr.split(['\n', '\r']).filter_map(|line| line.strip_prefix("remote:"));
    let mut addresses = words.flat_map(str::split_whitespace).filter(|word| {
        (word.starts_with("https://") || word.starts_with("http://"))
            && ["/pull", "merge_requests", "/compare/"].iter().any(|part| word.contains(part))
    });
    addresses.next().map(|address| clean(address).into_owned())
}

/// Makes the address from the repository's, where the host's kind can be told. None for the main branch itself.
pub(super) fn made_address(url: &RepositoryUrl, branch: &str, main: Option<String>) -> Option<String> {
    if url.local_path().is_some() || main.as_deref() == Some(branch) {
        return None;
    }
    let address = url.bare_address();
    let (host, path) = address.split_once('/')?;
    // a port of ssh or git is none of the web server's
    let host = if url.secret_text().starts_with("http") { host } else { host.split(':').next()? };
    let name = host.split(':').next()?;
    let is = |kind: &str| name.split('.').any(|label| label == kind);
    let encoded = encode(branch);
    if is("github") {
        Some(format!("https://{host}/{path}/pull/new/{encoded}"))
    } else if is("gitlab") {
        Some(format!("https://{host}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={}", query(branch)))
    } else if is("bitbucket") && name == "bitbucket.org" {
        Some(format!("https://{host}/{path}/pull-requests/new?source={}", query(branch)))
    } else if is("gitea") || is("forgejo") || is("codeberg") {
        Some(format!("https://{host}/{path}/compare/{}...{encoded}", encode(&main?)))
    } else {
        None
    }
}

/// Percent-encodes for a path; slashes stay.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Percent-encodes for a query's value.
fn query(text: &str) -> String {
    encode(text).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(url: &str) -> Option<String> {
        made_address(&RepositoryUrl::parse(url).unwrap(), "driftdeck/a#1", Some("main".to_owned()))
    }

    #[test]
    fn known_hosts_have_an_address_for_a_request() {
        assert_eq!(made("git@github.com:o/r.git").as_deref(), Some("https://github.com/o/r/pull/new/driftdeck/a%231"));
        assert_eq!(
            made("ssh://git@gitlab.example.com:2222/g/s/r").as_deref(),
            Some(
                "https://gitlab.example.com/g/s/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=driftdeck%2Fa%231"
            )
        );
        assert_eq!(
            made("https://me:pw@gitea.example.com:3000/o/r").as_deref(),
            Some("https://gitea.example.com:3000/o/r/compare/main...driftdeck/a%231")
        );
        assert_eq!(
            made("https://bitbucket.org/o/r").as_deref(),
            Some("https://bitbucket.org/o/r/pull-requests/new?source=driftdeck%2Fa%231")
        );
        assert_eq!(made("https://git.example.com/o/r"), None);
        assert_eq!(made("/srv/github.com/r"), None);
        let url = RepositoryUrl::parse("https://github.com/o/r").unwrap();
        assert_eq!(made_address(&url, "main", Some("main".to_owned())), None);
    }

    #[test]
    fn the_address_that_a_server_prints_is_found_and_cleaned() {
        let said = "remote: \nremote: Create a pull request for 'x' on GitHub by visiting:        \n\
                    remote:      https://github.com/o/r/pull/new/x\u{1b}[0m        \nremote: \nTo github.com:o/r\n";
        assert_eq!(printed_address(said).as_deref(), Some("https://github.com/o/r/pull/new/x␛[0m"));
        assert_eq!(printed_address("remote: see https://example.com/help\n"), None);
    }
}
