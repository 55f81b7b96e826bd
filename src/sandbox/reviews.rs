//! Kinds that are questions and are kept nowhere: who am I, may I, what may I, may they, whose token is this.

use super::{
    access::{self, Wish},
    answer::{self, Answer},
    api::{Api, Call},
    certificates::User,
    decode,
    failure::Failure,
    meta::{items, text},
    request::Verb,
};
use serde_json::{Value, json};

/// Answers a question; none: the resource is no question.
///
/// # Errors
/// 400.
pub(super) fn answer(api: &Api, verb: Verb, call: &Call<'_>) -> Result<Option<Answer>, Failure> {
    let is_review = call.resource.kind.ends_with("Review");
    if !is_review || verb != Verb::Create {
        return Ok(None);
    }
    let mut review = decode::parse(call.body, call.media_type(), &call.resource.kind)?;
    review["apiVersion"] = call.resource.api_version().into();
    review["kind"] = call.resource.kind.clone().into();
    review["status"] = match call.resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": identity(call.user)}),
        "SelfSubjectAccessReview" => judged(api, call.user, &review),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            let groups: Vec<String> =
                items(&review, "/spec/groups").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let name = text(&review, "/spec/user").to_owned();
            judged(api, &User { name, groups, credential: String::new() }, &review)
        }
        "SelfSubjectRulesReview" => rules(api, call.user, text(&review, "/spec/namespace")),
        // There are no tokens here.
        "TokenReview" => json!({"authenticated": false, "user": {}, "error": "invalid bearer token"}),
        _ => return Ok(None),
    };
    super::meta::metadata(&mut review);
    Ok(Some(answer::document(201, &review)))
}

fn identity(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.credential.is_empty() {
        let credential = format!("X509SHA256={}", user.credential);
        info["extra"] = json!({"authentication.kubernetes.io/credential-id": [credential]});
    }
    info
}

fn judged(api: &Api, user: &User, review: &Value) -> Value {
    let resource = match text(review, "/spec/resourceAttributes/subresource") {
        "" => text(review, "/spec/resourceAttributes/resource").to_owned(),
        part => format!("{}/{part}", text(review, "/spec/resourceAttributes/resource")),
    };
    let of_resource = review.pointer("/spec/resourceAttributes").is_some();
    let at = if of_resource { "/spec/resourceAttributes" } else { "/spec/nonResourceAttributes" };
    let part = |name: &str| text(review, &format!("{at}/{name}"));
    let wish = Wish {
        verb: part("verb"),
        group: part("group"),
        resource: &resource,
        namespace: part("namespace"),
        name: part("name"),
        path: part("path"),
    };
    match access::granted(&api.store, user, &wish) {
        None => json!({"allowed": false}),
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
    }
}

fn rules(api: &Api, user: &User, namespace: &str) -> Value {
    let (mut of_resources, mut others) = (Vec::new(), Vec::new());
    let mut all: Vec<Value> = access::rules(&api.store, user, namespace).into_iter().map(|rule| rule.rule).collect();
    if user.groups.iter().any(|group| group == "system:masters") {
        all.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        all.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    for rule in all {
        let is_new = |known: &[Value]| !known.contains(&rule);
        if rule.get("nonResourceURLs").is_some() {
            if is_new(&others) {
                others.push(rule);
            }
        } else if is_new(&of_resources) {
            of_resources.push(rule);
        }
    }
    json!({"resourceRules": of_resources, "nonResourceRules": others, "incomplete": false})
}
