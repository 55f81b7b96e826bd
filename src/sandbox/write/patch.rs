//! PATCH: four kinds of patches, by media type.

use super::{
    By, apply,
    update::{Change, update_with},
};
use crate::sandbox::{
    answer::Answer,
    api::{Api, Call},
    decode::{self, FieldValidation},
    failure::Failure,
    meta,
    patch::{json_patch, merge_patch, strategic},
    validate,
};
use serde_json::Value;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

pub(super) async fn answer(api: &Api, call: &Call<'_>) -> Result<Answer, Failure> {
    let media_type = call.media_type();
    let accepted: &[&str] =
        if call.resource.custom.is_some() { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
    if !accepted.contains(&media_type) {
        return Err(Failure::unsupported_media_type(accepted));
    }
    if media_type == APPLY {
        return apply::answer(api, call).await;
    }
    let patch = Patch::read(api, call, media_type)?;
    let validation = FieldValidation::read(call.query.get("fieldValidation"));
    let kinds = api.documents.schemas(&call.resource.api_version());
    let subresource = call.target.subresource.as_deref().unwrap_or_default();
    let by = By { manager: &call.manager(), subresource, dry_run: call.dry_run()? };
    let (patched, mut warnings) = update_with(api, call.resource, &call.key(), by, |live| {
        let mut object = patch.apply(live)?;
        let warnings = decode::patched(&kinds, call.resource, &mut object, validation)?;
        for field in ["name", "namespace"] {
            let (was, is) = (&live["metadata"][field], &object["metadata"][field]);
            if was != is {
                return Err(moved(call, field, is));
            }
        }
        Ok(Change { warnings, ..Change::of(object) })
    })?;
    warnings.extend(validate::warnings(call.resource, &patched));
    super::written(api, call, 200, &patched, &warnings).await
}

fn moved(call: &Call<'_>, field: &str, is: &Value) -> Failure {
    match field {
        "name" => Failure::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            is.as_str().unwrap_or_default(),
            call.name()
        )),
        _ => Failure::bad_request("the namespace of the object does not match the namespace on the URL"),
    }
}

/// A patch, read.
enum Patch<'a> {
    Json(Vec<json_patch::Step>),
    Merge(Value),
    Strategic(Value, &'a Api, &'a Call<'a>),
}

impl<'a> Patch<'a> {
    fn read(api: &'a Api, call: &'a Call<'a>, media_type: &str) -> Result<Self, Failure> {
        let undecodable =
            |error: &dyn std::fmt::Display| Failure::bad_request(format!("error decoding patch: {error}"));
        let value: Value = serde_json::from_slice(call.body).map_err(|error| undecodable(&error))?;
        match media_type {
            JSON => json_patch::read(&value).map(Self::Json).map_err(|error| undecodable(&error)),
            _ if !value.is_object() => Err(undecodable(&"json: cannot unmarshal the patch into an object")),
            MERGE => Ok(Self::Merge(value)),
            _ => Ok(Self::Strategic(value, api, call)),
        }
    }

    fn apply(&self, live: &Value) -> Result<Value, Failure> {
        match self {
            Self::Json(steps) => json_patch::apply(steps, live).map_err(|error| rejected(&error)),
            Self::Merge(patch) => Ok(merge_patch::apply(live, patch)),
            Self::Strategic(patch, api, call) => {
                let api_version = call.resource.api_version();
                let (schemas, strategies) =
                    (api.documents.schemas(&api_version), api.documents.strategies(&api_version));
                let root = schemas.kind(&api_version, &call.resource.kind).map(|kind| kind.root);
                let mut object = strategic::apply(root, &strategies, live, patch).map_err(Failure::bad_request)?;
                // The server's own fields are no part of a patch.
                meta::metadata(&mut object);
                Ok(object)
            }
        }
    }
}

/// 422 of a JSON patch that cannot be carried out.
fn rejected(why: &str) -> Failure {
    let mut failure = Failure::unprocessable("the server rejected our request due to an error in our request");
    // The server keeps to itself which step it was.
    failure.details = Some(serde_json::json!({}));
    tracing::debug!("a JSON patch was rejected: {why}");
    failure
}
