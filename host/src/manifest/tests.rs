use super::*;

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"app\"\n";

fn read(text: &str) -> Reading {
    Reading::of_bytes(Path::new("spin.toml"), text.as_bytes())
}

fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn the_projects_own_manifest_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
    let reading = Reading::of_file(&path).unwrap();
    assert_eq!(lines(&reading.faults), [""; 0]);
    assert_eq!(lines(&reading.warnings), [""; 0]);
    assert_eq!(reading.manifest.component("web").id, "web");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let reading = read(
        r#"spin_manifest_version = 3
[application]
nam = "x"
[application.trigger.kafka.topics]
events = { partitions = "six", retention_hours = 1 }
[variables]
api_host = {}
Key = { default = "x" }
[[trigger.http]]
route = "/a/.../b"
component = "wbe"
[[trigger.kafka]]
topic = "event"
component = "web"
[[trigger.cron]]
component = "web"
schedule = "* * *"
kind = "x"
[trigger.sqs]
queue = "x"
[component.web]
sorce = "web.wasm"
allowed_outbound_hosts = ["api.example.com", "https://{{ api_hots }}"]
variables = { a-b = "{{ api_host }" }
[component.web.tool.praxis]
publishes = ["evnets"]
delivery = ["mail"]
memory_bytes_max = -1
"#,
    );
    let expected = [
        "spin.toml:1:25: spin_manifest_version must be 2; \
         version 1 is described at https://spinframework.dev/upgrade",
        "spin.toml:2:1: [application] lacks \"name\"",
        "spin.toml:3:1: [application] has no key \"nam\"; did you mean \"name\"?",
        "spin.toml:5:25: application.trigger.kafka.topics.events.partitions is text; \
         it must be a whole number",
        "spin.toml:7:12: the variable api_host is either required or has a default; add one",
        "spin.toml:8:1: a variable cannot be called \"Key\": it is in lower case: \"key\"",
        "spin.toml:10:9: the route \"/a/.../b\" is not one: \"...\" takes all the rest; \
         put it at the end",
        "spin.toml:11:13: [[trigger.http]] names the component \"wbe\", which [component] \
         does not have; did you mean \"web\"?",
        "spin.toml:13:9: [[trigger.kafka]] names the topic \"event\", which \
         [application.trigger.kafka.topics] does not have; did you mean \"events\"?",
        "spin.toml:17:12: \"* * *\" is not six fields of cron",
        "spin.toml:19:10: [trigger] has no key \"sqs\"; known are http, kafka, cron, redis",
        "spin.toml:21:1: [component.web] lacks \"source\"",
        "spin.toml:22:1: [component.web] has no key \"sorce\"; did you mean \"source\"?",
        "spin.toml:23:27: \"api.example.com\" grants nothing: it is not of the form \
         scheme://host[:port]; did you mean \"https://api.example.com\"?",
        "spin.toml:23:46: component.web.allowed_outbound_hosts names the variable \
         \"api_hots\", which [variables] does not have; did you mean \"api_host\"?",
        "spin.toml:24:15: a variable cannot be called \"a-b\": \
         its words are divided by '_': \"a_b\"",
        "spin.toml:24:21: component.web.variables.a-b: a template begins with {{ and is not \
         closed with }}",
        "spin.toml:26:14: component.web.tool.praxis.publishes names the topic \"evnets\", which \
         [application.trigger.kafka.topics] does not have; did you mean \"events\"?",
        "spin.toml:27:13: component.web.tool.praxis.delivery may not be \"mail\"; \
         did you mean \"email\"?",
        "spin.toml:28:20: component.web.tool.praxis.memory_bytes_max is -1, \
         which is out of range",
    ];
    let found = lines(&reading.faults);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_is_not_toml_is_said_with_its_place() {
    for (bytes, says) in [
        (b"a = = 1\n".as_slice(), "spin.toml:1:5: this is not TOML: "),
        (
            b"a = 1\na = 2\n",
            "spin.toml:2:1: this is not TOML: duplicate key",
        ),
        (
            b"a = 1\nb = \xff\n",
            "spin.toml:2:5: this is not text in UTF-8",
        ),
    ] {
        let reading = Reading::of_bytes(Path::new("spin.toml"), bytes);
        let found = lines(&reading.faults);
        assert!(found[0].starts_with(says), "{found:?}");
    }
    let reading = Reading::of_bytes(Path::new("m"), &vec![b'#'; MANIFEST_BYTES_MAX + 1]);
    assert_eq!(reading.faults.len(), 1);
}

#[test]
fn the_first_version_is_told_from_what_is_no_version() {
    for version in ["\"1\"", "1"] {
        let reading = read(&format!(
            "spin_manifest_version = {version}\n[application]\nname = \"app\"\n"
        ));
        let found = lines(&reading.faults);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("must be 2; version 1 is described"));
    }
}

#[test]
fn an_empty_manifest_lacks_what_it_must_have() {
    assert_eq!(
        lines(&read("").faults),
        [
            "spin.toml:1:1: the manifest lacks \"application\"",
            "spin.toml:1:1: the manifest lacks \"spin_manifest_version\"",
        ]
    );
}

#[test]
fn all_faults_are_in_the_error_of_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, format!("{HEAD}one = 1\ntwo = 2\n")).unwrap();
    let error = Manifest::load(&path).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    let missing = Manifest::load(&folder.path().join("nowhere.toml")).unwrap_err();
    assert!(missing.to_string().contains("nowhere.toml"));
}

#[test]
fn a_component_may_be_written_in_its_trigger() {
    let reading = read(&format!(
        "{HEAD}[[trigger.http]]\nid = \"hello\"\nroute = \"/\"\n\
         component = {{ source = \"a.wasm\" }}\n\
         [[trigger.http]]\nroute = \"/b\"\ncomponent = {{ source = \"b.wasm\", sorce = 1 }}\n\
         [[trigger.http]]\nid = \"hello\"\nroute = \"/c\"\n\
         component = {{ source = \"c.wasm\" }}\n"
    ));
    assert_eq!(
        lines(&reading.faults),
        [
            "spin.toml:10:34: the component of [[trigger.http]] has no key \"sorce\"; \
          did you mean \"source\"?"
        ]
    );
    let sources = reading.manifest.trigger.http.iter().map(|trigger| {
        let component = reading.manifest.component(&trigger.component);
        (component.id.as_str(), component.source.to_str().unwrap())
    });
    assert_eq!(
        sources.collect::<Vec<_>>(),
        [
            ("hello-component", "a.wasm"),
            ("http-trigger1-component", "b.wasm"),
            ("inline-component1", "c.wasm"),
        ]
    );
}

#[test]
fn a_route_twice_is_a_warning() {
    let reading = read(&format!(
        "{HEAD}[component.a]\nsource = \"a.wasm\"\n\
         [[trigger.http]]\nroute = \"/x/:a\"\ncomponent = \"a\"\n\
         [[trigger.http]]\nroute = \"/x/:b/\"\ncomponent = \"a\"\n"
    ));
    assert_eq!(lines(&reading.faults), [""; 0]);
    assert_eq!(
        lines(&reading.warnings),
        ["spin.toml:10:9: the route \"/x/:b/\" is in line 7 already; this one wins"]
    );
}

#[test]
fn a_dependency_of_the_application_has_no_grants() {
    let reading = read(&format!(
        "{HEAD}[component.a]\nsource = \"a.wasm\"\n\
         [component.a.dependencies]\n\"x:y/z\" = {{ component = \"b\" }}\n\
         [component.b]\nsource = \"b.wasm\"\nkey_value_stores = [\"default\"]\n"
    ));
    let found = lines(&reading.faults);
    assert!(
        found[0].starts_with("spin.toml:8:1: the component \"b\" has grants (key_value_stores)"),
        "{found:?}"
    );
}

#[test]
fn a_counter_has_a_name_that_a_metric_may_have() {
    for (name, is_good) in [
        ("things_total", true),
        ("a1", true),
        ("", false),
        ("1a", false),
        ("Things", false),
        ("a-b", false),
        ("dé", false),
        (&"a".repeat(65), false),
    ] {
        let text = format!(
            "{HEAD}[component.a]\nsource = \"a.wasm\"\n[component.a.tool.praxis]\ncounters = [\"{name}\"]\n"
        );
        let faults = lines(&read(&text).faults);
        assert_eq!(faults.is_empty(), is_good, "{name:?}: {faults:?}");
        assert!(
            faults.iter().all(|fault| fault.contains("counters")),
            "{faults:?}"
        );
    }
}

#[test]
fn a_limit_is_a_number_within_its_bounds() {
    let of = |application: &str, component: &str| {
        read(&format!(
            "spin_manifest_version = 2\n[application]\nname = \"a\"\n\
             [application.tool.praxis]\n{application}\n\
             [component.a]\nsource = \"a.wasm\"\n[component.a.tool.praxis]\n{component}\n"
        ))
    };
    for limit in limits::OF_APPLICATIONS {
        assert!(
            (limit.least..=limit.most).contains(&limit.default),
            "{limit:?}"
        );
        for (value, is_good) in [
            (limit.least, true),
            (limit.most, true),
            (limit.most + 1, false),
        ] {
            let reading = of(&format!("{} = {value}", limit.key), "");
            assert_eq!(reading.faults.is_empty(), is_good, "{limit:?}: {value}");
            let seen = reading.manifest.application.tool.praxis.limits.of(limit);
            assert_eq!(seen, if is_good { value } else { limit.default });
        }
    }
    for limit in limits::OF_COMPONENTS {
        assert!(
            (limit.least..=limit.most).contains(&limit.default),
            "{limit:?}"
        );
        for (value, is_good) in [
            (limit.least, true),
            (limit.most, true),
            (limit.least - 1, false),
        ] {
            let reading = of("", &format!("{} = {value}", limit.key));
            assert_eq!(reading.faults.is_empty(), is_good, "{limit:?}: {value}");
            let seen = reading.manifest.component["a"].tool.praxis.limits.of(limit);
            assert_eq!(seen, if is_good { value } else { limit.default });
        }
    }
    let faults = lines(&of("head_bytes_max = 100", "").faults);
    assert!(
        faults[0].ends_with(
            "application.tool.praxis.head_bytes_max is 100; write a number from 8192 to 1048576"
        ),
        "{faults:?}"
    );
}

#[test]
fn every_limit_is_in_the_documents_as_it_is() {
    let document = include_str!("../../../docs/http.md");
    for (title, limits) in [
        ("\n## Limits of a component\n", &limits::OF_COMPONENTS[..]),
        ("\n## Limits of the application\n", &limits::OF_APPLICATIONS),
    ] {
        let part = document.split(title).nth(1).unwrap();
        let part = part.split("\n## ").next().unwrap();
        for limit in limits {
            let begins = format!("| `{}` | ", limit.key);
            let row = part.lines().find_map(|line| line.strip_prefix(&begins));
            let row = row.unwrap_or_else(|| panic!("{} is not in {title}", limit.key));
            let digits = |text: &str| text.replace(',', "").parse::<u64>();
            let mut words = row.split(['|', ' ', ';']).filter(|word| !word.is_empty());
            assert_eq!(digits(words.next().unwrap()), Ok(limit.default), "{row}");
            let bounds = format!("{}–{}", limit.least, limit.most);
            assert!(row.replace(',', "").contains(&bounds), "{row}: {bounds}");
        }
    }
}
