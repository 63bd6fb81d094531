//! What another component imports: it greets, and says what it sees of the world.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

use bindings::exports::example::greeter::greet::Guest;

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "greeter",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

struct Greeter;
bindings::export!(Greeter with_types_in bindings);

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}")
    }

    fn environment() -> Vec<String> {
        std::env::vars().map(|(name, _)| name).collect()
    }
}
