//! What the OpenAPI documents do not say of Kubernetes' built-in types: the table `types.txt`, read once.

use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};

/// What is known of one type beside its schema. See the head of `types.txt`.
#[derive(Debug, Default)]
pub(super) struct Known {
    value: Vec<&'static str>,
    pointer: Vec<&'static str>,
    null: Vec<&'static str>,
    omitted: Vec<&'static str>,
    bytes: Vec<&'static str>,
    defaults: Vec<(&'static str, Value)>,
}

static TABLE: LazyLock<HashMap<&'static str, Known>> = LazyLock::new(|| read(include_str!("types.txt")));
static NOTHING: LazyLock<Known> = LazyLock::new(Known::default);

/// Where the names of Kubernetes' own types begin; the rest, like `core.v1.PodSpec`, is the name used here.
const BUILT_IN: [&str; 5] = [
    "io.k8s.api.",
    "io.k8s.apimachinery.pkg.apis.",
    "io.k8s.apimachinery.pkg.",
    "io.k8s.apiextensions-apiserver.pkg.apis.",
    "io.k8s.kube-aggregator.pkg.apis.",
];

/// The short name of one of Kubernetes' own types; `None` for a custom resource's.
pub(super) fn short_name(name: &str) -> Option<&str> {
    BUILT_IN.iter().find_map(|prefix| name.strip_prefix(prefix))
}

/// What is known of the type with a short name.
pub(super) fn known(name: &str) -> &'static Known {
    TABLE.get(name).unwrap_or(&NOTHING)
}

impl Known {
    /// Whether a field holds a boolean or number of which `false` and 0 are not written.
    pub(super) fn drops_zero(&self, field: &str) -> bool {
        self.value.contains(&field)
    }
    /// Whether a text can be empty and still be written.
    pub(super) fn keeps_empty_text(&self, field: &str) -> bool {
        self.pointer.contains(&field)
    }
    /// The fields that are written as `null` when nothing is set, lists that the schema requires aside.
    pub(super) fn written_null(&self) -> &[&'static str] {
        &self.null
    }
    /// Whether the schema's empty default is not written.
    pub(super) fn omits_empty_default(&self, field: &str) -> bool {
        self.omitted.contains(&field)
    }
    /// Whether a field holds base64.
    pub(super) fn holds_bytes(&self, field: &str) -> bool {
        self.bytes.contains(&field)
    }
    /// What the server sets where nothing is.
    pub(super) fn defaults(&self) -> &[(&'static str, Value)] {
        &self.defaults
    }
}

fn read(table: &'static str) -> HashMap<&'static str, Known> {
    let mut types: HashMap<&str, Known> = HashMap::new();
    let mut name = "";
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(row) = line.strip_prefix("  ") else {
            name = line;
            continue;
        };
        let known = types.entry(name).or_default();
        let (what, rest) = row.split_once(' ').unwrap_or((row, ""));
        let fields = rest.split(' ');
        match what {
            "value" => known.value.extend(fields),
            "pointer" => known.pointer.extend(fields),
            "null" => known.null.extend(fields),
            "omitted" => known.omitted.extend(fields),
            "bytes" => known.bytes.extend(fields),
            // A test proves that every row is one of these and every default JSON.
            _ => {
                if let Some((field, Ok(value))) = rest.split_once(' ').map(|(f, json)| (f, serde_json::from_str(json)))
                {
                    known.defaults.push((field, value));
                }
            }
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let text = include_str!("types.txt");
        let rows = |what: &str| text.lines().filter(|line| line.starts_with(&format!("  {what} "))).count();
        let known: usize = ["value", "pointer", "null", "omitted", "bytes", "default"].map(rows).iter().sum();
        assert_eq!(known, text.lines().filter(|line| line.starts_with("  ")).count());
        assert_eq!(rows("default"), TABLE.values().map(|known| known.defaults.len()).sum::<usize>());
        assert!(known > 300);
    }

    #[test]
    fn only_the_names_of_kubernetes_own_types_are_known() {
        assert_eq!(short_name("io.k8s.api.core.v1.PodSpec"), Some("core.v1.PodSpec"));
        assert_eq!(short_name("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"), Some("meta.v1.ObjectMeta"));
        assert_eq!(short_name("io.k8s.apimachinery.pkg.api.resource.Quantity"), Some("api.resource.Quantity"));
        assert_eq!(short_name("com.example.core.v1.PodSpec"), None);
    }
}
