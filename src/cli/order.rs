//! The order in which several applications are planned and synced: what others depend on first.

use crate::config::Config;

/// Sorts names so that an application comes after those of them that it depends on, directly or through applications
/// that are not among them; else they stay in the order they were given. The configuration has no circles.
pub fn by_dependency(config: &Config, names: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for name in names {
        visit(config, name, names, &mut seen, &mut out);
    }
    out
}

fn visit(config: &Config, name: &str, wanted: &[String], seen: &mut Vec<String>, out: &mut Vec<String>) {
    if seen.iter().any(|known| known == name) {
        return;
    }
    seen.push(name.to_owned());
    for dependency in config.application(name).map_or(&[][..], |application| &application.depends_on) {
        visit(config, dependency, wanted, seen, out);
    }
    if wanted.iter().any(|wanted| wanted == name) {
        out.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_others_depend_on_comes_first() {
        let mut text = String::from("[[repository]]\nname = \"r\"\nurl = \"/r\"\n[[cluster]]\nname = \"c\"\n");
        for (name, on) in [("web", "[\"api\"]"), ("api", "[\"db\"]"), ("db", "[]"), ("other", "[]")] {
            text.push_str(&format!(
                "[[application]]\nname = \"{name}\"\nrepository = \"r\"\npath = \".\"\ncluster = \"c\"\nnamespace = \"x\"\ndepends_on = {on}\n"
            ));
        }
        let config = Config::parse(&text, Path::new("/c.toml")).unwrap();
        let order = |names: &[&str]| by_dependency(&config, &names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(order(&["other", "web", "api", "db"]), ["other", "db", "api", "web"]);
        assert_eq!(order(&["web", "db"]), ["db", "web"], "through one that was not named");
    }
}
