//! `praxis new`: a component to begin with, from the templates in `host/templates`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, ValueEnum};
use minijinja::{Environment, UndefinedBehavior, context};

use crate::manifest::check_component;

const NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Args)]
pub struct New {
    /// What the component does.
    template: Template,
    /// What it is called: words in lower case, divided by hyphens.
    name: String,
    /// Where to make it: in a new folder of its name if nothing is said.
    #[arg(long)]
    path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Answers requests.
    #[value(alias = "http-rust")]
    Http,
    /// Handles events.
    #[value(alias = "kafka-rust")]
    Kafka,
    /// Makes messages, in the sandbox of templates.
    #[value(alias = "renderer-rust")]
    Renderer,
}

/// A file of the new project: its path, and its text or a template of it.
type File = (&'static str, &'static str);

const GITIGNORE: File = (".gitignore", include_str!("../../templates/gitignore"));
const HTTP: [File; 5] = [
    GITIGNORE,
    (
        "Cargo.toml",
        include_str!("../../templates/http/Cargo.toml.jinja"),
    ),
    (
        "README.md",
        include_str!("../../templates/http/README.md.jinja"),
    ),
    (
        "spin.toml",
        include_str!("../../templates/http/spin.toml.jinja"),
    ),
    (
        "src/lib.rs",
        include_str!("../../templates/http/lib.rs.jinja"),
    ),
];
const KAFKA: [File; 6] = [
    GITIGNORE,
    (
        "Cargo.toml",
        include_str!("../../templates/kafka/Cargo.toml.jinja"),
    ),
    (
        "README.md",
        include_str!("../../templates/kafka/README.md.jinja"),
    ),
    (
        "spin.toml",
        include_str!("../../templates/kafka/spin.toml.jinja"),
    ),
    (
        "src/lib.rs",
        include_str!("../../templates/kafka/lib.rs.jinja"),
    ),
    (
        "wit/events.wit",
        include_str!("../../../wit/events/events.wit"),
    ),
];

const RENDERER: [File; 6] = [
    GITIGNORE,
    (
        "Cargo.toml",
        include_str!("../../templates/renderer/Cargo.toml.jinja"),
    ),
    (
        "README.md",
        include_str!("../../templates/renderer/README.md.jinja"),
    ),
    (
        "spin.toml",
        include_str!("../../templates/renderer/spin.toml.jinja"),
    ),
    (
        "src/lib.rs",
        include_str!("../../templates/renderer/lib.rs.jinja"),
    ),
    (
        "wit/template.wit",
        include_str!("../../../wit/template/template.wit"),
    ),
];

impl New {
    pub fn run(self) -> anyhow::Result<()> {
        let folder = self.path.unwrap_or_else(|| PathBuf::from(&self.name));
        make(self.template, &self.name, &folder)?;
        let folder = folder.display();
        let next = match self.template {
            Template::Http | Template::Kafka => "praxis build && praxis up --watch",
            Template::Renderer => "praxis build",
        };
        println!("made {folder}: now `cd {folder} && {next}`");
        Ok(())
    }
}

/// Writes the project. Nothing is overwritten: a folder that holds anything is refused.
pub fn make(template: Template, name: &str, folder: &Path) -> anyhow::Result<()> {
    check(name).map_err(|why| anyhow!("a component cannot be called {name:?}: {why}"))?;
    let is_free = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    ensure!(
        is_free,
        "{} is there already, and nothing is overwritten",
        folder.display()
    );
    let files = match template {
        Template::Http => &HTTP[..],
        Template::Kafka => &KAFKA[..],
        Template::Renderer => &RENDERER[..],
    };
    for (path, text) in files {
        let text = render(path, text, name)?;
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("could not make {}", parent.display()))?;
        std::fs::write(&path, text)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

/// A component's name that is a crate's as well.
fn check(name: &str) -> Result<(), String> {
    check_component(name)?;
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!("it is in lower case: {:?}", name.to_lowercase()));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("it has more than {NAME_BYTES_MAX} bytes"));
    }
    // What the project depends on cannot be itself.
    if ["spin-sdk", "wit-bindgen", "core", "std", "test"].contains(&name) {
        return Err("it is the name of a library".into());
    }
    Ok(())
}

fn render(path: &str, text: &str, name: &str) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let values = context! { name, crate => name.replace('-', "_") };
    let rendered = environment
        .render_str(text, values)
        .with_context(|| format!("the template of {path} is not one"))?;
    // The last end of a line is taken for the template's own.
    Ok(rendered + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    #[test]
    fn every_template_makes_a_manifest_that_is_good() {
        for template in [Template::Http, Template::Kafka, Template::Renderer] {
            let folder = tempfile::tempdir().unwrap();
            make(template, "two-words", folder.path()).unwrap();
            let manifest = Manifest::load(&folder.path().join("spin.toml")).unwrap();
            let component = manifest.component("two-words");
            assert!(component.source.ends_with("two_words.wasm"));
            assert!(component.build.is_some());
        }
    }

    #[test]
    fn the_interface_description_holds_no_name_that_could_be_a_word_of_its_language() {
        for files in [KAFKA, RENDERER] {
            let lib = files.iter().find(|(path, _)| *path == "src/lib.rs");
            let (path, text) = lib.unwrap();
            let description = |name: &str| {
                let lib = render(path, text, name).unwrap();
                let (_, rest) = lib.split_once("generate!({").unwrap();
                let (description, _) = rest.split_once("});").unwrap();
                description.to_owned()
            };
            let ordinary = description("two-words");
            for name in ["list", "type", "stream", "record", "future", "async", "a-2"] {
                assert_eq!(check(name), Ok(()), "{name}");
                assert_eq!(description(name), ordinary);
            }
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("README.md");
        std::fs::write(&file, "mine").unwrap();
        let refused = make(Template::Http, "a", folder.path()).unwrap_err();
        assert!(
            refused.to_string().contains("nothing is overwritten"),
            "{refused}"
        );
        assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    }

    #[test]
    fn a_name_is_one_of_a_component_and_of_a_crate() {
        for name in ["", "Hello", "HELLO", "a_b", "a b", "../a", "1a", "spin-sdk"] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check(&"a".repeat(65)).is_err());
        for name in ["hello", "hello-2", "a"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }
}
