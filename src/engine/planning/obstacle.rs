//! What stands between a plan and its approval: what is not known, what the cluster refuses, rights that the user lacks.

use super::super::{
    application::Application, approval::BoundStep, compare::Live, comparison::Action, examine::Examined, plan::Choices,
    predict::Predicted,
};
use crate::{
    cluster::{Resource, Session},
    object::{GroupKind, ObjectId},
};
use std::collections::BTreeSet;

impl Application {
    /// Returns why the plan cannot be approved, if it cannot.
    pub(super) async fn obstacle(&self, choices: &Choices, examined: &Examined, steps: &[BoundStep]) -> Option<String> {
        let Some(state_namespace) = self.state_namespace() else {
            return Some("there is no place for inventory and records: set `namespace` or `state_namespace` in the application's section".into());
        };
        if let Some(lost) = examined.lost.clone().or_else(|| self.cluster.lost()) {
            return Some(lost.to_string());
        }
        if examined.ledger.inventory_unreadable || examined.ledger.unanswered.is_some() {
            return Some(examined.ledger.problems.join("; "));
        }
        for (object, found) in examined.desired.objects.iter().zip(&examined.found) {
            let id = &object.manifest.id;
            let left_out = choices.skip.contains(id) || !choices.only.is_empty() && !choices.only.contains(id);
            if left_out || object.resource.is_err() {
                continue;
            }
            if let Some(reason) = &found.blocked {
                return Some(format!("{id}: {reason}"));
            }
            match (&found.live, &found.predicted) {
                (_, Some(Predicted::Refused(reason))) => {
                    return Some(format!("the cluster refuses {id}: {reason}; mend it or leave it out (--skip {id})"));
                }
                (_, Some(Predicted::Estimated(_, reason))) => {
                    return Some(format!("estimated, not verified: {reason}"));
                }
                (Live::Unreadable(reason), _) | (_, Some(Predicted::Failed(reason))) => {
                    return Some(format!("{id} cannot be compared: {reason}; leave it out with --skip {id}"));
                }
                _ => {}
            }
        }
        if steps.is_empty() {
            return Some("there is nothing to do".into());
        }
        if examined.ledger.inventory.is_none() {
            let creates_it = steps.iter().any(|step| step.id.kind == "Namespace" && step.id.name == state_namespace);
            if !creates_it && let Some(reason) = missing_namespace(&examined.session, state_namespace).await {
                return Some(reason);
            }
        }
        missing_right(&examined.session, state_namespace, steps).await
    }
}

async fn missing_namespace(session: &Session, namespace: &str) -> Option<String> {
    let kind = GroupKind { group: String::new(), kind: "Namespace".into() };
    let resource = session.catalog().preferred(&kind).cloned()?;
    let id = ObjectId { group: String::new(), kind: "Namespace".into(), namespace: None, name: namespace.to_owned() };
    match session.get(&resource, &id).await {
        Ok(None) => Some(format!(
            "namespace {namespace} does not exist, and the application does not create it: add it to Git, or run kubectl create namespace {namespace}"
        )),
        // Without the right to look, the first write will tell.
        _ => None,
    }
}

/// Returns the first right that the sync would need for its own state and for prunes, and that the user lacks.
async fn missing_right(session: &Session, state_namespace: &str, steps: &[BoundStep]) -> Option<String> {
    let catalog = session.catalog();
    let mut needed: Vec<(&str, Resource, Option<String>)> = Vec::new();
    for (verb, kind) in [("create", "ConfigMap"), ("patch", "ConfigMap"), ("create", "Secret"), ("patch", "Secret")] {
        let kind = GroupKind { group: String::new(), kind: kind.into() };
        if let Some(resource) = catalog.preferred(&kind) {
            needed.push((verb, resource.clone(), Some(state_namespace.to_owned())));
        }
    }
    let prunes = steps.iter().filter(|step| step.action == Action::Prune);
    let scopes: BTreeSet<_> = prunes.map(|step| (step.resource.clone(), step.id.namespace.clone())).collect();
    needed.extend(scopes.into_iter().map(|(resource, namespace)| ("delete", resource, namespace)));
    let answers = futures::future::join_all(
        needed.iter().map(|(verb, resource, namespace)| session.may(verb, resource, namespace.as_deref())),
    )
    .await;
    let (verb, resource, namespace) =
        needed.iter().zip(answers).find(|(_, answer)| matches!(answer, Ok(false))).map(|(need, _)| need)?;
    let place =
        namespace.as_ref().map_or_else(|| "the whole cluster".into(), |namespace| format!("namespace {namespace}"));
    Some(format!(
        "{} may not {verb} {} in {place}: ask for that right (docs/rbac.yaml lists the least set)",
        session.user(),
        resource.plural
    ))
}
