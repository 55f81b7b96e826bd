//! Which tag an image reference has, as the server finds it for `imagePullPolicy`.

/// Whether the image is `latest`, by name or because neither tag nor digest is given. A text that is no reference is not.
///
/// Source: `ParseImageName` of k8s.io/kubernetes, by the grammar of github.com/distribution/reference.
pub(super) fn is_latest(image: &str) -> bool {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) || is_identifier(image) {
        return false;
    }
    // A colon before the last slash is the port of a registry.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) || !is_name(name) {
        return false;
    }
    match tag {
        Some(tag) => tag == "latest",
        None => digest.is_none(),
    }
}

/// 64 hexadecimal digits are an image's id, which a reference must not look like.
fn is_identifier(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((domain, path)) if is_domain(domain) => path,
        _ => name,
    };
    name.len() <= 255 && path.split('/').all(is_component)
}

/// What stands before the first slash is a registry if it looks like a host, not like a user's name on Docker Hub.
fn is_domain(text: &str) -> bool {
    let looks_like_one =
        text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|b| b.is_ascii_uppercase());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_address = |host: &str| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'))
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    looks_like_one
        && (host.split('.').all(is_label) || is_address(host))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, separated by one period, one or two underscores, or hyphens.
fn is_component(component: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(|b| is_letter(*b));
    ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .split(|b| is_letter(*b))
            .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.split(['+', '.', '-', '_']).all(|part| part.bytes().all(|b| b.is_ascii_alphanumeric()))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::is_latest;

    #[test]
    fn an_image_without_tag_and_digest_is_latest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for image in ["nginx", "nginx:latest", "a/b", "localhost/a", "reg.example.com:5000/a/b", "Reg/a", "[::1]:80/a"]
        {
            assert!(is_latest(image), "{image}");
        }
        let pinned = [format!("nginx@{digest}"), format!("nginx:1@{digest}"), "a".repeat(64)];
        for image in
            ["nginx:1", "r:5000/a:2", "", "Nginx", "a//b", "nginx:", "a b", "nginx@sha256:1", ":latest", "a:lat est"]
                .into_iter()
                .chain(pinned.iter().map(String::as_str))
        {
            assert!(!is_latest(image), "{image}");
        }
        assert!(is_latest(&format!("nginx:latest@{digest}")));
    }
}
