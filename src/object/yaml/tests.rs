//! Tables of what kubectl reads, the budgets, and that what is written reads back the same.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn one(text: &str) -> Value {
    let documents = documents(text);
    assert_eq!(documents.len(), 1, "{text:?}: {documents:?}");
    documents[0].value.clone().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn error(text: &str) -> YamlError {
    documents(text).into_iter().find_map(|document| document.value.err()).unwrap_or_else(|| panic!("{text:?} was read"))
}

#[test]
fn scalars_mean_what_kubectl_says() {
    for (text, expected) in [
        ("0644", json!(420)),
        ("0o14", json!(12)),
        ("0x1F", json!(31)),
        ("08", json!(8)),
        ("0b101", json!(5)),
        ("-0b101", json!(-5)),
        ("1e3", json!(1000)),
        ("1.0", json!(1)),
        ("1_000", json!(1000)),
        ("1_000.5", json!(1000.5)),
        ("yes", json!(true)),
        ("on", json!(true)),
        ("y", json!(true)),
        ("n", json!(false)),
        ("NO", json!(false)),
        ("tRue", json!("tRue")),
        ("nUll", json!("nUll")),
        ("1e400", json!("1e400")),
        ("2001-12-14", json!("2001-12-14")),
        ("18446744073709551615", json!(18446744073709551615_f64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("123456789012345678901234567890", json!(123456789012345678901234567890_f64)),
        ("!!binary aGk=", json!("hi")),
        ("! 12", json!("12")),
        ("!!str 12", json!("12")),
        ("!!int \"12\"", json!(12)),
        ("!!float 1", json!(1)),
        ("!custom 12", json!("12")),
        ("12:30", json!("12:30")),
        ("~", json!(null)),
        ("\"yes\"", json!("yes")),
    ] {
        assert_eq!(one(&format!("x: {text}\n"))["x"], expected, "{text}");
    }
}

#[test]
fn keys_become_texts_as_in_go() {
    for (text, expected) in
        [("y", "true"), ("1", "1"), ("0644", "420"), ("1.5", "1.5"), ("1e21", "1e+21"), (".inf", "+Inf")]
    {
        assert_eq!(one(&format!("{text}: a")), json!({ expected: "a" }), "{text}");
    }
    for bad in ["~: a", "18446744073709551615: a", "[a]: b", "? {a: b}\n: c"] {
        assert_eq!(error(bad).line, 1, "{bad}");
    }
}

#[test]
fn merge_keys_count_in_document_order() {
    assert_eq!(
        one("a: &a {x: 1, y: 2}\nb:\n  x: 3\n  <<: *a\nc:\n  <<: *a\n  x: 3\nd:\n  <<: [{x: 7}, *a]"),
        json!({"a": {"x": 1, "true": 2}, "b": {"x": 1, "true": 2}, "c": {"x": 3, "true": 2}, "d": {"x": 7, "true": 2}})
    );
    assert!(error("a: &a [1]\nb:\n  <<: *a\n").message.contains("<<"));
}

#[test]
fn a_duplicate_key_warns_with_its_line_and_the_last_one_counts() {
    let documents = documents("a: 1\nb: 2\n---\nx:\n  a: 1\n  a: 2\n");
    assert_eq!(documents[1].value, Ok(json!({"x": {"a": 2}})));
    assert_eq!(documents[1].warnings.len(), 1);
    assert_eq!(documents[1].warnings[0].0, 6);
    assert!(super::documents("b: &b {x: 1}\nc:\n  <<: *b\n  x: 2\n")[0].warnings.is_empty());
    assert_eq!(super::documents("{\"a\": 1, \"a\": 2}")[0].warnings.len(), 1);
}

#[test]
fn documents_know_their_index_and_lines() {
    let text =
        "# licence\n---\na: 1\n\n---\n# only a comment\n---\n\nb: 2\nc: 3\n--- # d\nd: [\n---\ne: 5\n...\nf: 6\n";
    let found: Vec<_> =
        documents(text).into_iter().map(|d| (d.index, d.lines, d.value.is_ok(), d.warnings.len())).collect();
    assert_eq!(found, [(0, (3, 3), true, 0), (2, (9, 10), true, 0), (3, (12, 12), false, 0), (4, (14, 16), true, 1)]);
}

#[test]
fn a_text_after_a_separator_is_refused_with_its_line() {
    let documents = documents("a: 1\n--- {b: 2}\nc: 3\n");
    assert_eq!(documents[0].value, Ok(json!({"a": 1})));
    assert_eq!(documents[1].value.as_ref().unwrap_err().line, 2);
}

#[test]
fn byte_order_marks_carriage_returns_and_json_are_read() {
    assert_eq!(one("\u{feff}a: 1\r\nb: |\r\n  x\r\n"), json!({"a": 1, "b": "x\n"}));
    assert_eq!(one("a: 1\rb: 2"), json!({"a": 1, "b": 2}));
    assert_eq!(documents("a: 1\n---\n\u{feff}b: 2\n").len(), 2);
    let documents = documents("{\"a\": 1.0,\n \"b\": 18446744073709551615}\n\n{\"c\": \"\\/\"}\n");
    assert_eq!(documents[0].value, Ok(json!({"a": 1, "b": 18446744073709551615_f64})));
    assert_eq!((documents[0].lines, documents[1].lines, documents[1].index), ((1, 2), (4, 4), 1));
    assert_eq!(documents[1].value, Ok(json!({"c": "/"})));
}

#[test]
fn errors_name_line_and_remedy() {
    for (text, line, words) in [
        ("a: 1\nb:\n\tc: 1\n", 3, "tab"),
        ("a: b: c\n", 1, "quote a value"),
        ("a: *x\n", 1, "&x"),
        ("a: {{ .Values.x }}\n", 1, "template"),
        ("a: 1\nb: \u{7}\n", 2, "control character"),
        ("%YAML 1.1\n---\na: 1\n", 1, ""),
        ("a: .nan\n", 1, "NaN"),
        ("a:\n- &a [*a]\n", 2, "itself"),
        ("a: \"x\\", 1, ""),
        ("a: !!int x\n", 1, "!!int"),
    ] {
        let error = error(text);
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.message.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn budgets_are_kept_and_named() {
    let deep = |open: &str, close: &str, levels: usize| format!("a: {}{}", open.repeat(levels), close.repeat(levels));
    assert!(documents(&deep("[", "]", 63))[0].value.is_ok());
    assert!(error(&deep("[", "]", 64)).message.contains("64 levels"));
    assert!(error(&deep("[", "]", 100_000)).message.contains("64 levels"));
    let json = |levels: usize| format!("{{\"a\": {}1{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(documents(&json(63))[0].value.is_ok());
    assert!(error(&json(64)).message.contains("64 levels"));
    assert!(error(&json(100_000)).message.contains("64 levels"));
    assert!(error(&format!("a: 1\n---\nb: {}", "x".repeat(MAX_DOCUMENT))).to_string().starts_with("line 3"));

    let list = |sizes: &[usize]| {
        let items: String = sizes.iter().map(|size| format!("- x: {}\n", "x".repeat(*size))).collect();
        format!("apiVersion: v1\nkind: ConfigMapList\nitems:\n{items}")
    };
    assert!(documents(&list(&[600_000, 600_000]))[0].value.is_ok());
    assert!(error(&list(&[10, MAX_DOCUMENT])).message.contains("item"));

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", ")));
    }
    assert!(error(&bomb).message.contains("aliases"));
    let wide = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    assert!(error(&wide).message.contains("aliases"));
    let keys = format!("a: &a {}\nb:\n{}", "x".repeat(100_000), "- {*a : 1}\n".repeat(1000));
    assert!(error(&keys).message.contains("aliases"));
}

#[test]
fn a_panic_hook_can_tell_which_panics_are_caught() {
    assert!(!panic_is_caught());
    assert!(documents("a: \"x\\")[0].value.is_err());
    assert!(!panic_is_caught());
}

#[test]
fn yaml_for_people_has_the_usual_order_and_quotes_what_could_be_misread() {
    let value = json!({
        "spec": {"template": {"metadata": {"labels": {"app": "api"}, "name": "x"}}, "args": ["--port=80", "-", "a: b", "x #y"], "empty": {}, "none": []},
        "kind": "Deployment", "apiVersion": "apps/v1", "status": {"replicas": 1}, "aaa": null,
        "metadata": {"annotations": {"on": "yes", "n": "0644", "d": "2001-12-14", "t": "12:30", "e": "1e3"}, "name": "api", "namespace": "shop"},
        "data": {"script": "#!/bin/sh\necho 1\n\n  indented\n", "keep": "a\nb\n\n", "strip": "a\nb", "hidden": "a\u{202e}b", "trail": "a \nb"}
    });
    assert_eq!(
        to_yaml(&value),
        r##"apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  namespace: shop
  annotations:
    d: "2001-12-14"
    e: "1e3"
    "n": "0644"
    "on": "yes"
    t: "12:30"
spec:
  args:
  - --port=80
  - "-"
  - "a: b"
  - "x #y"
  empty: {}
  none: []
  template:
    metadata:
      name: x
      labels:
        app: api
data:
  hidden: "a\u202eb"
  keep: |+
    a
    b

  script: |
    #!/bin/sh
    echo 1

      indented
  strip: |-
    a
    b
  trail: "a \nb"
aaa: null
status:
  replicas: 1
"##
    );
}

fn nasty_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ \t\n\r:#'\"\\-?&*!|>%@`{}\\[\\],<=.~^0-9a-fynxYN_\u{7f}\u{85}\u{feff}\u{2028}\u{202e}]{0,12}",
        "[-+.0-9eExob_:]{1,8}",
        "(yes|no|on|off|y|n|null|true|~|<<|=|---|\\.\\.\\.|\\.inf|-\\.inf|\\.nan|0x1f|1_0|! a)( |\n|:)?",
        "(a|b | c|\td|---|# e|\\.\\.\\.|\n|\n\n){1,6}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let float = any::<f64>().prop_filter_map("finite", decode::number);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        float,
        nasty_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let key = prop_oneof![8 => nasty_text().boxed(), 1 => "[a-z\u{202e}]{250,400}".boxed(), 1 => "apiVersion|kind|metadata|status".boxed()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_reads_back_the_same(value in any_value()) {
        let text = to_yaml(&value);
        let read = documents(&text);
        if value.is_null() {
            prop_assert!(read.is_empty());
        } else {
            prop_assert_eq!(read.len(), 1, "{}", &text);
            prop_assert_eq!(read[0].value.as_ref(), Ok(&value), "{}", &text);
        }
        prop_assert!(!text.chars().any(crate::object::clean::is_hidden));
    }

    #[test]
    fn no_text_panics_and_every_line_is_inside_it(text in prop_oneof![nasty_text(), "([-a:{}\\[\\]|>\"'&* \t]{1,6}\n){0,8}", any::<String>()]) {
        for document in documents(&text) {
            let lines = text.split(['\n', '\r']).count() + 1;
            prop_assert!(document.lines.0 >= 1 && document.lines.0 <= document.lines.1 && document.lines.1 <= lines);
            if let Err(error) = document.value {
                prop_assert!(error.line >= 1 && error.line <= lines);
            }
        }
    }
}
