//! The one table of sections and keys: it drives the reader, its suggestions, and the test of `config.example.toml`.

/// A key as the reader knows it.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    /// An example of its value in TOML, for hints.
    pub example: &'static str,
    /// Without it the section means nothing.
    pub required: bool,
}

/// A table of the file.
#[derive(Debug)]
pub(super) struct Section {
    /// As it is written in the file; of an inline table its key.
    pub title: &'static str,
    pub keys: &'static [Key],
}

const fn key(name: &'static str, example: &'static str) -> Key {
    Key { name, example, required: false }
}
const fn required(name: &'static str, example: &'static str) -> Key {
    Key { name, example, required: true }
}

pub(super) const ROOT: Section = Section {
    title: "the file",
    keys: &[
        key("repository", "[[repository]]"),
        key("cluster", "[[cluster]]"),
        key("application", "[[application]]"),
        key("application_set", "[[application_set]]"),
        key("ui", "[ui]"),
        key("keys", "[keys]"),
        key("signers", "[signers]"),
    ],
};

pub(super) const REPOSITORY: Section = Section {
    title: "[[repository]]",
    keys: &[
        required("name", "\"platform\""),
        required("url", "\"https://git.example.com/platform.git\""),
        key("revision", "\"main\""),
        key("poll", "\"1m\""),
        key("verify", "\"none\""),
        key("identity_from", "\"~/src/platform\""),
    ],
};

pub(super) const CLUSTER: Section = Section {
    title: "[[cluster]]",
    keys: &[
        required("name", "\"prod\""),
        key("kubeconfig", "\"~/.kube/config\""),
        key("context", "\"kind-prod\""),
        key("production", "true"),
        key("write", "false"),
        key("exec_plugins", "[\"aws\"]"),
        key("approval_ttl", "\"5m\""),
    ],
};

pub(super) const APPLICATION: Section = Section {
    title: "[[application]]",
    keys: &[
        required("name", "\"shop-api\""),
        required("repository", "\"platform\""),
        required("path", "\"apps/shop/api\""),
        key("revision", "\"main\""),
        required("cluster", "\"prod\""),
        key("namespace", "\"shop\""),
        key("renderer", "\"auto\""),
        key("recurse", "true"),
        key("include", "[\"*.yaml\"]"),
        key("exclude", "[\"test-*.yaml\"]"),
        key("prune", "true"),
        key("extras", "\"show\""),
        key("depends_on", "[\"infra\"]"),
        key("state_namespace", "\"shop\""),
        key("auto_sync", "{ enabled = false }"),
        key("windows", "[\"allow Mon-Fri 09:00-17:00 Europe/Berlin\"]"),
        key("timeout", "\"5m\""),
        key("helm", "{ release = \"api\" }"),
        key("ignore", "[[application.ignore]]"),
    ],
};

pub(super) const AUTO_SYNC: Section = Section {
    title: "auto_sync",
    keys: &[key("enabled", "false"), key("prune", "false"), key("self_heal", "false"), key("production", "false")],
};

pub(super) const HELM: Section = Section {
    title: "[application.helm]",
    keys: &[
        key("release", "\"api\""),
        key("values", "[\"values.yaml\"]"),
        key("set", "{ \"image.tag\" = \"1.9.0\" }"),
        key("include_crds", "true"),
    ],
};

pub(super) const IGNORE: Section = Section {
    title: "[[application.ignore]]",
    keys: &[
        key("group", "\"apps\""),
        key("kind", "\"Deployment\""),
        key("name", "\"*\""),
        key("namespace", "\"*\""),
        key("paths", "[\"/spec/replicas\"]"),
        key("managers", "[\"kube-controller-manager\"]"),
    ],
};

pub(super) const UI: Section = Section {
    title: "[ui]",
    keys: &[
        key("theme", "\"default\""),
        key("ascii", "\"auto\""),
        key("mouse", "true"),
        key("layout", "\"unified\""),
        key("pager", "\"delta\""),
        key("confirm", "\"default\""),
    ],
};

pub(super) const SIGNERS: Section = Section {
    title: "[signers]",
    keys: &[key("gpg", "[\"…fingerprint\"]"), key("ssh", "\"~/.config/driftdeck/allowed_signers\"")],
};

/// Every section with keys of its own, for suggestions ("belongs in …") and for the test of the example.
pub(super) const SECTIONS: [&Section; 8] =
    [&REPOSITORY, &CLUSTER, &APPLICATION, &AUTO_SYNC, &HELM, &IGNORE, &UI, &SIGNERS];

impl Section {
    /// Returns an example of a key's value.
    pub fn example(&self, name: &str) -> &'static str {
        self.keys.iter().find(|key| key.name == name).map_or("…", |key| key.example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError, Poll, Ui};
    use std::{path::Path, time::Duration};

    const EXAMPLE: &str = include_str!("../../config.example.toml");
    const PATH: &str = "/deck/config.toml";

    /// The example with its optional keys switched on: `#key = …` and `#[[section]]`, no blank after the mark.
    fn with_optional_keys() -> String {
        let optional = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        let line = |line: &'static str| line.strip_prefix('#').filter(|rest| optional(rest)).unwrap_or(line);
        EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_example_holds_every_key_that_the_reader_knows() {
        let whole: toml::Table = with_optional_keys().parse().unwrap();
        let first = |name: &str| whole[name].as_array().unwrap()[0].as_table().unwrap();
        let application = first("application");
        for (section, table) in [
            (&ROOT, &whole),
            (&REPOSITORY, first("repository")),
            (&CLUSTER, first("cluster")),
            (&APPLICATION, application),
            (&AUTO_SYNC, application["auto_sync"].as_table().unwrap()),
            (&HELM, application["helm"].as_table().unwrap()),
            (&IGNORE, application["ignore"][0].as_table().unwrap()),
            (&UI, whole["ui"].as_table().unwrap()),
            (&SIGNERS, whole["signers"].as_table().unwrap()),
        ] {
            let known: std::collections::BTreeSet<&str> = section.keys.iter().map(|key| key.name).collect();
            let shown: std::collections::BTreeSet<&str> = table.keys().map(String::as_str).collect();
            assert_eq!(shown, known, "{}", section.title);
        }
    }

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        let config = Config::parse(EXAMPLE, Path::new(PATH)).unwrap_or_else(|error| panic!("{error}"));
        let bare = r#"
            [[repository]]
            name = "platform"
            url = "https://git.example.com/platform.git"
            [[cluster]]
            name = "prod"
            [[application]]
            name = "shop-api"
            repository = "platform"
            path = "apps/shop/api"
            cluster = "prod"
            namespace = "shop"
            [[application.ignore]]
            paths = []
        "#;
        assert_eq!(config, Config::parse(bare, Path::new(PATH)).unwrap());
        assert_eq!(config.ui, Ui::default());
        assert_eq!(config.repositories[0].poll, Poll::Every(Duration::from_secs(60)));
    }

    #[test]
    fn with_its_optional_keys_switched_on_only_what_is_not_supported_yet_is_refused() {
        match Config::parse(&with_optional_keys(), Path::new(PATH)) {
            Err(ConfigError::Invalid(problems)) => {
                let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
                assert_eq!(messages, ["[[application_set]] is not supported yet by this version"]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key_has_an_example_that_is_toml() {
        for key in SECTIONS.iter().flat_map(|section| section.keys) {
            if !key.example.starts_with("[[") {
                let text = format!("{} = {}", key.name, key.example);
                assert!(text.parse::<toml::Table>().is_ok(), "{text}");
            }
        }
    }
}
