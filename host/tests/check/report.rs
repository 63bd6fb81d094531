//! What is said of an application that holds together, and of one that does not.

use std::path::Path;
use std::sync::Arc;

use praxis_host::capabilities::offer::Offer;
use praxis_host::cli::check::examine;
use praxis_host::manifest::Reading;

use crate::application::{Application, built, compiled, importing};

#[tokio::test]
async fn a_good_application_is_described() {
    let application = Application::of_one(&built("hello"), "");
    let findings = application.examine().await;
    assert_eq!(application.lines(&findings.faults), [""; 0]);
    assert_eq!(application.lines(&findings.warnings), [""; 0]);
    for line in [
        " is good: 1 component, 1 route\n",
        "\na  a.wasm\n",
        "  runs on     the route /...\n",
        "  exports     wasi:http/handler@0.3.0\n",
        "  imports     wasi:",
        "  limits      128 MiB of memory, 30000 ms a request, 60000 ms an event, no limit of fuel\n",
    ] {
        assert!(
            findings.report.contains(line),
            "{line:?}: {}",
            findings.report
        );
    }
}

#[tokio::test]
async fn grants_are_shown_and_values_are_not() {
    let application = Application::of(
        "[variables]\nkey = { default = \"hush-hush\", secret = true }\n\
         [[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n\
         [component.a]\nsource = \"a.wasm\"\nvariables = { api_key = \"{{ key }}\" }\n\
         allowed_outbound_hosts = [\"https://api.example.com\"]\nkey_value_stores = [\"default\"]\n",
    );
    let application = application.with("a.wasm", &built("hello"));
    let findings = application.examine().await;
    assert!(
        findings.report.contains("  variables   api_key\n"),
        "{}",
        findings.report
    );
    assert!(
        findings
            .report
            .contains("  may reach   https://api.example.com\n")
    );
    assert!(findings.report.contains("  stores      default\n"));
    assert!(!findings.report.contains("hush-hush"));
    let warnings = application.lines(&findings.warnings);
    for granted in ["key_value_stores", "variables", "a host of HTTP"] {
        let says = format!("component \"a\" (a.wasm): {granted} is granted, but nothing of ");
        let is_said = warnings.iter().any(|warning| warning.contains(&says));
        // spin-sdk itself imports no client until it is used.
        assert!(is_said, "{granted}: {warnings:#?}");
    }
}

#[tokio::test]
async fn requests_that_will_all_be_refused_are_a_warning() {
    let with = |hosts: &str| {
        let manifest = format!(
            "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\nallowed_outbound_hosts = [{hosts}]\n"
        );
        Application::of(&manifest).with("a.wasm", &built("wasi02"))
    };
    for (hosts, are_refused) in [
        ("", true),
        ("\"redis://localhost\"", true),
        ("\"https://api.example.com\"", false),
        ("\"http://self\"", false),
        ("\"*://api.example.com\"", false),
    ] {
        let application = with(hosts);
        let warnings = application.lines(&application.examine().await.warnings);
        let says = "it can send HTTP requests, and all of them will be refused";
        let is_said = warnings.iter().any(|warning| warning.contains(says));
        assert_eq!(is_said, are_refused, "{hosts}: {warnings:?}");
    }
}

#[tokio::test]
async fn operations_that_nobody_can_ask_for_are_a_warning() {
    let with = |keys: &str| {
        let manifest = format!(
            "[application.tool.praxis]\n{keys}\n\
             [[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\n"
        );
        Application::of(&manifest).with("a.wasm", &built("hello"))
    };
    let closed = with("operations = true").examine().await.warnings;
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert!(closed[0].what.contains("401"), "{closed:?}");
    for keys in ["", "operations = true\nauthentication = \"jwt\""] {
        assert_eq!(with(keys).examine().await.warnings, [], "{keys}");
    }
}

#[tokio::test]
async fn a_variable_without_a_value_and_a_component_without_a_trigger_are_warnings() {
    let manifest = "[variables]\napi_key = { required = true }\n\
                    [component.a]\nsource = \"a.wasm\"\n";
    let application = Application::of(manifest).with("a.wasm", &built("hello"));
    let findings = application.examine().await;
    assert_eq!(application.lines(&findings.faults), [""; 0]);
    assert_eq!(
        application.lines(&findings.warnings),
        [
            "spin.toml:5:1: the variable api_key has no value here; \
             set SPIN_VARIABLE_API_KEY or write it to .env",
            "spin.toml:6:1: nothing runs the component \"a\"; add a [[trigger.*]] for it",
        ]
    );
    let application = application.with(".env", b"SPIN_VARIABLE_API_KEY=hush\n");
    let findings = application.examine().await;
    assert_eq!(findings.warnings.len(), 1, "{:?}", findings.warnings);
    assert!(!findings.report.contains("hush"));

    let application = application.with(".env", b"hush hush\n");
    let faults = application.faults().await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains(".env") && !faults[0].contains("hush"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn what_would_not_start_is_not_good() {
    let table = "[variables]\ndatabase_url = { default = \"x\" }\nhost = { default = \"a b\" }\n\
                 [[trigger.redis]]\nchannel = \"c\"\ncomponent = \"a\"\n\
                 [[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n\
                 [component.a]\nsource = \"a.wasm\"\nfiles = [\"nothing.txt\"]\n\
                 allowed_outbound_hosts = [\"http://{{ host }}\"]\n\
                 [component.b]\nsource = \"b.wasm\"\n\
                 allowed_outbound_hosts = [\"{{ database_url }}\"]\n";
    let application = Application::of(table)
        .with("a.wasm", &built("hello"))
        .with("b.wasm", &importing("spin:redis/redis@3.0.0"));
    let faults = application.faults().await;
    for said in [
        "spin.toml:7:1: [[trigger.redis]] has no address",
        "nothing.txt",
        "[component.a] allowed_outbound_hosts",
        // An address of PostgreSQL grants nothing of Redis.
        "component \"b\" (b.wasm): it imports spin:redis/redis@3.0.0, which is not granted",
    ] {
        let is_said = faults.iter().any(|fault| fault.contains(said));
        assert!(is_said, "{said}: {faults:#?}");
    }
}

#[tokio::test]
async fn a_value_that_is_no_address_does_not_take_the_grants_with_it() {
    let application = Application::of(
        "[variables]\nhost = { default = \"a b\" }\n\
         [component.b]\nsource = \"b.wasm\"\n\
         allowed_outbound_hosts = [\"redis://{{ host }}\"]\n",
    );
    let application = application.with("b.wasm", &importing("spin:redis/redis@3.0.0"));
    let faults = application.faults().await;
    assert!(faults[0].contains("grants nothing"), "{faults:#?}");
    let is_missed = faults.iter().any(|fault| fault.contains("not granted"));
    assert!(!is_missed, "{faults:#?}");
}

#[tokio::test]
async fn faults_of_the_manifest_and_of_components_are_said_together() {
    let application = Application::of(
        "[component.a]\nsource = \"a.wasm\"\nsorce = 1\n[component.b]\nsource = \"b.wasm\"\n",
    );
    let application = application
        .with("a.wasm", b"")
        .with("b.wasm", &built("probe"));
    let faults = application.faults().await;
    assert!(faults[0].starts_with("spin.toml:4:1: component \"a\" (a.wasm): it is empty"));
    assert!(faults[1].starts_with("spin.toml:6:1: [component.a] has no key \"sorce\""));
    assert!(faults[2].starts_with("spin.toml:7:1: component \"b\" (b.wasm): it imports"));
    assert!(application.examine().await.report.is_empty());
}

#[tokio::test]
async fn an_application_with_events_needs_a_place_for_them() {
    let application = Application::of(
        "[application.trigger.kafka.topics]\nt = { partitions = 1, retention_hours = 1 }\n\
         [[trigger.kafka]]\ntopic = \"t\"\ncomponent = \"a\"\n\
         [component.a]\nsource = \"a.wasm\"\n",
    );
    let faults = application
        .with("a.wasm", &built("versioned"))
        .faults()
        .await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("services name \"postgres\""),
        "{faults:?}"
    );
}

#[tokio::test]
async fn every_interface_of_the_host_is_on_the_list_of_offers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
    let reading = Reading::of_file(&path).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = compiled();
    let rehearsed = praxis_host::cli::check::Rehearsal::of(&reading.manifest, &folder).await;
    let capabilities = rehearsed.unwrap().fitter.capabilities;
    let interfaces = capabilities
        .iter()
        .map(Arc::clone)
        .flat_map(|c| c.interfaces().to_vec());
    for interface in interfaces {
        assert!(
            Offer::of(interface).is_some(),
            "{interface} is not in OFFERS"
        );
    }
}

#[tokio::test]
async fn the_projects_own_application_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let findings = examine(Reading::of_file(&path).unwrap(), &compiled())
        .await
        .unwrap();
    assert_eq!(findings.faults, []);
    assert_eq!(findings.warnings, []);
}
