//! Names across sections: each given once, each reference leading somewhere, no circle of `depends_on`.

use super::{
    reader::{Problems, Table},
    values::Wrong,
};
use std::collections::BTreeMap;
use toml::Spanned;

fn names(tables: &[Table<'_, '_>]) -> Vec<Spanned<String>> {
    tables
        .iter()
        .filter_map(|table| {
            let node = table.get("name")?;
            Some(Spanned::new(node.span(), node.get_ref().as_str()?.to_owned()))
        })
        .collect()
}

/// Reports names that are given twice in one kind of section.
pub(super) fn unique(tables: &[Table<'_, '_>], what: &str) {
    let Some(problems) = tables.first().map(Table::problems) else { return };
    let names = names(tables);
    for (index, name) in names.iter().enumerate() {
        if names[..index].iter().any(|earlier| earlier.get_ref() == name.get_ref()) {
            problems.add_echo(
                &name.span(),
                Wrong::new(
                    format!("there are two {what} sections named `{}`", crate::object::clean(name.get_ref())),
                    "give each a name of its own",
                ),
            );
        }
    }
}

fn dangling(problems: &Problems, reference: &Spanned<String>, what: &str, known: &[Spanned<String>]) {
    let known = || known.iter().map(|name| name.get_ref().as_str());
    if known().any(|name| name == reference.get_ref()) {
        return;
    }
    let hint = match super::nearest(reference.get_ref(), known()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known().next().is_none() => format!("add [[{what}]] with name = \"{}\"", reference.get_ref()),
        None => format!("there are {}", known().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")),
    };
    let message = format!("there is no {what} named `{}`", crate::object::clean(reference.get_ref()));
    problems.add_echo(&reference.span(), Wrong::new(message, hint));
}

/// Reports values of `key` that name none of `targets`.
pub(super) fn references(applications: &[Table<'_, '_>], key: &str, targets: &[Table<'_, '_>]) {
    let known = names(targets);
    for application in applications {
        if let Some(node) = application.get(key)
            && let Some(text) = node.get_ref().as_str()
        {
            dangling(application.problems(), &Spanned::new(node.span(), text.to_owned()), key, &known);
        }
    }
}

/// Reports a `depends_on` that leads to no application, or in a circle.
pub(super) fn dependencies(applications: &[Table<'_, '_>]) {
    let known = names(applications);
    let edges = |table: &Table<'_, '_>| -> Vec<Spanned<String>> {
        let items = table.get("depends_on").and_then(|node| node.get_ref().as_array());
        items
            .into_iter()
            .flatten()
            .filter_map(|item| Some(Spanned::new(item.span(), item.get_ref().as_str()?.to_owned())))
            .collect()
    };
    let graph: BTreeMap<String, Vec<String>> = applications
        .iter()
        .filter_map(|table| {
            let name = table.get("name")?.get_ref().as_str()?.to_owned();
            Some((name, edges(table).into_iter().map(Spanned::into_inner).collect()))
        })
        .collect();
    for table in applications {
        let Some(name) = table.get("name").and_then(|node| node.get_ref().as_str()) else { continue };
        for edge in edges(table) {
            dangling(table.problems(), &edge, "application", &known);
            if let Some(way) = way(&graph, edge.get_ref(), name) {
                let circle = [&[name.to_owned()], way.as_slice()].concat().join(" -> ");
                table.problems().add_echo(
                    &edge.span(),
                    Wrong::new(
                        format!("applications wait for each other: {circle}"),
                        "take one of them out of depends_on",
                    ),
                );
            }
        }
    }
}

/// Finds the names on the shortest way from one application to another along `depends_on`, both included.
fn way(graph: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut ways = std::collections::VecDeque::from([vec![from.to_owned()]]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last()?.clone();
        if last == to {
            return Some(way);
        }
        if seen.insert(last.clone()) {
            let next = graph.get(&last).into_iter().flatten();
            ways.extend(next.map(|name| [way.as_slice(), std::slice::from_ref(name)].concat()));
        }
    }
    None
}
