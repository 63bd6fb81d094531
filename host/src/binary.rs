//! A file of WebAssembly: what it is, and what it asks for.

use anyhow::{bail, ensure};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

const MAGIC: &[u8] = b"\0asm";
/// The four bytes after the magic number.
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];

/// Fails with what the bytes are, and what to do, if they do not begin as a component does.
pub fn expect_component(wasm: &[u8]) -> anyhow::Result<()> {
    ensure!(!wasm.is_empty(), "it is empty; build it again");
    ensure!(
        wasm.starts_with(MAGIC),
        "it is not WebAssembly: it lacks the magic number; name the .wasm file of a component"
    );
    if wasm
        .get(MAGIC.len()..)
        .is_some_and(|rest| rest.starts_with(CORE_MODULE))
    {
        bail!(
            "it is a core module, not a component; build it for wasm32-wasip2, \
             or wrap it with \"wasm-tools component new\""
        );
    }
    Ok(())
}

/// Fails with what is too large for a compiler that others wait for: its time grows faster than a function's
/// length does.
pub fn expect_small_functions(
    wasm: &[u8],
    functions_max: usize,
    function_bytes_max: usize,
) -> anyhow::Result<()> {
    let mut functions = 0;
    // Of the modules within, too.
    for payload in Parser::new(0).parse_all(wasm) {
        let body = match payload {
            Ok(Payload::CodeSectionEntry(body)) => body,
            Ok(_) => continue,
            // What is no WebAssembly has nothing to compile: whoever tries says so better.
            Err(_) => break,
        };
        functions += 1;
        let bytes = body.range().len();
        ensure!(
            bytes <= function_bytes_max,
            "a function of it has {bytes} bytes, more than {function_bytes_max}"
        );
    }
    ensure!(
        functions <= functions_max,
        "it has {functions} functions, more than {functions_max}"
    );
    Ok(())
}

/// What holds a function or a resource: plain types need no grant.
pub fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    let kind = component.component_type();
    let imports = kind
        .imports(engine)
        .filter(|(_, item)| does_something(engine, &item.ty));
    imports.map(|(name, _)| name.to_owned()).collect()
}

pub fn exports(engine: &Engine, component: &Component) -> Vec<String> {
    let kind = component.component_type();
    let exports = kind.exports(engine);
    exports.map(|(name, _)| name.to_owned()).collect()
}

fn does_something(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(interface) => interface
            .exports(engine)
            .any(|(_, export)| does_something(engine, &export.ty)),
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentFunc(_)
        | ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::Resource(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let wasm = wat::parse_str(text).unwrap();
        let seen = expect_small_functions(&wasm, 2, 64);
        seen.err().map(|why| why.to_string())
    }

    #[test]
    fn what_takes_a_compiler_long_is_refused_also_inside_of_a_component() {
        let component = |functions: &str| format!("(component (core module {functions}))");
        let long = format!("(func {})", "nop ".repeat(64));
        assert_eq!(refusal(&component("(func) (func)")), None);
        let why = refusal(&component("(func) (func) (func)")).unwrap();
        assert_eq!(why, "it has 3 functions, more than 2");
        let why = refusal(&component(&long)).unwrap();
        assert_eq!(why, "a function of it has 66 bytes, more than 64");
    }
}
