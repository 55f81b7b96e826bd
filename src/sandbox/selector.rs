//! Which objects of a collection: by labels (apimachinery's `labels.Parse`) and by fields.

use super::{catalog::Resource, failure::Failure, meta::text};
use serde_json::Value;

/// A selection of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    /// Field, whether it must be equal, value.
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

impl Selector {
    /// Reads both parameters.
    ///
    /// # Errors
    /// 400.
    pub fn read(resource: &Resource, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Failure> {
        let labels = labels.map(parse_labels).transpose().map_err(Failure::bad_request)?.unwrap_or_default();
        let fields = fields.map(parse_fields).transpose().map_err(Failure::bad_request)?.unwrap_or_default();
        for (field, ..) in &fields {
            check_field(resource, field)?;
        }
        Ok(Self { labels, fields })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one object that it can select, where it asks for a name.
    pub fn name(&self) -> Option<&str> {
        let named = self.fields.iter().find(|(field, equal, _)| field == "metadata.name" && *equal);
        named.map(|(_, _, name)| name.as_str())
    }

    /// Whether it selects an object.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let label = |name: &str| labels.and_then(|labels| labels.get(name)).and_then(Value::as_str);
        self.labels.iter().all(|requirement| requirement.holds(label))
            && self.fields.iter().all(|(field, equal, value)| (field_value(object, field) == *value) == *equal)
    }
}

impl Requirement {
    fn holds<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let number = |name: &str| label(name).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(name, values) => label(name).is_some_and(|value| values.iter().any(|known| known == value)),
            Self::NotIn(name, values) => label(name).is_none_or(|value| values.iter().all(|known| known != value)),
            Self::Exists(name) => label(name).is_some(),
            Self::Absent(name) => label(name).is_none(),
            Self::Greater(name, than) => number(name).is_some_and(|value| value > *than),
            Self::Less(name, than) => number(name).is_some_and(|value| value < *than),
        }
    }
}

/// A value of `labelSelector` in an object's spec (`matchLabels`, `matchExpressions`).
pub(super) fn of_spec(selector: &Value) -> Selector {
    let mut labels = Vec::new();
    for (name, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        labels.push(Requirement::In(name.clone(), vec![value.as_str().unwrap_or_default().to_owned()]));
    }
    for expression in super::meta::items(selector, "/matchExpressions") {
        let name = text(expression, "/key").to_owned();
        let values = super::meta::items(expression, "/values");
        let values = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        labels.push(match text(expression, "/operator") {
            "In" => Requirement::In(name, values),
            "NotIn" => Requirement::NotIn(name, values),
            "Exists" => Requirement::Exists(name),
            _ => Requirement::Absent(name),
        });
    }
    Selector { labels, fields: Vec::new() }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", "<", ">"];
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(char::is_whitespace) {
            rest = after;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "=!(),<>".contains(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    found
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let tokens = tokens(text);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        found.push(parse_requirement(&tokens, &mut at)?);
        match tokens.get(at) {
            None => {}
            Some(Token::Sign(",")) if at + 1 < tokens.len() => at += 1,
            Some(Token::Sign(",")) => return Err(unparsed("found '', expected: identifier after ','")),
            Some(other) => {
                return Err(unparsed(&format!("found '{}', expected: ',' or 'end of string'", shown(Some(other)))));
            }
        }
    }
    Ok(found)
}

fn unparsed(why: &str) -> String {
    format!("unable to parse requirement: {why}")
}

fn shown(token: Option<&Token>) -> &str {
    match token {
        None => "",
        Some(Token::Word(word)) => word,
        Some(Token::Sign(sign)) => sign,
    }
}

fn parse_requirement(tokens: &[Token], at: &mut usize) -> Result<Requirement, String> {
    let mut next = || {
        *at += 1;
        tokens.get(*at - 1)
    };
    let name = match next() {
        Some(Token::Word(name)) => name.clone(),
        Some(Token::Sign("!")) => match next() {
            Some(Token::Word(name)) => return checked(name).map(Requirement::Absent),
            other => return Err(unparsed(&format!("found '{}', expected: identifier", shown(other)))),
        },
        other => {
            return Err(unparsed(&format!("found '{}', expected: !, identifier, or 'end of string'", shown(other))));
        }
    };
    let name = checked(&name)?;
    let operator = match tokens.get(*at) {
        None | Some(Token::Sign(",")) => return Ok(Requirement::Exists(name)),
        operator => shown(operator).to_owned(),
    };
    *at += 1;
    let word = |at: &mut usize| match tokens.get(*at) {
        Some(Token::Word(word)) => {
            *at += 1;
            word.clone()
        }
        _ => String::new(),
    };
    match operator.as_str() {
        "=" | "==" => Ok(Requirement::In(name, vec![word(at)])),
        "!=" => Ok(Requirement::NotIn(name, vec![word(at)])),
        "<" | ">" => {
            let number =
                word(at).parse().map_err(|_| unparsed("for 'Gt', 'Lt' operators, the value must be an integer"))?;
            Ok(if operator == "<" { Requirement::Less(name, number) } else { Requirement::Greater(name, number) })
        }
        "in" => Ok(Requirement::In(name, values(tokens, at)?)),
        "notin" => Ok(Requirement::NotIn(name, values(tokens, at)?)),
        other => Err(unparsed(&format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt"))),
    }
}

fn values(tokens: &[Token], at: &mut usize) -> Result<Vec<String>, String> {
    if tokens.get(*at) != Some(&Token::Sign("(")) {
        return Err(unparsed(&format!("found '{}' expected: '('", shown(tokens.get(*at)))));
    }
    *at += 1;
    let mut found = Vec::new();
    loop {
        match tokens.get(*at) {
            Some(Token::Word(word)) => found.push(word.clone()),
            Some(Token::Sign(")")) => {
                *at += 1;
                return Ok(found);
            }
            Some(Token::Sign(",")) => {}
            other => return Err(unparsed(&format!("found '{}', expected: ',' or ')'", shown(other)))),
        }
        *at += 1;
    }
}

/// A label's name must be one.
fn checked(name: &str) -> Result<String, String> {
    match super::validate::names::qualified_name(name) {
        None => Ok(name.to_owned()),
        Some(why) => Err(format!("unable to parse requirement: <nil>: Invalid value: {name:?}: {why}")),
    }
}

fn parse_fields(text: &str) -> Result<Vec<(String, bool, String)>, String> {
    let terms = text.split(',').filter(|term| !term.trim().is_empty());
    let parsed = terms.map(|term| {
        let found = ["!=", "==", "="].iter().find_map(|sign| Some((term.split_once(sign)?, *sign != "!=")));
        let ((field, value), equal) =
            found.ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
        Ok((field.trim().to_owned(), equal, value.trim().to_owned()))
    });
    parsed.collect()
}

/// Fields besides name and namespace, by collection.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "pods",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    (
        "events",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("secrets", &["type"]),
    ("namespaces", &["status.phase"]),
    ("nodes", &["spec.unschedulable"]),
    ("services", &["spec.clusterIP", "spec.type"]),
    ("replicationcontrollers", &["status.replicas"]),
    ("replicasets.apps", &["status.replicas"]),
    ("jobs.batch", &["status.successful"]),
    ("certificatesigningrequests.certificates.k8s.io", &["spec.signerName"]),
];

fn check_field(resource: &Resource, field: &str) -> Result<(), Failure> {
    let more = FIELDS.iter().find(|(collection, _)| *collection == &*resource.collection);
    let selectable = resource.custom.iter().flat_map(|version| super::meta::items(version, "/selectableFields"));
    let is_known = field == "metadata.name"
        || (field == "metadata.namespace" && (resource.namespaced || resource.custom.is_none()))
        || more.is_some_and(|(_, fields)| fields.contains(&field))
        || selectable.map(|known| text(known, "/jsonPath").trim_start_matches('.')).any(|known| known == field);
    if is_known {
        return Ok(());
    }
    Err(Failure::bad_request(match more {
        Some(_) => format!("field label not supported: {field}"),
        None if resource.custom.is_some() => format!("field label not supported: {field}"),
        None => format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    }))
}

fn field_value(object: &Value, field: &str) -> String {
    let value = object.pointer(&format!("/{}", field.replace('.', "/")));
    match (field, value) {
        ("source", _) => text(object, "/source/component").to_owned(),
        ("status.successful", _) => super::meta::number(object, "/status/succeeded").to_string(),
        ("status.replicas", None) => "0".into(),
        ("spec.unschedulable" | "spec.hostNetwork", None) => "false".into(),
        (_, None | Some(Value::Null)) => String::new(),
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(other)) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selected(text: &str, labels: Value) -> Result<bool, String> {
        let selector = Selector { labels: parse_labels(text)?, fields: Vec::new() };
        Ok(selector.matches(&json!({"metadata": {"labels": labels}})))
    }

    #[test]
    fn labels_select_as_kubectl_documents_it() {
        let labels = || json!({"app": "shop", "tier": "web", "n": "5"});
        for (text, expected) in [
            ("app=shop", true),
            ("app==shop,tier!=db", true),
            ("app in (shop, bar)", true),
            ("app notin (shop)", false),
            ("tier", true),
            ("!tier", false),
            ("!missing", true),
            ("missing!=x", true),
            ("n>4,n<6", true),
            ("n>5", false),
            ("app=", false),
            ("", true),
        ] {
            assert_eq!(selected(text, labels()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_in_the_servers_words() {
        assert_eq!(selected("a in b", json!({})).unwrap_err(), "unable to parse requirement: found 'b' expected: '('");
        assert!(selected("a,", json!({})).is_err());
        assert!(selected("a b", json!({})).is_err());
    }

    #[test]
    fn fields_select_by_equality() {
        let selector =
            Selector { labels: Vec::new(), fields: parse_fields("status.phase!=Running,metadata.name=a").unwrap() };
        assert!(selector.matches(&json!({"metadata": {"name": "a"}, "status": {"phase": "Pending"}})));
        assert!(!selector.matches(&json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}})));
        assert_eq!(selector.name(), Some("a"));
    }
}
