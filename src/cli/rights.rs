//! What the user of a cluster may do with an application's objects and with what driftdeck keeps beside them.

use super::{check::CheckItem, error::CliError};
use crate::{
    cluster::{ClusterError, Resource, Session, Target},
    config::{Application, Cluster},
    engine::Comparison,
};
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;

/// Questions in flight at once.
const IN_FLIGHT: usize = 16;

/// One question: a verb on a kind in a namespace.
type Question = (&'static str, Resource, Option<String>);

/// Asks the API server, one SelfSubjectAccessReview for each verb, kind and namespace. Without rights an application
/// can still be watched: that is wrong only where the cluster is armed for writes.
pub async fn of(target: &Target, application: &Application, cluster: &Cluster, comparison: &Comparison) -> CheckItem {
    let subject = format!("rights {} on {}", application.name, cluster.name);
    match missing(target, application, comparison).await {
        Ok(missing) if missing.is_empty() => CheckItem::new(subject, true, "may apply, prune and record"),
        Ok(missing) => {
            let shown = missing.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = missing.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let hint = "docs/rbac.yaml is the least set of rights for syncing";
            CheckItem::new(subject, !cluster.write, format!("may look, but not {shown}{more}")).hint(hint)
        }
        Err(error) => {
            CheckItem::new(subject, false, CliError::from(crate::engine::EngineError::from(error)).to_string())
        }
    }
}

async fn missing(
    target: &Target,
    application: &Application,
    comparison: &Comparison,
) -> Result<BTreeSet<String>, ClusterError> {
    let session = Session::connect(target).await?;
    let answers = questions(&session, application, comparison).into_iter().map(|(verb, resource, namespace)| {
        let session = &session;
        async move {
            let may = session.may(verb, &resource, namespace.as_deref()).await?;
            let place = namespace.map(|namespace| format!(" in {namespace}")).unwrap_or_default();
            Ok((!may).then(|| format!("{verb} {}{place}", resource.plural)))
        }
    });
    let answers: Vec<Option<String>> = futures::stream::iter(answers).buffered(IN_FLIGHT).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

fn questions(session: &Session, application: &Application, comparison: &Comparison) -> BTreeSet<Question> {
    let catalog = session.catalog();
    let own = comparison.objects.iter().filter_map(|object| {
        let resource = catalog.find(&object.group, &object.version, &object.kind)?;
        Some((resource.clone(), object.namespace.clone()))
    });
    let verbs: &[&'static str] = if application.prune { &["create", "patch", "delete"] } else { &["create", "patch"] };
    let own = own
        .flat_map(|(resource, namespace)| verbs.iter().map(move |verb| (*verb, resource.clone(), namespace.clone())));
    let state = application.state_namespace.as_ref().or(application.namespace.as_ref());
    let kept = [("", "v1", "ConfigMap"), ("", "v1", "Secret"), ("coordination.k8s.io", "v1", "Lease")];
    let kept = kept
        .into_iter()
        .filter_map(|(group, version, kind)| catalog.find(group, version, kind))
        .flat_map(|resource| ["create", "patch", "update"].map(|verb| (verb, resource.clone(), state.cloned())));
    own.chain(kept).collect()
}
