//! What a Pod has besides its fields: a log that says why there is none, and eviction.

use super::{
    answer::{self, Answer},
    api::{Api, Call},
    decode,
    failure::Failure,
    meta::{items, text},
    write::{self, Options},
};
use serde_json::{Value, json};

/// No container runs here, and so none writes: the log says so, instead of failing.
///
/// # Errors
/// 400 and 404.
pub(super) fn log(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let pod = api.store.get(&call.key()).ok_or_else(|| call.not_found())?.read();
    let names: Vec<&str> = items(&pod, "/spec/containers").iter().map(|container| text(container, "/name")).collect();
    let container = match (call.query.get("container"), names.as_slice()) {
        (Some(name), names) if names.contains(&name) => name,
        (Some(name), _) => {
            let why = format!("container {name} is not valid for pod {}", call.name());
            return Err(Failure::bad_request(why));
        }
        (None, [one]) => one,
        (None, names) => {
            let why = format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                call.name(),
                names.join(" ")
            );
            return Err(Failure::bad_request(why));
        }
    };
    let waits = items(&pod, "/status/containerStatuses").iter().find(|status| text(status, "/name") == container);
    let reason = waits.map_or("", |status| text(status, "/state/waiting/reason"));
    if !reason.is_empty() {
        let said = match reason {
            "ImagePullBackOff" => "trying and failing to pull image".to_owned(),
            other => format!("waiting to start: {other}"),
        };
        return Err(Failure::bad_request(format!("container {container:?} in pod {:?} is {said}", call.name())));
    }
    let line = format!("this is driftdeck's sandbox: container {container:?} does not run and writes no log\n");
    Ok(answer::bytes(200, "text/plain", line.into_bytes()))
}

/// An eviction is a deletion that may be refused; nothing refuses it here.
///
/// # Errors
/// 400 and 404.
pub(super) async fn evict(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let eviction = decode::parse(call.body, call.media_type(), "Eviction")?;
    let options = Options {
        grace: eviction.pointer("/deleteOptions/gracePeriodSeconds").and_then(Value::as_i64),
        dry_run: call.dry_run()?,
        ..Options::default()
    };
    write::delete_object(api, call.resource, &call.key(), &options)?;
    api.settled(api.store.revision()).await?;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(answer::document(201, &status))
}
