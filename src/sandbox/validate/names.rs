//! Names: of objects, labels, parts of them (apimachinery's `util/validation`), with the server's words for what is none.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_label_text(text: &str) -> bool {
    let inner = text.chars().all(|c| is_lower(c) || c == '-');
    inner && text.starts_with(is_lower) && text.ends_with(is_lower)
}

fn is_name_text(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.chars().all(|c| ends(c) || "-_.".contains(c)) && text.starts_with(ends) && text.ends_with(ends)
}

fn too_long(most: usize) -> String {
    format!("must be no more than {most} bytes")
}

/// What is wrong with a name that is a label of DNS.
pub(in crate::sandbox) fn label(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some(too_long(63));
    }
    (!is_label_text(text)).then(|| LABEL.to_owned())
}

/// What is wrong with a name that begins with a letter (of services).
pub(in crate::sandbox) fn label_1035(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some(too_long(63));
    }
    let right = is_label_text(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    (!right).then(|| LABEL_1035.to_owned())
}

/// What is wrong with a name of most kinds.
pub(in crate::sandbox) fn subdomain(text: &str) -> Option<String> {
    if text.len() > 253 {
        return Some(too_long(253));
    }
    (!text.split('.').all(is_label_text)).then(|| SUBDOMAIN.to_owned())
}

/// What is wrong with a name that must only fit into a path (of roles).
pub(in crate::sandbox) fn path_segment(text: &str) -> Option<String> {
    if text == "." || text == ".." {
        return Some(format!("may not be '{text}'"));
    }
    ["/", "%"].iter().find(|part| text.contains(**part)).map(|part| format!("may not contain '{part}'"))
}

/// What is wrong with the name of a label.
pub(in crate::sandbox) fn qualified_name(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if name.contains('/') {
        return Some("a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')".into());
    }
    match prefix {
        Some("") => return Some("prefix part must be non-empty".into()),
        Some(prefix) => {
            if let Some(why) = subdomain(prefix) {
                return Some(format!("prefix part {why}"));
            }
        }
        None => {}
    }
    match name.len() {
        0 => Some("name part must be non-empty".into()),
        64.. => Some("name part must be no more than 63 bytes".into()),
        _ => (!is_name_text(name)).then(|| QUALIFIED.to_owned()),
    }
}

/// What is wrong with the value of a label.
pub(in crate::sandbox) fn label_value(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some(too_long(63));
    }
    (!text.is_empty() && !is_name_text(text)).then(|| LABEL_VALUE.to_owned())
}

/// What is wrong with a key of a ConfigMap or Secret.
pub(in crate::sandbox) fn config_key(text: &str) -> Option<String> {
    if text.len() > 253 {
        return Some(too_long(253));
    }
    if text == "." || text == ".." {
        return Some(format!("must not be '{text}'"));
    }
    let right = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (!right).then(|| CONFIG_KEY.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        assert!(label("a-1").is_none() && label("-a").is_some() && label("a.b").is_some());
        assert!(subdomain("a.b-c").is_none() && subdomain("A").is_some() && subdomain("a..b").is_some());
        assert!(label_1035("1a").is_some() && label_1035("a1").is_none());
        assert!(qualified_name("example.com/App").is_none() && qualified_name("a/b/c").is_some());
        assert!(label_value("").is_none() && label_value("a b").is_some());
        assert!(path_segment("system:node").is_none() && path_segment("a/b").is_some());
    }
}
