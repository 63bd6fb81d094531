//! An HTTP component that lets another one do the work: `/greet/NAME` and `/environment`.

use bindings::example::greeter::greet;
use spin_sdk::http::Request;
use spin_sdk::http_service;

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../greeter/wit",
        world: "caller",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

#[http_service]
async fn serve(request: Request) -> String {
    match request.uri().path() {
        "/environment" => {
            let own: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
            format!("own {own:?}, inner {:?}", greet::environment())
        }
        path => greet::greet(path.trim_start_matches("/greet/")),
    }
}
