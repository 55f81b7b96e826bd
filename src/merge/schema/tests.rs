//! What is read of OpenAPI documents in the forms in which the server writes them.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A document with one kind `Thing` (group `example.com/v1`), whose `spec` is the schema given.
fn with_spec(spec: Value) -> Schema {
    let kind = json!({"group": "example.com", "version": "v1", "kind": "Thing"});
    let document = json!({
        "paths": {
            "/apis/example.com/v1/namespaces/{namespace}/things/{name}": {"patch": {"x-kubernetes-group-version-kind": kind}, "get": {}},
            "/apis/example.com/v1/namespaces/{namespace}/things/{name}/status": {"patch": {"x-kubernetes-group-version-kind": kind}},
        },
        "components": {"schemas": {
            "com.example.v1.Thing": {"type": "object", "x-kubernetes-group-version-kind": [kind], "properties": {"spec": spec}},
            "com.example.v1.ThingList": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "ThingList"}]},
            "Selector": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
            "Tree": {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Tree"}}},
            "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        }},
    });
    Schema::read(document.to_string().as_bytes()).unwrap()
}

fn spec(schema: &Schema) -> Type<'_> {
    schema.kind("example.com/v1", "Thing").unwrap().root.map().unwrap().field("spec").unwrap().value
}

#[test]
fn only_what_can_be_patched_is_a_kind() {
    let schema = with_spec(json!({}));
    assert_eq!(schema.kinds().collect::<Vec<_>>(), [("example.com/v1", "Thing")]);
    let kind = schema.kind("example.com/v1", "Thing").unwrap();
    assert!(kind.has_status && kind.is_custom);
    assert!(is_built_in("apps/v1") && is_built_in("v1") && !is_built_in("gateway.networking.k8s.io/v1"));
}

#[test]
fn lists_are_atomic_until_they_say_otherwise() {
    let list = |extra: Value| {
        let mut list = json!({"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string", "default": "x"}}}});
        list.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let schema = with_spec(list);
        let list = spec(&schema).list().unwrap();
        let keys: Vec<String> = list.keys().iter().map(ToString::to_string).collect();
        (list.list_type(), keys.join(" "))
    };
    assert_eq!(list(json!({})), (ListType::Atomic, String::new()));
    assert_eq!(list(json!({"x-kubernetes-list-type": "set"})), (ListType::Set, String::new()));
    assert_eq!(
        list(json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["b", "a"]})),
        (ListType::Map, "b a".into())
    );
    assert_eq!(
        list(json!({"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "a"})),
        (ListType::Map, "a".into())
    );
    assert_eq!(list(json!({"x-kubernetes-patch-strategy": "merge"})), (ListType::Set, String::new()));
    assert_eq!(
        list(json!({"x-kubernetes-list-type": "atomic", "x-kubernetes-patch-strategy": "merge"})),
        (ListType::Atomic, String::new())
    );
}

#[test]
fn defaults_nullable_and_required_stand_at_the_place_of_use() {
    let schema = with_spec(json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string", "nullable": true}, "b": {"type": "integer", "default": 3},
        "c": {"default": {}, "allOf": [{"$ref": "#/components/schemas/Tree"}]}}}));
    let map = spec(&schema).map().unwrap();
    let (a, b, c) = (map.field("a").unwrap(), map.field("b").unwrap(), map.field("c").unwrap());
    assert!(a.required && a.value.nullable() && a.value.default().is_none());
    assert_eq!((b.required, b.value.default(), b.value.scalar()), (false, Some(&json!(3)), Some(Scalar::Numeric)));
    let child = |value: Type<'_>| value.map().unwrap().field("child").is_some();
    assert_eq!(c.value.default(), Some(&json!({})));
    assert!(child(c.value) && child(c.value.map().unwrap().field("child").unwrap().value));
    assert!(map.field("d").is_none() && map.values().is_none() && map.member("d").is_none());
}

#[test]
fn a_reference_can_say_another_map_type() {
    let reference = "#/components/schemas/Selector";
    let schema = with_spec(json!({"type": "object", "properties": {
        "granular": {"allOf": [{"$ref": reference}], "x-kubernetes-map-type": "granular"}, "plain": {"$ref": reference}}}));
    let atomic = |name| spec(&schema).map().unwrap().field(name).unwrap().value.map().unwrap().is_atomic();
    assert!(atomic("plain") && !atomic("granular"));
}

#[test]
fn unknown_fields_are_free_where_they_are_preserved_or_nothing_is_declared() {
    for (schema, declared, free) in [
        (json!({"type": "object"}), false, true),
        (json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"x": {}}}}}), true, false),
        (
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"a": {"type": "object", "properties": {"x": {}}}}}),
            true,
            true,
        ),
        (json!({"type": "object", "additionalProperties": true}), false, true),
        (json!({"type": "object", "additionalProperties": false}), false, false),
    ] {
        let schema = with_spec(schema);
        let map = spec(&schema).map().unwrap();
        assert_eq!((map.field("a").is_some(), map.values().is_some()), (declared, free));
        // What preserves unknown fields does so below it too.
        if let Some(inner) = map.field("a") {
            assert_eq!(inner.value.map().unwrap().values().is_some(), free);
        }
        assert_eq!(map.is_untyped(), free && !declared);
    }
    let schema = with_spec(json!({"type": "object", "additionalProperties": {"type": "string"}}));
    assert_eq!(spec(&schema).map().unwrap().member("any").unwrap().scalar(), Some(Scalar::String));
}

#[test]
fn what_has_no_type_can_be_anything() {
    let schema = with_spec(json!({"x-kubernetes-int-or-string": true}));
    let value = spec(&schema);
    assert_eq!(value.scalar(), Some(Scalar::Any));
    assert!(value.list().unwrap().list_type() == ListType::Atomic && value.map().unwrap().is_untyped());
    let schema = with_spec(json!({"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}));
    let quantity = spec(&schema);
    assert_eq!(
        (quantity.scalar(), quantity.list().is_none(), quantity.map().is_none()),
        (Some(Scalar::Any), true, true)
    );
}

#[test]
fn equal_types_are_stored_once() {
    let text = json!({"type": "string"});
    let schema = with_spec(
        json!({"type": "object", "properties": {"a": text, "b": text, "c": {"type": "array", "items": text}}}),
    );
    let texts = schema.atoms.iter().filter(|atom| atom.scalar == Some(Scalar::String)).count();
    assert_eq!(texts, 1);
}

#[test]
fn a_document_that_is_none_is_an_error() {
    for document in ["", "3", r#"{"components": 3}"#, r#"{"components": {"schemas": {"a": 1}}}"#] {
        assert!(Schema::read(document.as_bytes()).is_err(), "{document}");
    }
    let deep = format!("{}{}", r#"{"components":{"schemas":{"a":"#, r#"{"items":"#.repeat(100_000));
    assert!(Schema::read(deep.as_bytes()).is_err());
    // Odd values in a document do not cost the kinds beside them.
    let schema = with_spec(
        json!({"type": ["string", "null"], "items": [1], "additionalProperties": null, "nullable": 1, "required": {}}),
    );
    assert_eq!(spec(&schema).scalar(), Some(Scalar::String));
}

proptest! {
    #[test]
    fn no_document_breaks_the_reader(spec in crate::merge::tests::any_json(), text in ".*") {
        let _ = Schema::read(text.as_bytes());
        let document = json!({"paths": {"/a": {"patch": {"x-kubernetes-group-version-kind": {"group": "", "version": "v1", "kind": "A"}}}},
            "components": {"schemas": {"A": {"x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "A"}],
                "properties": {"a": spec}}}}});
        let _ = Schema::read(document.to_string().as_bytes());
    }
}
