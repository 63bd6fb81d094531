//! Files that are no component of this host's world: each has one fault, with its component, its
//! path, the reason and what to do.

use crate::application::{Application, built, importing};

const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

async fn fault(wasm: &[u8], table: &str) -> String {
    let faults = Application::of_one(wasm, table).faults().await;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let fault = faults.into_iter().next().unwrap();
    let prefix = "spin.toml:7:1: component \"a\" (a.wasm): ";
    assert!(fault.starts_with(prefix), "{fault}");
    fault[prefix.len()..].to_owned()
}

#[tokio::test]
async fn what_is_no_component_is_said_to_be_what_it_is() {
    let mut cut = built("hello");
    cut.truncate(cut.len() / 2);
    let mut damaged = built("hello");
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    for (wasm, reason, remedy) in [
        (
            CORE_MODULE,
            "it is a core module, not a component",
            "build it for wasm32-wasip2",
        ),
        (
            b"\x7fELF random bytes",
            "it is not WebAssembly",
            "name the .wasm file",
        ),
        (b"", "it is empty", "build it again"),
        (b"\0as", "it is not WebAssembly", "name the .wasm file"),
        (
            &cut,
            "could not compile it",
            "damaged or cut off, build it again",
        ),
        (
            &damaged,
            "could not compile it",
            "damaged or cut off, build it again",
        ),
    ] {
        let fault = fault(wasm, "").await;
        assert!(fault.contains(reason) && fault.contains(remedy), "{fault}");
    }
}

#[tokio::test]
async fn what_takes_more_than_its_share_is_refused_with_the_limit() {
    for (part, times, says) in [
        ("(memory 1)", 33, "33 Wasm linear memories"),
        ("(table 1 funcref)", 65, "65 tables"),
        (
            "(table 1 funcref) (table 1 funcref) (table 1 funcref)",
            1,
            "tables count of 3",
        ),
    ] {
        let modules = format!("(core module $m {part})");
        let instances = "(core instance (instantiate $m))".repeat(times);
        let wasm = wat::parse_str(format!("(component {modules} {instances})")).unwrap();
        let fault = fault(&wasm, "").await;
        assert!(
            fault.starts_with("it is too large for this host"),
            "{fault}"
        );
        assert!(fault.contains(says), "{fault}");
    }
}

/// What Spin's own limits let through.
#[tokio::test]
async fn as_many_parts_as_in_spin_are_taken() {
    for (part, times) in [
        ("(memory 1)", 32),
        ("(memory 1) (memory 1)", 16),
        ("(memory 65536)", 1),
        ("(table 1 funcref) (table 100000 funcref)", 32),
        ("(global i32 (i32.const 0))", 200),
    ] {
        let modules = format!("(core module $m {part})");
        let instances = "(core instance (instantiate $m))".repeat(times);
        let wasm = wat::parse_str(format!("(component {modules} {instances})")).unwrap();
        let fault = fault(&wasm, "").await;
        assert!(
            fault.starts_with("[[trigger.http]] runs it, but it does not export"),
            "{part}: {fault}"
        );
    }
}

#[tokio::test]
async fn the_largest_memory_is_what_32_bits_address() {
    let limit = |bytes: u64| format!("tool.praxis.memory_bytes_max = {bytes}\n");
    let hello = built("hello");
    let faults = Application::of_one(&hello, &limit(4 << 30)).faults().await;
    assert_eq!(faults, [""; 0]);
    let fault = fault(&hello, &limit((4 << 30) + 1)).await;
    assert_eq!(
        fault,
        "its memory_bytes_max is 4294967297; this host gives 4294967296 at most"
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_to_be_built() {
    let application = Application::of(
        "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n",
    );
    let faults = application.faults().await;
    assert_eq!(
        faults,
        ["spin.toml:7:1: component \"a\" (a.wasm): a.wasm is not there; build it first"]
    );
}

#[tokio::test]
async fn a_component_of_another_world_does_not_fit_its_trigger() {
    let fault = fault(&built("greeter"), "").await;
    assert_eq!(
        fault,
        "[[trigger.http]] runs it, but it does not export wasi:http/handler@0.3… or \
         wasi:http/incoming-handler@0.2…; it exports example:greeter/greet@0.1.0"
    );
    let application = Application::of(
        "[application.trigger.kafka.topics]\n\
         t = { partitions = 1, retention_hours = 1 }\n\
         [[trigger.kafka]]\ntopic = \"t\"\ncomponent = \"a\"\n\
         [application.tool.praxis]\nservices = [\"postgres\"]\n\
         [component.a]\nsource = \"a.wasm\"\n",
    );
    let faults = application.with("a.wasm", &built("hello")).faults().await;
    assert!(
        faults[0].contains("does not export praxis:events/consumer@0.1"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn what_components_of_older_sdks_export_is_not_run() {
    for export in [
        "fermyon:spin/inbound-http",
        "fermyon:spin/inbound-redis",
        "wasi:cli/run@0.2.0",
    ] {
        let text = format!("(component (instance $i) (export {export:?} (instance $i)))");
        let wasm = wat::parse_str(&text).unwrap();
        let fault = fault(&wasm, "").await;
        assert!(
            fault.starts_with("[[trigger.http]] runs it, but it does not"),
            "{fault}"
        );
        let application = Application::of(
            "[[trigger.redis]]\nchannel = \"c\"\naddress = \"redis://h\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\n",
        );
        let faults = application.with("a.wasm", &wasm).faults().await;
        let says = "[[trigger.redis]] runs it, but it does not export";
        assert!(faults.len() == 1 && faults[0].contains(says), "{faults:?}");
    }
}

#[tokio::test]
async fn an_import_that_cannot_be_given_is_said_with_what_there_is() {
    for (interface, says) in [
        (
            "spin:postgres/postgres@3.0.0",
            "it imports spin:postgres/postgres@3.0.0; this host has 4.2.0",
        ),
        (
            "spin:sqlite/sqlite@3.0.0",
            "it imports spin:sqlite/sqlite@3.0.0, which this host does not have",
        ),
        (
            "fermyon:spin/redis@2.0.0",
            "which this host does not have; build the component with spin-sdk 7",
        ),
        (
            "spin:redis/reddis@3.0.0",
            "which this host does not have; did you mean \"spin:redis/redis\"?",
        ),
        (
            "example:greeter/greet@0.1.0",
            "which this host does not have; satisfy it with a component: \
             [component.*.dependencies]",
        ),
        ("wasi:http/types@0.2.0-rc-2023-11-10", "could not link it"),
    ] {
        let application = Application::of("[component.a]\nsource = \"a.wasm\"\n");
        let application = application.with("a.wasm", &importing(interface));
        let faults = application.faults().await;
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].contains(says), "{}", faults[0]);
    }
}

#[tokio::test]
async fn an_import_without_a_grant_is_said_with_the_line_to_add() {
    let faults = Application::of_one(&built("probe"), "").faults().await;
    for line in [
        "add allowed_outbound_hosts = [\"postgres://host\"] to [component.a]",
        "add allowed_outbound_hosts = [\"redis://host\"] to [component.a]",
        "add key_value_stores = [\"default\"] to [component.a]",
        "add variables = { name = \"{{ name }}\" } to [component.a]",
    ] {
        assert!(
            faults.iter().any(|fault| fault.ends_with(line)),
            "{line}: {faults:#?}"
        );
    }
}
