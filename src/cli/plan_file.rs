//! The file of `plan --out`: the plan's document with the choices that it was made by. `sync --plan` takes from it only
//! what to compute again and the digest that must come out; nothing in it is ever sent.

use super::{digest::Digest, error::CliError, output::API_VERSION};
use crate::{engine::Choices, object::ObjectId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeSet, io::Write, path::Path};

/// A plan's document is bounded by the objects of an application.
const LARGEST: u64 = 256 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct WrittenChoices {
    revision: Option<String>,
    prune: Option<bool>,
    only: BTreeSet<ObjectId>,
    skip: BTreeSet<ObjectId>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    digest: String,
    application: Option<String>,
    #[serde(default)]
    items: Vec<WrittenItem>,
    choices: WrittenChoices,
}

#[derive(Deserialize)]
struct WrittenItem {
    application: String,
}

/// What a plan file asks to be computed again.
#[derive(Debug)]
pub struct PlanFile {
    /// Applications.
    pub applications: BTreeSet<String>,
    /// Choices.
    pub choices: Choices,
    /// Digest that must come out.
    pub digest: Digest,
}

/// Writes a document with its choices, readable by this user alone.
///
/// # Errors
/// [`CliError::Failed`] with the file's name.
pub fn write(path: &Path, mut document: Value, choices: &Choices) -> Result<(), CliError> {
    let failed = |reason: String| CliError::Failed(format!("{}: {reason}", path.display()));
    let written = WrittenChoices {
        revision: choices.revision.clone(),
        prune: choices.prune,
        only: choices.only.clone(),
        skip: choices.skip.clone(),
    };
    document["choices"] = serde_json::to_value(written).map_err(|error| failed(error.to_string()))?;
    // A temporary file is 0600 from its first byte, whatever the mode of the file that it replaces.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(error.to_string()))?;
    file.write_all(format!("{document:#}\n").as_bytes()).map_err(|error| failed(error.to_string()))?;
    file.persist(path).map(drop).map_err(|error| failed(error.to_string()))
}

/// Reads a file that [`write`] wrote.
///
/// # Errors
/// [`CliError::Failed`] where it is none.
pub fn read(path: &Path) -> Result<PlanFile, CliError> {
    let failed = |reason: String| {
        CliError::Failed(format!("{}: {reason}; `driftdeck plan APP --out FILE` writes such a file", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > LARGEST {
        return Err(failed(format!("{size} bytes is too long for a plan")));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let written: Written =
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("this is not a plan: {error}")))?;
    if written.api_version != API_VERSION || !["Plan", "PlanList"].contains(&written.kind.as_str()) {
        return Err(failed(format!("this is a {} of {}, not a plan", written.kind, written.api_version)));
    }
    let applications: BTreeSet<String> =
        written.application.into_iter().chain(written.items.into_iter().map(|item| item.application)).collect();
    // Without its time an approval would never grow old.
    if !written.digest.contains('@') {
        return Err(failed("its digest has no time of issue".into()));
    }
    let WrittenChoices { revision, prune, only, skip } = written.choices;
    Ok(PlanFile {
        applications,
        choices: Choices { revision, prune, only, skip },
        digest: written.digest.parse().map_err(failed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_file_reads_back_what_must_be_computed_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let digest = format!("sha256:{}@2026-01-31T12:00:00Z", "0".repeat(64));
        let choices = Choices {
            prune: Some(false),
            only: ["apps/Deployment/shop/api".parse().unwrap()].into(),
            ..Choices::default()
        };
        let document = json!({"apiVersion": API_VERSION, "kind": "PlanList", "digest": digest, "items": [{"application": "b"}, {"application": "a"}]});
        // What was there before is replaced, its mode too.
        std::fs::write(&path, "old").unwrap();
        write(&path, document, &choices).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.choices, choices);
        assert_eq!(read.applications.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.digest.to_string(), digest.split('@').next().unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_plan_file_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        assert!(read(&path).unwrap_err().to_string().contains("plan.json"));
        for text in ["", "[]", "{}", r#"{"apiVersion":"v1","kind":"Pod","digest":"","choices":{"only":[],"skip":[]}}"#]
        {
            std::fs::write(&path, text).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("not a plan"), "{text}");
        }
    }
}
