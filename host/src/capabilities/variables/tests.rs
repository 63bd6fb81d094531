use std::path::Path;

use super::*;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[variables]
database_url = { required = true, secret = true }
prefix = { default = "x" }
[component.one]
source = "one.wasm"
variables = { url = "{{ database_url }}", key = "{{prefix}}:{{ prefix }}" }
"#;

fn manifest(text: &str) -> Manifest {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, text).unwrap();
    Manifest::load(Path::new(&path)).unwrap()
}

fn overrides(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

fn environment(process: &[(&str, &str)]) -> Environment {
    let process = process.iter();
    process
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_value_comes_from_the_host_then_the_environment_then_the_default() {
    let environment = environment(&[
        ("SPIN_VARIABLE_DATABASE_URL", "from-environment"),
        ("SPIN_VARIABLE_PREFIX", "environment"),
    ]);
    let manifest = manifest(MANIFEST);
    let resolved = Variables::resolve(
        &manifest,
        &environment,
        &overrides("database_url", "from-host"),
    )
    .unwrap();
    assert_eq!(resolved.get("database_url"), Some("from-host"));
    assert_eq!(resolved.get("prefix"), Some("environment"));

    let resolved = Variables::resolve(
        &manifest,
        &Environment::default(),
        &overrides("database_url", "u"),
    );
    assert_eq!(resolved.unwrap().get("prefix"), Some("x"));
}

#[test]
fn what_the_environment_does_not_say_dotenv_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, MANIFEST).unwrap();
    let dotenv = "# a comment\nSPIN_VARIABLE_PREFIX=from-dotenv\nPREFIX=not-ours\n\
                  export SPIN_VARIABLE_DATABASE_URL='from dotenv'\n";
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    let manifest = Manifest::load(&path).unwrap();
    let process = [("SPIN_VARIABLE_DATABASE_URL", "from-environment")];
    let both = environment(&process).beside(&manifest).unwrap();
    let resolved = Variables::resolve(&manifest, &both, &BTreeMap::new()).unwrap();
    assert_eq!(resolved.get("database_url"), Some("from-environment"));
    assert_eq!(resolved.get("prefix"), Some("from-dotenv"));
    let dotenv = Environment::default().beside(&manifest).unwrap();
    let resolved = Variables::resolve(&manifest, &dotenv, &BTreeMap::new()).unwrap();
    assert_eq!(resolved.get("database_url"), Some("from dotenv"));

    std::fs::write(folder.path().join(".env"), "hush hush\n").unwrap();
    let error = environment(&process).beside(&manifest).err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains(".env") && !error.contains("hush"), "{error}");
}

#[test]
fn a_default_is_taken_as_it_is_written() {
    let text = MANIFEST.replace(
        "{ default = \"x\" }",
        "{ default = \"{{ database_url }}\" }",
    );
    let known = overrides("database_url", "u");
    let resolved = Variables::resolve(&manifest(&text), &Environment::default(), &known).unwrap();
    assert_eq!(resolved.get("prefix"), Some("{{ database_url }}"));
}

#[test]
fn a_required_variable_without_a_value_is_named() {
    let error = Variables::resolve(
        &manifest(MANIFEST),
        &Environment::default(),
        &BTreeMap::new(),
    )
    .unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("database_url"), "{error}");
    assert!(error.contains("SPIN_VARIABLE_DATABASE_URL"), "{error}");
}

#[test]
fn a_component_sees_its_own_variables_only() {
    let manifest = manifest(MANIFEST);
    let variables = Variables::resolve(
        &manifest,
        &Environment::default(),
        &overrides("database_url", "secret"),
    )
    .unwrap();
    let instance = Instance(Arc::clone(&variables.components["one"]));
    assert_eq!(instance.get("url").unwrap(), "secret");
    assert_eq!(instance.get("key").unwrap(), "x:x");
    assert!(matches!(
        instance.get("database_url"),
        Err(bindings::Error::Undefined(name)) if name == "database_url"
    ));
    for name in ["", "Upper", "a__b", "a_", "1a", "a-b"] {
        let answer = instance.get(name);
        assert!(
            matches!(answer, Err(bindings::Error::InvalidName(_))),
            "{name}"
        );
    }
}

#[test]
fn values_are_never_printed() {
    let variables = Variables::resolve(
        &manifest(MANIFEST),
        &Environment::default(),
        &overrides("database_url", "hush"),
    );
    let printed = format!("{:?}", variables.unwrap());
    assert!(printed.contains("database_url"));
    assert!(!printed.contains("hush"));
}
