//! The strategic merge patch (apimachinery's `strategicpatch`): like a merge patch, but lists whose items have a key are
//! merged by it, and directives say what else is to happen: `$patch: replace|delete|merge`, `$retainKeys`,
//! `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`.

use crate::{
    merge::schema::Type,
    sandbox::schemas::{Strategies, Strategy},
};
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Applies a patch to an object of a type.
///
/// # Errors
/// What is wrong with the patch.
pub(in crate::sandbox) fn apply(
    root: Option<Type<'_>>,
    strategies: &Strategies,
    object: &Value,
    patch: &Value,
) -> Result<Value, String> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Err("a patch of an object is an object".into());
    };
    let merge = Merge { strategies };
    merge.map(root, object.clone(), patch).map(|merged| Value::Object(merged.unwrap_or_default()))
}

struct Merge<'a> {
    strategies: &'a Strategies,
}

impl Merge<'_> {
    fn strategy(&self, at: Option<Type<'_>>, field: &str) -> Strategy {
        let name = at.and_then(Type::name).unwrap_or_default();
        self.strategies.get(&(name.to_owned(), field.to_owned())).cloned().unwrap_or_default()
    }

    /// None: the mapping goes.
    fn map(
        &self,
        at: Option<Type<'_>>,
        mut object: Map<String, Value>,
        patch: &Map<String, Value>,
    ) -> Result<Option<Map<String, Value>>, String> {
        match patch.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or_default()) {
            None | Some("merge") => {}
            Some("replace") => return Ok(Some(plain(patch))),
            Some("delete") => return Ok(None),
            Some(other) => return Err(format!("Unknown patch type: {other}")),
        }
        if let Some(kept) = patch.get(RETAIN).and_then(Value::as_array) {
            object.retain(|name, _| kept.iter().any(|known| known == name));
        }
        let before = object.clone();
        for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
            let field = at.and_then(Type::map).and_then(|map| map.member(name));
            let strategy = self.strategy(at, name);
            let has = |wanted: &str| strategy.patch.iter().any(|known| known == wanted);
            match (object.remove(name), value) {
                (_, Value::Null) => {}
                (Some(Value::Object(known)), Value::Object(patch)) if !has("replace") => {
                    if let Some(merged) = self.map(field, known, patch)? {
                        object.insert(name.clone(), Value::Object(merged));
                    }
                }
                (None, Value::Object(patch)) if !has("replace") => {
                    if let Some(made) = self.map(field, Map::new(), patch)? {
                        object.insert(name.clone(), Value::Object(made));
                    }
                }
                (known, Value::Array(patch)) if has("merge") => {
                    let known = known.and_then(|known| known.as_array().cloned()).unwrap_or_default();
                    let items = field.and_then(Type::list).map(|list| list.items());
                    object.insert(name.clone(), self.list(items, &strategy.key, known, patch)?.into());
                }
                (_, value) => drop(object.insert(name.clone(), without_directives(value))),
            }
        }
        self.beside(at, &before, &mut object, patch);
        Ok(Some(object))
    }

    /// What is said beside the lists: what goes from them, and their order. Without a word about it, what the patch has
    /// comes in the patch's order.
    fn beside(
        &self,
        at: Option<Type<'_>>,
        before: &Map<String, Value>,
        object: &mut Map<String, Value>,
        patch: &Map<String, Value>,
    ) {
        for (name, value) in patch {
            if let (Some(field), Some(gone)) = (name.strip_prefix(DELETE_FROM), value.as_array())
                && let Some(items) = object.get_mut(field).and_then(Value::as_array_mut)
            {
                items.retain(|item| !gone.contains(item));
            }
        }
        for (name, value) in patch {
            let field = name.strip_prefix(ORDER).unwrap_or(name);
            let (strategy, is_said) = (self.strategy(at, field), name.starts_with(ORDER));
            let is_merged = strategy.patch.iter().any(|known| known == "merge");
            let has_order = patch.contains_key(&format!("{ORDER}{field}"));
            if !is_merged || (!is_said && has_order) {
                continue;
            }
            if let (Some(order), Some(items)) = (value.as_array(), object.get_mut(field).and_then(Value::as_array_mut))
            {
                let known = before.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                reorder(items, order, known, &strategy.key);
            }
        }
    }

    fn list(
        &self,
        items: Option<Type<'_>>,
        key: &str,
        mut known: Vec<Value>,
        patch: &[Value],
    ) -> Result<Vec<Value>, String> {
        if key.is_empty() {
            for item in patch {
                if !known.contains(item) {
                    known.push(item.clone());
                }
            }
            return Ok(known);
        }
        let is_replaced = patch.iter().any(|item| item.get(DIRECTIVE) == Some(&"replace".into()));
        if is_replaced {
            let kept = patch.iter().filter(|item| item.get(DIRECTIVE).is_none());
            return Ok(kept.cloned().collect());
        }
        for item in patch {
            let Value::Object(patch) = item else {
                return Err("map: value is no map, though the list has a merge key".into());
            };
            let Some(wanted) = patch.get(key) else {
                return Err(format!("map: {item} does not contain declared merge key: {key}"));
            };
            let found = known.iter().position(|item| item.get(key) == Some(wanted));
            if patch.get(DIRECTIVE) == Some(&"delete".into()) {
                known.retain(|item| item.get(key) != Some(wanted));
                continue;
            }
            let before = found.and_then(|at| known[at].as_object().cloned()).unwrap_or_default();
            let merged = self.map(items, before, patch)?.map(Value::Object);
            match (found, merged) {
                (Some(at), Some(merged)) => known[at] = merged,
                (None, Some(merged)) => known.push(merged),
                (Some(at), None) => drop(known.remove(at)),
                (None, None) => {}
            }
        }
        Ok(known)
    }
}

/// Items that the order names stand in it, the others keep theirs. Where the two meet, the place that both had in the
/// list before decides, and an item that was not in it comes first (`normalizeElementOrder`).
fn reorder(items: &mut Vec<Value>, order: &[Value], before: &[Value], key: &str) {
    let is_same = |a: &Value, b: &Value| match key {
        "" => a == b,
        key => a.get(key).is_some() && a.get(key) == b.get(key),
    };
    let place = |list: &[Value], item: &Value| list.iter().position(|known| is_same(known, item));
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        std::mem::take(items).into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let next = match (named.peek(), others.peek()) {
            (Some(ours), Some(theirs)) if place(before, theirs) < place(before, ours) => others.next(),
            (Some(_), _) => named.next(),
            (None, _) => others.next(),
        };
        match next {
            Some(item) => items.push(item),
            None => return,
        }
    }
}

/// A patch without its directives, where it is the value itself.
fn plain(patch: &Map<String, Value>) -> Map<String, Value> {
    let own = patch.iter().filter(|(name, _)| !name.starts_with('$'));
    own.map(|(name, value)| (name.clone(), without_directives(value))).collect()
}

fn without_directives(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(plain(members)),
        Value::Array(items) => items
            .iter()
            .filter(|item| item.get(DIRECTIVE).is_none_or(|directive| directive == "merge"))
            .map(without_directives)
            .collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::schemas::Documents;
    use serde_json::json;

    fn patched(object: Value, patch: Value) -> Result<Value, String> {
        let documents = Documents::default();
        let schemas = documents.schemas("apps/v1");
        let root = schemas.kind("apps/v1", "Deployment").map(|kind| kind.root);
        let spec = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
        let made = apply(root, &documents.strategies("apps/v1"), &spec(object), &spec(patch))?;
        Ok(made["spec"]["template"]["spec"].clone())
    }

    #[test]
    fn items_are_merged_by_their_key_and_ordered_as_the_patch_says() {
        let object =
            json!({"containers": [{"name": "a", "image": "a:1", "args": ["x"]}, {"name": "b"}, {"name": "c"}]});
        let patch = json!({"$setElementOrder/containers": [{"name": "d"}, {"name": "a"}, {"name": "c"}],
            "containers": [{"name": "a", "image": "a:2"}, {"name": "d"}, {"name": "b", "$patch": "delete"}]});
        let expected =
            json!({"containers": [{"name": "d"}, {"name": "a", "image": "a:2", "args": ["x"]}, {"name": "c"}]});
        assert_eq!(patched(object, patch).unwrap(), expected);
        let added = patched(json!({"containers": [{"name": "a"}]}), json!({"containers": [{"name": "new"}]})).unwrap();
        assert_eq!(added, json!({"containers": [{"name": "new"}, {"name": "a"}]}), "what is new comes first");
    }

    #[test]
    fn directives_replace_retain_and_take_out() {
        let replaced = patched(
            json!({"containers": [{"name": "a"}]}),
            json!({"containers": [{"name": "b"}, {"$patch": "replace"}]}),
        );
        assert_eq!(replaced.unwrap(), json!({"containers": [{"name": "b"}]}));
        let retained = patched(
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}),
        );
        assert_eq!(retained.unwrap(), json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}));
        let whole =
            patched(json!({"nodeSelector": {"a": "1"}}), json!({"nodeSelector": {"$patch": "replace", "b": "2"}}));
        assert_eq!(whole.unwrap(), json!({"nodeSelector": {"b": "2"}}));
        assert!(patched(json!({"containers": [{"name": "a"}]}), json!({"containers": [{"image": "x"}]})).is_err());
    }
}
