//! Proves that a wrong configuration file is answered with everything that is wrong at once, each with its exact place,
//! and that a right one means what it says.

use driftdeck::config::{Config, ConfigError, Poll};
use std::{path::Path, time::Duration};

const HEAD: &str = r#"[[repository]]
name = "platform"
url = "https://git.example.com/platform.git"

[[cluster]]
name = "prod"

[[application]]
name = "shop"
repository = "platform"
path = "apps/shop"
cluster = "prod"
namespace = "shop"
"#;

/// What is wrong with a text, as `LINE:COLUMN: text | hint`.
fn problems(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("/deck/config.toml")) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid(problems)) => problems
            .into_iter()
            .map(|problem| {
                let hint = problem.hint.map(|hint| format!(" | {hint}")).unwrap_or_default();
                format!("{}:{}: {}{hint}", problem.line, problem.column, problem.message)
            })
            .collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_file_order() {
    let text = r#"[[repository]]
nam = "platform"
url = "ftp://host/x"
poll = "often"
verify = "commit"

[[cluster]]
name = "prod"
production = "yes"
approval_ttl = "48h"
exec_plugins = ["aws", "aws eks get-token", 3]

[[cluster]]
name = "prod"
kubeconfig = "${DRIFTDECK_TEST_NOT_SET}/config"

[[application]]
name = "Shop_API"
repository = "platfrom"
cluster = "prud"
kubeconfig = "x"
renderer = "kustomise"
include = ["[a"]
helm = { set = { image.tag = "1" } }

[[application]]
name = "web"
repository = "platform"
path = "/apps"
cluster = "prod"
namespace = "web"
depends_on = ["shop", "web"]
timeout = 5
[[application.ignore]]
paths = ["spec.replicas"]
[[application.ignore]]
kind = "Deployment"

[[application_set]]
name = "x"

[ui]
layout = "unifed"
ascii = "yes"
"#;
    assert_eq!(
        problems(text),
        [
            "1:1: [[repository]] has no `name` | add name = \"platform\"",
            "2:1: unknown key `nam` in [[repository]] | did you mean `name`?",
            "3:7: `url`: `ftp://` is not a transport for Git | write an https, http, ssh, git or file URL, user@host:path, or a path",
            "4:8: `poll`: `often` is not a duration | write a number and s, m, h or d: \"30s\", \"5m\", \"24h\"",
            "5:10: verify = \"commit\" is not supported yet by this version | write verify = \"none\", and let the server refuse unsigned commits",
            "9:14: `production` is true or false, not a text | write production = true",
            "10:16: `approval_ttl`: 48h is too long | at most \"24h\"",
            "11:24: `exec_plugins`: `aws eks get-token` is not the name of one program; arguments are not part of it | write the program's name as the kubeconfig has it, such as \"aws\", or its absolute path",
            "11:45: `exec_plugins` is a list of texts, not a number | write exec_plugins = [\"aws\"]",
            "14:8: there are two cluster sections named `prod` | give each a name of its own",
            "15:14: `kubeconfig`: the environment variable DRIFTDECK_TEST_NOT_SET is not set | set DRIFTDECK_TEST_NOT_SET, or write its value here",
            "17:1: [[application]] has no `path` | add path = \"apps/shop/api\"",
            "17:1: [[application]] has neither `namespace` nor `state_namespace`: its inventory and records need a place | add namespace = \"shop\", or state_namespace where objects name their own",
            "18:8: `name`: `Shop_API` is no DNS label | lower-case letters, digits and `-`, at most 63, no `-` at the ends: for example \"shop-api\"",
            "19:14: there is no repository named `platfrom` | add [[repository]] with name = \"platfrom\"",
            "20:11: there is no cluster named `prud` | did you mean \"prod\"?",
            "21:1: unknown key `kubeconfig` in [[application]] | `kubeconfig` belongs in [[cluster]]",
            "22:12: `renderer`: unknown value \"kustomise\" | did you mean \"kustomize\"? one of \"auto\", \"yaml\", \"kustomize\", \"helm\"",
            "23:12: `include`: `[a` is not a glob: unclosed character class; missing ']' | write a glob such as \"*.yaml\" or \"jobs/**\"",
            "24:18: `set`: the value of `image` is a text, not a table | write the whole key in quotes: set = { \"image.tag\" = \"1.9.0\" }",
            "28:14: there is no repository named `platform` | add [[repository]] with name = \"platform\"",
            "29:8: `path`: `/apps` starts with `/`, and a path in a repository starts at its root | write \"apps\"",
            "32:15: there is no application named `shop` | there are \"Shop_API\", \"web\"",
            "32:23: applications wait for each other: web -> web | take one of them out of depends_on",
            "33:11: `timeout` is a text, not a number | write timeout = \"5m\"",
            "35:10: `paths`: `spec.replicas` is not a JSON pointer | did you mean \"/spec/replicas\"?",
            "36:1: [[application.ignore]] names neither `paths` nor `managers` | add paths = [\"/spec/replicas\"]",
            "39:1: [[application_set]] is not supported yet by this version | write one [[application]] for each folder",
            "43:10: `layout`: unknown value \"unifed\" | did you mean \"unified\"? one of \"unified\", \"side-by-side\"",
            "44:9: `ascii` is true, false or \"auto\" | write ascii = \"auto\"",
        ]
    );
}

#[test]
fn single_slips_are_told_with_their_place() {
    for (text, expected) in [
        (
            "[repository]\nname = \"a\"\nurl = \"/x\"\n",
            "1:1: `repository` is a list of tables, not one table | write [[repository]]",
        ),
        ("[[ui]]\nmouse = true\n", "1:1: there is one [ui], not several | write [ui]"),
        ("cluster = 3\n", "1:11: `cluster` is a list of tables, not a number | write [[cluster]]"),
        ("[cluser]\n", "1:2: unknown key `cluser` in the file | did you mean `cluster`?"),
        (
            "[keys]\nquit = 3\n",
            "2:8: `quit` is a key or a list of keys | write quit = \"q\", or quit = [\"q\", \"ctrl-q\"]; [] unbinds",
        ),
        ("keys = 3\n", "1:8: `keys` is a table, not a number | write [keys]"),
        ("[[cluster]]\nname = \"\"\n", "2:8: `name`: an empty name | write a name"),
        ("# é字\n[ui]\ntheme = \"é\" ; x\n", "3:13: this is not TOML"),
        ("[ui]\ntheme = dark\n", "2:9: this is not TOML"),
        ("[ui]\ntheme: dark\n", "2:6: this is not TOML"),
        ("[ui]\nmouse = true\nmouse = false\n", "3:1: this is not TOML: duplicate key | keep one of the two"),
        ("[ui]\ntheme = \"dark\n", "2:"),
        ("[ui\ntheme = \"x\"\n", "1:"),
    ] {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(expected), "{text}: {problems:?}");
    }
}

#[test]
fn broken_toml_does_not_hide_what_else_is_wrong_and_raises_no_echoes() {
    let text = format!("{}poll = nope\n{HEAD}prunes = true\n", "[[repository]]\nname = \"b\"\nurl = \"/b\"\n");
    let problems = problems(&text);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("4:8: this is not TOML"), "{problems:?}");
    assert_eq!(problems[1], "18:1: unknown key `prunes` in [[application]] | did you mean `prune`?");
}

#[test]
fn columns_count_characters_not_bytes() {
    let text = "ui = { theme = \"日本語é\", mouse = \"x\" }\n";
    assert_eq!(problems(text), ["1:32: `mouse` is true or false, not a text | write mouse = true"]);
}

#[test]
fn a_circle_of_dependencies_is_told_where_it_is_written() {
    let app = |name: &str, on: &str| {
        format!(
            "[[application]]\nname = \"{name}\"\nrepository = \"platform\"\npath = \".\"\ncluster = \"prod\"\nnamespace = \"x\"\ndepends_on = [\"{on}\"]\n"
        )
    };
    let text = format!("{HEAD}{}{}", app("a", "b"), app("b", "a"));
    assert_eq!(
        problems(&text),
        [
            "20:15: applications wait for each other: a -> b -> a | take one of them out of depends_on",
            "27:15: applications wait for each other: b -> a -> b | take one of them out of depends_on",
        ]
    );
}

#[test]
fn a_right_file_means_what_it_says() {
    let text = format!(
        "{HEAD}auto_sync = {{ enabled = true }}\nwindows = [\"allow Mon-Fri 09:00-17:00 Europe/Berlin\"]\ntimeout = \"90s\"\n[application.helm]\nset = {{ \"image.tag\" = \"1.9.0\", \"replicas\" = 3, \"on\" = true }}\n[[repository]]\nname = \"local\"\nurl = \"../src\"\npoll = \"never\"\n[keys]\nquit = []\nplan = [\"s\", \"p\"]\n"
    );
    let config = Config::parse(&text, Path::new("/deck/config.toml")).unwrap_or_else(|error| panic!("{error}"));
    let application = config.application("shop").unwrap();
    assert!(application.auto_sync.enabled && application.prune && application.recurse && application.helm.include_crds);
    assert_eq!(application.timeout, Duration::from_secs(90));
    assert_eq!(application.windows.len(), 1);
    let set: Vec<_> = application.helm.set.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(set, [("image.tag", "1.9.0"), ("on", "true"), ("replicas", "3")]);
    assert_eq!(config.repository("local").unwrap().url, "/src");
    assert_eq!(config.repository("local").unwrap().poll, Poll::Never);
    assert_eq!(config.cluster_of("shop").unwrap().approval_ttl, Duration::from_secs(300));
    assert_eq!((config.keys["quit"].len(), config.keys["plan"].len()), (0, 2));
}

#[test]
fn a_file_that_cannot_be_read_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    assert!(matches!(Config::load(&file), Err(ConfigError::Missing(path)) if path == file));
    assert!(Config::load(folder.path()).unwrap_err().to_string().contains("this is a folder"));
    std::fs::write(&file, b"# \xc3\xa9\nx = \"\xff\"\n").unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert_eq!(error, format!("{}:2:6: this byte is not UTF-8\n  hint: save the file as UTF-8", file.display()));
    std::fs::write(&file, vec![b'#'; 5 << 20]).unwrap();
    assert!(Config::load(&file).unwrap_err().to_string().contains("4 MiB at most"));
}

#[test]
fn an_error_prints_as_places_an_editor_can_jump_to() {
    let error = Config::parse("[ui]\nmuose = true\n", Path::new("/deck/config.toml")).unwrap_err();
    assert_eq!(error.to_string(), "/deck/config.toml:2:1: unknown key `muose` in [ui]\n  hint: did you mean `mouse`?");
}
