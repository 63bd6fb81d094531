//! A component and those inside it, made into one: `[component.*.dependencies]`.

use std::collections::BTreeMap;

use wac_graph::types::{Package, SubtypeChecker, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

use crate::binary::expect_component;
use crate::manifest::{Component, Dependency, suggest};

/// What a component inside another may import without its grants: it computes, and reaches
/// nothing. What it prints is read with what the whole prints.
const HARMLESS: [&str; 4] = ["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/"];
/// This one is harmless because it is empty there.
const ENVIRONMENT: &str = "wasi:cli/environment@";

/// The component with its dependencies inside, or all that stands in the way. `read` gives a
/// dependency's file.
pub fn compose(
    component: &Component,
    wasm: &[u8],
    read: impl Fn(&Dependency) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, Vec<String>> {
    let mut graph = CompositionGraph::new();
    let outer = Part::add(&mut graph, &component.id, wasm).map_err(|why| vec![why])?;
    let imports = names(&graph, outer.world, Side::Imports);
    let mut faults = Vec::new();
    let mut satisfied: BTreeMap<&str, &str> = BTreeMap::new();
    for dependency in &component.dependencies {
        let name = dependency.name.as_str();
        let matched = imports.iter().filter(|import| dependency.satisfies(import));
        let matched: Vec<&str> = matched.map(String::as_str).collect();
        if matched.is_empty() {
            let suggestion = suggest(name, imports.iter().map(String::as_str));
            faults.push(format!(
                "the dependency {name:?} satisfies none of its imports; {suggestion}"
            ));
            continue;
        }
        for import in &matched {
            if let Some(other) = satisfied.insert(import, name) {
                faults.push(format!(
                    "its import {import} is satisfied by {other:?} and by {name:?}; remove one"
                ));
            }
        }
        let added = read(dependency).and_then(|wasm| {
            let inner = Part::add(&mut graph, name, &wasm)?;
            if !dependency.inherits {
                confine(&mut graph, &inner)?;
            }
            let export = dependency.export.as_deref();
            matched
                .iter()
                .try_for_each(|import| connect(&mut graph, &outer, &inner, import, export))
        });
        if let Err(why) = added {
            faults.push(format!("the dependency {name:?}: {why}"));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    encode(&mut graph, &outer).map_err(|why| vec![format!("could not compose it: {why}")])
}

/// One component of the whole.
struct Part {
    world: WorldId,
    instance: NodeId,
}

impl Part {
    fn add(graph: &mut CompositionGraph, name: &str, wasm: &[u8]) -> Result<Self, String> {
        expect_component(wasm).map_err(|why| why.to_string())?;
        let package = Package::from_bytes(name, None, wasm, graph.types_mut())
            .map_err(|why| format!("it cannot be read: {:#}; build it again", why.root_cause()))?;
        let world = package.ty();
        let package = graph
            .register_package(package)
            .map_err(|why| why.to_string())?;
        Ok(Self {
            world,
            instance: graph.instantiate(package),
        })
    }
}

enum Side {
    Imports,
    Exports,
}

fn names(graph: &CompositionGraph, world: WorldId, side: Side) -> Vec<String> {
    let world = &graph.types()[world];
    match side {
        Side::Imports => world.imports.keys().cloned().collect(),
        Side::Exports => world.exports.keys().cloned().collect(),
    }
}

/// Satisfies an import of the outer component by an export of the inner one.
fn connect(
    graph: &mut CompositionGraph,
    outer: &Part,
    inner: &Part,
    import: &str,
    export: Option<&str>,
) -> Result<(), String> {
    let export = export.unwrap_or(import);
    let types = graph.types();
    let Some(offered) = types[inner.world].exports.get(export) else {
        let exports = names(graph, inner.world, Side::Exports);
        let suggestion = suggest(export, exports.iter().map(String::as_str));
        return Err(format!("it does not export {export}; {suggestion}"));
    };
    let wanted = &types[outer.world].imports[import];
    let mut cache = Default::default();
    SubtypeChecker::new(&mut cache)
        .is_subtype(*offered, types, *wanted, types)
        .map_err(|why| {
            format!("its export {export} is not what {import} is: {why:#}; build both for one WIT")
        })?;
    let alias = graph
        .alias_instance_export(inner.instance, export)
        .map_err(|why| why.to_string())?;
    graph
        .set_instantiation_argument(outer.instance, import, alias)
        .map_err(|why| why.to_string())
}

/// Leaves a dependency nothing to reach the world with. Its environment is empty; what else could
/// carry a grant of the whole is refused.
fn confine(graph: &mut CompositionGraph, inner: &Part) -> Result<(), String> {
    let imports = names(graph, inner.world, Side::Imports);
    let harmful: Vec<_> = imports
        .iter()
        .filter(|import| !HARMLESS.iter().any(|prefix| import.starts_with(prefix)))
        .map(String::as_str)
        .collect();
    if !harmful.is_empty() {
        return Err(format!(
            "it imports {}, and has no grants; write inherit_configuration = true to give it \
             those of the component around it",
            harmful.join(", ")
        ));
    }
    for import in imports {
        if let Some(version) = import.strip_prefix(ENVIRONMENT) {
            let empty = empty_environment(version)?;
            let name = format!("praxis:empty-environment-{}", graph.packages().count());
            let empty = Part::add(graph, &name, &empty)?;
            let alias = graph
                .alias_instance_export(empty.instance, &import)
                .map_err(|why| why.to_string())?;
            graph
                .set_instantiation_argument(inner.instance, &import, alias)
                .map_err(|why| why.to_string())?;
        }
    }
    Ok(())
}

/// A component that exports `wasi:cli/environment` with nothing in it. Each function answers with
/// the address of zeros: an empty list, or no text.
fn empty_environment(version: &str) -> Result<Vec<u8>, String> {
    let folder = if version.starts_with("0.2") {
        "initial-cwd"
    } else {
        "get-initial-cwd"
    };
    wat::parse_str(format!(
        r#"(component
            (core module $code
                (memory (export "memory") 1)
                (func (export "nothing") (result i32) i32.const 16))
            (core instance $code (instantiate $code))
            (alias core export $code "memory" (core memory $memory))
            (func $pairs (result (list (tuple string string)))
                (canon lift (core func $code "nothing") (memory $memory)))
            (func $words (result (list string))
                (canon lift (core func $code "nothing") (memory $memory)))
            (func $folder (result (option string))
                (canon lift (core func $code "nothing") (memory $memory)))
            (instance $environment
                (export "get-environment" (func $pairs))
                (export "get-arguments" (func $words))
                (export "{folder}" (func $folder)))
            (export "{ENVIRONMENT}{version}" (instance $environment)))"#
    ))
    .map_err(|why| why.to_string())
}

/// The whole exports what the outer component does.
fn encode(graph: &mut CompositionGraph, outer: &Part) -> Result<Vec<u8>, String> {
    for name in names(graph, outer.world, Side::Exports) {
        let alias = graph
            .alias_instance_export(outer.instance, &name)
            .map_err(|why| why.to_string())?;
        graph.export(alias, &name).map_err(|why| why.to_string())?;
    }
    graph
        .encode(EncodeOptions::default())
        .map_err(|why| why.to_string())
}
